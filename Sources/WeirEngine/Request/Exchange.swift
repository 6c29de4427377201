/// Owner of one request on both sides: routes it, borrows a connection, passes events across under back-pressure.
///
/// Decisions live in `ExchangeState`; this class performs them. Pooled by its worker; loop thread only. It never asks which
/// protocol either side speaks.
final class Exchange: MessageSink {
    /// Strong, so that a call on it needs no reference counting; the worker lets go of its exchanges when it ends.
    let worker: Worker
    let loop: Loop
    var state = ExchangeState()
    /// Its connection owns it and says so before it goes.
    var stream: Borrowed<ServerStream>?
    /// Its pool owns it; cleared with the answer's end, a reset, or our cancelling.
    var upstream: Borrowed<ClientStream>?
    /// Alive for as long as it counts this request as active.
    var endpoint: Borrowed<Endpoint>?
    /// The generation that routed this request; let go once the answer's head is out.
    ///
    /// The worker keeps it for as long as it is pinned.
    var pinned: Borrowed<PinnedSnapshot>?
    /// What it takes to send the request again, or to give it up.
    var tries = Tries()
    /// Monotonic nanoseconds when the request had first gone to an upstream, as a whole once it is.
    var sentAt: UInt64 = 0
    /// What metrics and access log will say of the request.
    var record = RequestRecord()
    var isReported = false
    /// What the route does besides; borrows from `pinned`.
    var policies = ActivePolicies()
    /// What its line in the access log needs and would be gone by then.
    var capture = LogCapture()
    /// Borrows from `pinned`.
    var affinity = Affinity()
    /// Of calls in gRPC-Web to servers of gRPC alone.
    var web: GRPCWebCall?
    /// The first of the copies that follow what comes of the request; the worker keeps them until `leaveCopies`.
    var copies: Borrowed<MirrorCall>?
    /// `nil` where no proxy is trusted.
    let trustedClient: TrustedClient?

    init(worker: Worker) {
        self.worker = worker
        loop = worker.loop
        trustedClient = worker.trustedHops > 0 ? TrustedClient(hops: worker.trustedHops) : nil
    }

    func begin(on stream: Borrowed<ServerStream>) {
        self.stream = stream
        state = ExchangeState()
        if let trustedClient { stream.with { $0.trustedClient = Unmanaged.passUnretained(trustedClient) } }
    }

    override var proxiedEnds: ProxiedEnds? { stream?.proxiedEnds }

    // MARK: From the client

    override func receive(fromDownstream event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last):
            state.requestBegan(last: last, asksForTunnel: head.wantsUpgrade)
            trustedClient?.read(head)
            if head.wantsUpgrade { stream?.pauseReading() }
            beginRecord(head, last: last)
            route(head, last: last)
        case .body(let slice):
            record.requestBodyBytes += UInt64(slice.count)
            if state.tunnel != .none { return passUp(slice) }
            guard let web else { return passBody(slice) }
            guard let decoded = web.request(slice, loop.pool) else { return refuseRequest() }
            if decoded.count > 0 { passBody(decoded) }
        case .trailers(let trailers):
            if state.keepsRequest || state.isWaiting { tries.replay.keep(trailers) }
            if copies != nil { mirror(trailers) }
            upstream?.send(.trailers(trailers))
        case .end:
            if let web, !web.requestIsWhole { return refuseRequest() }
            record.requestMilliseconds = Int64((loop.now - record.startedAt) / 1_000_000)
            let action = state.requestEnded()
            // What is held has its time from when it goes on.
            if !state.isOver, action == .forward || state.isWaiting, !state.isHeld {
                // The upstream's time does not begin before the client's has ended.
                if state.response == .awaited { sentAt = loop.now }
                tries.requestEnded(self, loop)
                if tries.limitsTries { startTryClock() }
            }
            if action != .nothing { upstream?.send(.end) }
            if copies != nil { endCopies() }
            perform(action)
        case .reset(let error):
            if record.status == 0, error.status != 0, let stream {
                record.responseHeadBytes = UInt64(stream.sentHeadBytes)
                record.responseBodyBytes = UInt64(error.answeredBytes)
            }
            record.fail(downstream: error)
            perform(state.downstreamFailed())
        case .response:
            preconditionFailure("a client sent a response head")
        }
    }

    override func downstreamHasRoom() { upstream?.resumeReading() }

    // MARK: From the upstream

    override func receive(fromUpstream event: consuming MessageEvent) {
        switch consume event {
        case .response(let head, let last):
            receivedHead(head, last: last)
        case .body(let slice):
            guard let stream, state.response == .begun else { return }
            if state.tunnel != .none { tries.passed(at: loop.now) }
            guard let web else { return passAnswer(slice, to: stream) }
            let encoded = web.answer(slice, loop.pool)
            if encoded.count > 0 { passAnswer(encoded, to: stream) }
        case .trailers(let trailers):
            receivedTrailers(trailers)
        case .end:
            let action = state.responseEnded()
            if let web, action != .nothing, let stream, let rest = web.finish(loop.pool) {
                passAnswer(rest, to: stream)
            }
            if action != .nothing { stream?.send(.end) }
            perform(action)
        case .reset(let error):
            upstream = nil
            fail(error)
        case .request:
            preconditionFailure("an upstream sent a request head")
        }
    }

    override func upstreamHasRoom() { stream?.resumeReading() }

    override func upstreamConnected() { if tries.limitsTries { startTryClock() } }

    override func leaseMoved(to stream: Borrowed<ClientStream>) {
        upstream = stream
        captureAddress(stream)
        if tries.limitsTries { startTryClock() }
    }

    private func passBody(_ slice: consuming ByteSlice) {
        if state.keepsRequest || state.isWaiting { keep(slice) }
        if copies != nil { mirror(slice) }
        guard let upstream, state.passesRequest else { return }
        upstream.send(.body(slice))
        if upstream.isCongested { stream?.pauseReading() }
    }

    func passAnswer(_ slice: consuming ByteSlice, to stream: Borrowed<ServerStream>) {
        record.responseBodyBytes += UInt64(slice.count)
        stream.send(.body(slice))
        if stream.isCongested { upstream?.pauseReading() }
    }

    /// The request turns out to be none that can be sent on.
    func refuseRequest() {
        perform(state.requestRefused(ProxyError(source: .downstream, cause: .protocolError, status: 400)))
    }

    // MARK: Performing

    func perform(_ action: ExchangeState.Action) {
        switch action {
        case .nothing, .forward:
            break
        case .forwardAndFinish(let cancelUpstream):
            finish(cancelUpstream: cancelUpstream)
        case .waitForRetry(let cancelUpstream):
            waitForRetry(cancelUpstream: cancelUpstream)
        case .retry:
            sendAgain()
        case .goOn:
            goOn()
        case .reply(let error):
            answer(.failure(error, retried: state.attempt > 1))
        case .cut(let error):
            record.cutShort(error)
            report()
            stream?.send(.reset(ProxyError(source: .upstream, cause: .connectionClosed)))
            finish(cancelUpstream: true)
        case .drop:
            report()
            stream = nil
            finish(cancelUpstream: true)
        }
    }

    /// Gives back everything borrowed, then tells the stream, which may start the next request at once.
    func finish(cancelUpstream: Bool) {
        report()
        if state.tunnel == .open { worker.tunnelClosed() }
        let stream = stream
        let upstream = upstream
        self.stream = nil
        self.upstream = nil
        letEndpointGo()
        if copies != nil { leaveCopies() }
        unpin()
        if web != nil { web = nil }
        tries.end(worker)
        if cancelUpstream { upstream?.cancel() }
        if trustedClient != nil { stream?.with { $0.trustedClient = nil } }
        worker.recycle(self)
        stream?.exchangeEnded()
    }

    private func letEndpointGo() {
        guard let endpoint else { return }
        self.endpoint = nil
        endpoint.with { state.isWaiting ? $0.failureForgotten() : $0.requestEnded() }
    }

    func unpin() {
        guard let pinned else { return }
        self.pinned = nil
        tries.forgetRoute()
        policies = ActivePolicies()
        worker.unpin(pinned)
    }
}
