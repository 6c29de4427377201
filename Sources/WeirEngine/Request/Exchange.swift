/// Owner of one request on both sides: routes it, borrows a connection, passes events across under back-pressure.
///
/// Decisions live in `ExchangeState`; this class performs them. Pooled by its worker; loop thread only. It never asks which
/// protocol either side speaks.
final class Exchange: MessageSink {
    /// Strong, so that a call on it needs no reference counting; the worker lets go of its exchanges when it ends.
    private let worker: Worker
    private let loop: Loop
    private var state = ExchangeState()
    /// Its connection owns it and says so before it goes.
    private var stream: Borrowed<ServerStream>?
    /// Its pool owns it; cleared with the answer's end, a reset, or our cancelling.
    private var upstream: Borrowed<ClientStream>?
    /// Alive for as long as it counts this request as active.
    private var endpoint: Borrowed<Endpoint>?
    /// The generation that routed this request; let go once the answer's head is out.
    ///
    /// The worker keeps it for as long as it is pinned.
    private var pinned: Borrowed<PinnedSnapshot>?
    /// What it takes to send the request again, or to give it up.
    private var tries = Tries()
    /// Monotonic nanoseconds when the request first went to an upstream.
    private var sentAt: UInt64 = 0
    /// What metrics and access log will say of the request.
    private var record = RequestRecord()
    private var isReported = false
    /// What the route does besides; borrows from `pinned`.
    private var policies = ActivePolicies()
    /// What its line in the access log needs and would be gone by then.
    private var capture = LogCapture()
    /// Borrows from `pinned`.
    private var affinity = Affinity()
    /// Of calls in gRPC-Web to servers of gRPC alone.
    private var web: GRPCWebCall?
    /// `nil` where no proxy is trusted.
    private let trustedClient: TrustedClient?

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
            upstream?.send(.trailers(trailers))
        case .end:
            if let web, !web.requestIsWhole { return refuseRequest() }
            record.requestMilliseconds = Int64((loop.now - record.startedAt) / 1_000_000)
            let action = state.requestEnded()
            if !state.isOver, action == .forward || state.isWaiting { tries.requestEnded(self, loop) }
            if action != .nothing { upstream?.send(.end) }
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

    override func leaseMoved(to stream: Borrowed<ClientStream>) {
        upstream = stream
        captureAddress(stream)
    }

    private func passBody(_ slice: consuming ByteSlice) {
        if state.keepsRequest || state.isWaiting { keep(slice) }
        guard let upstream, state.passesRequest else { return }
        upstream.send(.body(slice))
        if upstream.isCongested { stream?.pauseReading() }
    }

    private func passAnswer(_ slice: consuming ByteSlice, to stream: Borrowed<ServerStream>) {
        record.responseBodyBytes += UInt64(slice.count)
        stream.send(.body(slice))
        if stream.isCongested { upstream?.pauseReading() }
    }

    /// The request turns out to be none that can be sent on.
    private func refuseRequest() {
        perform(state.upstreamFailed(ProxyError(source: .downstream, cause: .protocolError, status: 400)))
    }

    private func receivedTrailers(_ trailers: Trailers) {
        guard let stream, state.response == .begun else { return }
        let status = record.isGRPC ? trailers.block.grpcStatus : -1
        if status >= 0 { record.grpcStatus = status }
        guard let web, let message = web.answer(trailers, loop.pool) else { return stream.send(.trailers(trailers)) }
        passAnswer(message, to: stream)
    }

    private func receivedHead(_ head: ResponseHead, last: Bool) {
        guard let stream else { return }
        if head.isInformational {
            guard state.response == .awaited else { return }
            // What the client has seen of this try cannot be taken back.
            giveUpRepeating()
            stream.send(.response(head, last: false))
            if stream.isCongested { upstream?.pauseReading() }
            return
        }
        let isTunnel = head.status == 101
        let isRetriable = !isTunnel && tries.repeats(head)
        let action = isTunnel ? state.tunnelBegan() : state.responseBegan(last: last, isRetriable: isRetriable)
        guard action != .nothing else { return }
        if isTunnel { worker.tunnelOpened() }
        if isRetriable {
            if case .waitForRetry = action { return perform(action) }
            noteExhaustion()
        }
        let upstreamMilliseconds = (loop.now - sentAt) / 1_000_000
        record.answered(by: head, upstreamMilliseconds: upstreamMilliseconds)
        if !isTunnel { worker.stampTime(head, upstreamMilliseconds: upstreamMilliseconds) }
        // First: the route's operations may replace or remove them.
        affinity.addCookies(to: head)
        if policies.isActive, let error = change(head) {
            return answer(.failure(error), cancelUpstream: action.cancelsUpstream)
        }
        web?.answer(head)
        worker.stampProxied(head)
        captureHeaders(head)
        stream.send(.response(head, last: last))
        record.responseHeadBytes = UInt64(stream.sentHeadBytes)
        unpin()
        if isTunnel { return openTunnel() }
        if !tries.replay.isEmpty { tries.replay.drop(worker) }
        perform(action)
    }

    /// No answer is to be expected of the try under way.
    private func fail(_ error: ProxyError) {
        if error.isOfTransport, let endpoint { capture.keep(failure: endpoint.with { $0.pool.failureText }) }
        let isRetriable = tries.repeats(error)
        let action = state.upstreamFailed(error, isRetriable: isRetriable)
        if isRetriable { noteExhaustion() }
        record.connectError = error.code
        perform(action)
    }

    private func noteExhaustion() {
        if state.isExhausted { record.flags.insert(.retryLimitExceeded) }
    }

    // MARK: Tunnels

    /// Both sides have agreed: what follows are bytes, first those that the client did not wait with.
    private func openTunnel() {
        tries.tunnelBegan(self, loop)
        sendKept()
        tries.replay.drop(worker)
        stream?.resumeReading()
    }

    /// Bytes for a tunnel, which are no message: they wait until the upstream has agreed to one, or are dropped with it.
    private func passUp(_ slice: consuming ByteSlice) {
        guard state.tunnel == .open else {
            guard tries.replay.hasRoom(for: slice.count, worker) else {
                return refuseRequest()
            }
            return tries.replay.keep(slice, worker)
        }
        tries.passed(at: loop.now)
        guard let upstream else { return }
        upstream.send(.body(slice))
        if upstream.isCongested { stream?.pauseReading() }
    }

    /// The moment has come for a tunnel that has been silent since the timer was set.
    func tunnelSilent() {
        guard tries.isSilent(self, loop), state.tunnelIdled() else { return }
        record.tunnelIdled()
        report()
        stream?.send(.reset(ProxyError(source: .internal, cause: .cancelled)))
        finish(cancelUpstream: true)
    }

    // MARK: Routing

    /// Makes the lines of a request the gateway's own, those that name the client among them.
    private func prepare(_ head: RequestHead, _ stream: Borrowed<ServerStream>) {
        ForwardedHeaders.prepare(
            head, downstream: stream.with { $0.downstream }, trusted: trustedClient, random: &worker.random)
    }

    private func route(_ head: RequestHead, last: Bool) {
        guard let stream else { return }
        guard let pinned = worker.pinCurrent() else {
            prepare(head, stream)
            return answer(.noRoute)
        }
        self.pinned = pinned
        var routeName = UnsafeRawBufferPointer(start: nil, count: 0)
        let selection = RouteSelection.select(
            head, stream.downstream, pinned, worker, &routeName, &policies, &affinity)
        captureRoute(routeName)
        // After the choice, which looks at what the client sent; before any answer, whose line in the log does not.
        prepare(head, stream)
        if head.wantsOtherProtocol { return answer(.upgradeRefused) }
        if policies.isActive, let reply = policies.answer(to: head, worker: worker.index) { return answer(reply) }
        switch selection {
        case .redirectToHTTPS: answer(.redirectToHTTPS)
        case .noRoute: answer(worker.isMisdirected(head, stream.downstream) ? .misdirected : .noRoute)
        case .noCluster: answer(.noCluster)
        case .cluster(let cluster, let route):
            if policies.isActive, !change(head, for: cluster) { return answer(.requestTooLarge) }
            tries.begin(route, head)
            state.routed(retries: route.pointee.retry.retries)
            if last || head.wantsUpgrade { tries.requestEnded(self, loop) }
            sentAt = loop.now
            // Kept by the worker until the next generation, which no wake-up brings before this returns.
            cluster._withUnsafeGuaranteedRef { cluster in
                record.clusterID = cluster.id
                let key = cluster.usesKeys ? affinity.key(head, stream, &worker.random) : 0
                _ = send(head, last: last, to: cluster.pick(key: key, &worker.random))
            }
        }
    }

    /// Begins a try; `false` when it has ended already, and maybe the request with it.
    private func send(_ head: RequestHead, last: Bool, to endpoint: Unmanaged<Endpoint>?) -> Bool {
        guard let endpoint else {
            answer(.noHealthyUpstream)
            return false
        }
        let leased = endpoint._withUnsafeGuaranteedRef { endpoint -> Borrowed<ClientStream>? in
            endpoint.requestBegan()
            self.endpoint = Borrowed(endpoint)
            record.workload = endpoint.workload
            return endpoint.pool.lease(for: head, to: Borrowed(self))
        }
        guard let leased else {
            fail(unleased(from: endpoint))
            return false
        }
        upstream = leased
        captureAddress(leased)
        if head.isGRPCWeb, web == nil, leased.carriesTrailers {
            web = GRPCWebCall(head)
            record.isGRPC = true
        }
        leased.send(.request(head, last: last))
        return true
    }

    /// Why there was no connection.
    private func unleased(from endpoint: Unmanaged<Endpoint>) -> ProxyError {
        guard worker.upstreamCount < worker.maxUpstreams else { return ProxyError(source: .upstream, cause: .overflow) }
        let code = endpoint._withUnsafeGuaranteedRef { $0.pool.openError }
        return ProxyError(source: .upstream, cause: .connectFailure, code: code)
    }

    private func answer(_ reply: LocalReply, cancelUpstream: Bool = true) {
        state.answeredLocally()
        record.answered(by: reply)
        if var scene {
            // Header operations find no status yet, as in Envoy.
            scene.record.status = 0
            reply.send(scene, policies, &record) {
                web?.answer($0)
                captureHeaders($0)
            }
        }
        finish(cancelUpstream: cancelUpstream)
    }

    /// What the route's policies may tell of at this moment.
    private var scene: PolicyScene? {
        guard let stream else { return nil }
        return PolicyScene(
            worker: worker, stream: stream, record: record, endpoint: endpoint, upstream: upstream,
            failure: capture.failureText)
    }

    /// Changes the request as the route says; `false` when that cannot be sent.
    private func change(_ head: RequestHead, for cluster: Unmanaged<Cluster>) -> Bool {
        record.clusterID = cluster._withUnsafeGuaranteedRef { $0.id }
        guard let scene else { return false }
        return policies.prepare(head, scene)
    }

    /// Changes an upstream's answer as the route says; an error when that cannot be sent.
    private func change(_ head: ResponseHead) -> ProxyError? {
        guard let scene else { return nil }
        guard policies.prepare(head, to: scene.stream.requestHead, scene) else {
            return ProxyError(source: .internal, cause: .headTooLarge)
        }
        policies.openToOrigin(head)
        return nil
    }

    // MARK: Performing

    private func perform(_ action: ExchangeState.Action) {
        switch action {
        case .nothing, .forward:
            break
        case .forwardAndFinish(let cancelUpstream):
            finish(cancelUpstream: cancelUpstream)
        case .waitForRetry(let cancelUpstream):
            waitForRetry(cancelUpstream: cancelUpstream)
        case .retry:
            sendAgain()
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

    /// Counts and logs the request, while its head is still there.
    private func report() {
        guard !isReported, let stream else { return }
        isReported = true
        worker.requestEnded(record, stream.requestHead, stream.downstream, endpoint, capture)
    }

    /// Gives back everything borrowed, then tells the stream, which may start the next request at once.
    private func finish(cancelUpstream: Bool) {
        report()
        if state.tunnel == .open { worker.tunnelClosed() }
        let stream = stream
        let upstream = upstream
        self.stream = nil
        self.upstream = nil
        letEndpointGo()
        unpin()
        if web != nil { web = nil }
        tries.end(worker)
        if cancelUpstream { upstream?.cancel() }
        if trustedClient != nil { stream?.with { $0.trustedClient = nil } }
        worker.recycle(self)
        stream?.exchangeEnded()
    }

    private func beginRecord(_ head: RequestHead, last: Bool) {
        record = RequestRecord()
        isReported = false
        capture.reset()
        if last { record.requestMilliseconds = 0 }
        record.startedAt = loop.now
        record.requestHeadBytes = UInt64(head.backing?.count ?? 0)
        record.isGRPC = head.isGRPC
    }

    // MARK: Trying again

    /// Keeps a part of the body for a further try, or gives up on one when it has become too long.
    private func keep(_ slice: borrowing ByteSlice) {
        guard state.isWaiting || tries.replay.hasRoom(for: slice.count, worker) else { return giveUpRepeating() }
        tries.replay.keep(slice.share(), worker)
        // Nobody takes it now: the client waits as well.
        if state.isWaiting, !tries.replay.hasRoom(for: 1, worker) { stream?.pauseReading() }
    }

    private func giveUpRepeating() {
        state.cannotRepeat()
        tries.replay.drop(worker)
    }

    private func waitForRetry(cancelUpstream: Bool) {
        let upstream = upstream
        self.upstream = nil
        endpoint?.with { $0.requestFailed() }
        tries.note(endpoint, attempt: state.attempt)
        tries.wait(before: state.attempt, self, worker)
        if cancelUpstream { upstream?.cancel() }
    }

    /// The wait before a further try has passed.
    func waitPassed() { perform(state.waitPassed()) }

    /// The route's timeout has passed.
    func timeoutPassed() { perform(state.timedOut()) }

    /// Sends what has come of the request once more, to the endpoints of this moment.
    private func sendAgain() {
        guard let stream else { return }
        let head = stream.requestHead
        endpoint?.with { $0.failureForgotten() }
        endpoint = nil
        record.connectError = 0
        worker.retryCount += 1
        record.attempts = UInt16(clamping: state.attempt)
        tries.prepare(head, attempt: state.attempt, now: loop.now)
        guard let cluster = worker.currentCluster(record.clusterID) else { return answer(.noHealthyUpstream) }
        let picked = cluster._withUnsafeGuaranteedRef { cluster in
            let key = cluster.usesKeys ? affinity.key(head, stream, &worker.random) : 0
            return tries.pick(from: cluster, key: key, &worker.random)
        }
        let last = head.framing.isEmpty && !head.wantsUpgrade
        guard send(head, last: last, to: picked), !last, !head.wantsUpgrade else { return }
        sendKept()
        // After the last try nothing of the request is needed, yet it fails for want of a further one.
        if !state.keepsRequest {
            tries.replay.drop(worker)
        } else if !tries.replay.hasRoom(for: 0, worker) {
            giveUpRepeating()
        }
        if upstream?.isCongested ?? false { stream.pauseReading() } else { stream.resumeReading() }
    }

    /// Sends what has come of the request behind its head.
    private func sendKept() {
        for index in 0..<tries.replay.pieces { upstream?.send(.body(tries.replay.piece(index))) }
        if let trailers = tries.replay.trailers { upstream?.send(.trailers(trailers)) }
        if state.request == .complete { upstream?.send(.end) }
    }

    private func letEndpointGo() {
        guard let endpoint else { return }
        self.endpoint = nil
        endpoint.with { state.isWaiting ? $0.failureForgotten() : $0.requestEnded() }
    }

    // MARK: For the access log

    private func captureRoute(_ name: UnsafeRawBufferPointer) {
        guard let log = worker.accessLogger, log.wantsRouteName, !name.isEmpty else { return }
        capture.keep(name, at: LogCapture.routeName)
    }

    private func captureAddress(_ stream: Borrowed<ClientStream>) {
        guard let log = worker.accessLogger, log.wantsUpstreamLocal else { return }
        capture.upstreamLocal = stream.localAddress
    }

    private func captureHeaders(_ head: ResponseHead) {
        guard let log = worker.accessLogger, log.wantsResponseHeaders else { return }
        log.capture(head, &capture)
    }

    private func unpin() {
        guard let pinned else { return }
        self.pinned = nil
        tries.forgetRoute()
        policies = ActivePolicies()
        worker.unpin(pinned)
    }
}
