/// One copy of a request on its way to a mirror: sent as the request comes, its answer thrown away.
///
/// Nothing it meets reaches the request that it is a copy of. Pooled by its worker; loop thread only.
final class MirrorCall: MessageSink {
    enum Outcome {
        case answered
        case failed
        case timedOut
        case overflowed
        case incomplete
    }

    private enum Phase {
        /// More of the request may come.
        case sending
        /// The answer is awaited.
        case sent
        case over
    }

    /// Strong, as in an exchange; the worker lets go of its copies when it ends.
    private let worker: Worker
    private var phase = Phase.over
    /// The exchange of the request still refers to it.
    private var isFollowed = false
    /// The copy that the same exchange tells next; set and cleared by it.
    var next: Borrowed<MirrorCall>?
    /// Its own, for as long as its stream may look at it.
    private var head: RequestHead?
    /// Its head was enough to judge the endpoint by.
    private var isAnswered = false
    private(set) var clusterID: Int32 = -1
    /// As in an exchange.
    private var upstream: Borrowed<ClientStream>?
    private var endpoint: Borrowed<Endpoint>?
    /// Bytes that waited to be sent when last looked at.
    private(set) var queuedBytes = 0
    private var answerMilliseconds: UInt64 = 0
    /// Made when first used, and kept for later copies.
    private var timer: MirrorTimer?
    /// Place in the worker's list of copies under way; -1 outside.
    ///
    /// Only that writes it.
    var place = -1

    init(worker: Worker) { self.worker = worker }

    // MARK: From the exchange

    /// Sends the head, which is this copy's own from now on.
    ///
    /// With more of the request to come, the exchange follows the copy until `leave`. `timeout`: the request's own, in
    /// milliseconds, or 0.
    func begin(
        _ head: RequestHead, last: Bool, to endpoint: Unmanaged<Endpoint>?, of cluster: Int32, timeout: UInt64
    ) {
        self.head = head
        phase = .sending
        isAnswered = false
        isFollowed = !last
        let longest = UInt64(MirrorLimits.answerMilliseconds)
        answerMilliseconds = timeout == 0 ? longest : min(timeout, longest)
        clusterID = cluster
        worker.mirrors.began(cluster)
        guard let endpoint else { return end(.failed) }
        let leased = endpoint._withUnsafeGuaranteedRef { endpoint -> Borrowed<ClientStream>? in
            endpoint.requestBegan()
            self.endpoint = Borrowed(endpoint)
            return endpoint.pool.lease(for: head, to: Borrowed(self))
        }
        guard let leased else { return failed(endpoint._withUnsafeGuaranteedRef { $0.leaseFailure }) }
        upstream = leased
        leased.send(.request(head, last: last))
        // An endpoint may refuse it at once.
        if last, phase == .sending { sent() }
    }

    /// A part of the body; it is not waited for.
    func pass(_ slice: consuming ByteSlice) {
        guard phase == .sending, let upstream else { return }
        upstream.send(.body(slice))
        guard phase == .sending else { return }
        count(upstream.queuedBytes)
        if queuedBytes > MirrorLimits.queuedBytes || !worker.hasRoomForMirrored(to: clusterID) { end(.overflowed) }
    }

    func pass(_ trailers: Trailers) {
        guard phase == .sending else { return }
        upstream?.send(.trailers(trailers))
    }

    /// The request has ended.
    func requestEnded() {
        guard phase == .sending else { return }
        upstream?.send(.end)
        if phase == .sending { sent() }
    }

    /// The exchange says nothing more; a copy that is not whole is of no use.
    func leave() {
        isFollowed = false
        next = nil
        if phase == .sending { return end(.incomplete) }
        if phase == .over { worker.recycle(self) }
    }

    private func sent() {
        phase = .sent
        let timer = timer ?? MirrorTimer(self, loop: worker.loop)
        self.timer = timer
        timer.setDeadline(worker.loop.now + answerMilliseconds * 1_000_000)
    }

    // MARK: From the mirror

    override func receive(fromUpstream event: consuming MessageEvent) {
        switch consume event {
        case .response(let head, let last):
            if head.isInformational { return }
            answered(head)
            if last { end(.answered) }
        case .body: break
        case .trailers: break
        case .end: end(.answered)
        case .reset(let error):
            upstream = nil
            failed(error)
        case .request:
            preconditionFailure("an upstream sent a request head")
        }
    }

    /// A copy tells as much of its endpoint's health as a request does: what answered it, and what broke it off.
    private func answered(_ answer: ResponseHead) {
        guard !isAnswered else { return }
        isAnswered = true
        let isGRPC = head?.isGRPC ?? false
        endpoint?.with { $0.noteAnswer(answer, isGRPC: isGRPC) }
    }

    private func failed(_ error: ProxyError) {
        endpoint?.with { $0.noteFailure(error) }
        end(error.cause == .overflow ? .overflowed : .failed)
    }

    override func leaseMoved(to stream: Borrowed<ClientStream>) { upstream = stream }

    // MARK: Its end

    func timePassed() {
        if !isAnswered, let upstream { endpoint?.with { $0.noteTimeout(of: upstream) } }
        end(.timedOut)
    }

    /// The worker ends.
    func abandon() { end(.failed) }

    private func end(_ outcome: Outcome) {
        guard phase != .over else { return }
        // A whole answer to a whole request leaves the connection for the next one.
        let isWhole = outcome == .answered && phase == .sent
        phase = .over
        let upstream = upstream
        self.upstream = nil
        count(0)
        timer?.clearDeadline()
        endpoint?.with { $0.requestEnded() }
        endpoint = nil
        if !isWhole { upstream?.cancel() }
        if let head { worker.recycle(head) }
        head = nil
        worker.mirrored(self, outcome)
        if !isFollowed { worker.recycle(self) }
    }

    /// Looks again at what waits to be sent.
    func recount() { if let upstream { count(upstream.queuedBytes) } }

    private func count(_ bytes: Int) {
        worker.mirrors.queued(bytes - queuedBytes, to: clusterID)
        queuedBytes = bytes
    }
}

/// When a copy is given up.
private final class MirrorTimer: LoopSource {
    /// It owns this timer.
    private let call: Borrowed<MirrorCall>

    init(_ call: MirrorCall, loop: Loop) {
        self.call = Borrowed(call)
        super.init(loop: loop)
    }

    override func deadlinePassed() { call.with { $0.timePassed() } }
}
