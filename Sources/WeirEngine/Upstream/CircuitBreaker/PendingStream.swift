/// A request that waits for a connection, because its cluster has as many as it may.
///
/// Keeps what has come of the request, up to what makes its client wait, and hands it on to the stream that takes its place. Alive
/// until its sink has moved to that stream, has heard of a reset, or has cancelled. Loop thread only.
final class PendingStream: ClientStream {
    /// Bytes of the body after which the client waits as well.
    static let highMarkBytes = 64 * 1024

    /// Where a connection is waited for; strong, as it may leave the configuration meanwhile.
    let pool: BoundPool
    private let endpoint: ConnectionPool
    private let breaker: CircuitBreaker
    /// Monotonic nanoseconds when the wait began.
    let since: UInt64
    /// Only the queues write them.
    var links = InlineArray<2, PendingQueue.Links>(repeating: PendingQueue.Links())
    /// The exchange, owned by its worker; cleared with the last thing it is told, or when it cancels.
    private var sink: Borrowed<MessageSink>?
    /// The request's, valid for as long as its exchange waits for an answer.
    private(set) var head: RequestHead?
    private var isLast = false
    private var held = BufferChain()
    private var trailers: Trailers?
    private var hasEnd = false
    private var wasCongested = false
    private var isPaused = false
    /// How often the request was moved from a connection that could not carry it.
    var moves = 0

    init(_ pool: BoundPool, _ breaker: CircuitBreaker, sink: Borrowed<MessageSink>) {
        self.pool = pool
        endpoint = pool.endpoint
        self.breaker = breaker
        self.sink = sink
        since = pool.host.loop.now
        super.init()
    }

    deinit { held.removeAll() }

    /// The request goes over this stream from now on, with what has come of it.
    ///
    /// The wait is over: the stream is in no queue any more.
    func move(to stream: Borrowed<ClientStream>) {
        guard let sink, let head else { return }
        self.sink = nil
        sink.leaseMoved(to: stream)
        stream.send(.request(head, last: isLast))
        passBody(to: stream)
        if wasCongested, !stream.isCongested { sink.upstreamHasRoom() }
    }

    /// As above, for a stream that keeps a body until it has the head.
    func move(to stream: H2ClientStream) {
        guard let sink, let head else { return }
        self.sink = nil
        stream.moves = moves
        let taken = Borrowed<ClientStream>(stream)
        sink.leaseMoved(to: taken)
        passBody(to: taken)
        if wasCongested { stream.noteCongestion() }
        // Last: a connection that does not take it ends the stream at once, or moves the request on.
        taken.send(.request(head, last: isLast))
    }

    private func passBody(to stream: Borrowed<ClientStream>) {
        while let slice = held.popFirst() { stream.send(.body(slice)) }
        if let trailers { stream.send(.trailers(trailers)) }
        if hasEnd { stream.send(.end) }
        if isPaused { stream.pauseReading() }
    }

    /// There will be no connection; the stream is in no queue any more.
    func fail(_ error: ProxyError) {
        let sink = sink
        self.sink = nil
        held.removeAll()
        sink?.receive(fromUpstream: .reset(error))
    }

    /// Whom the request is from.
    var holder: Borrowed<MessageSink>? { sink }

    // MARK: ClientStream

    override var reach: Reach { .queued }
    override var carriesTrailers: Bool { pool.isHTTP2 }
    override var queuedBytes: Int { held.count }

    override var isCongested: Bool {
        guard held.count >= Self.highMarkBytes else { return false }
        wasCongested = true
        return true
    }

    /// The sink was told to wait already.
    func noteCongestion() { wasCongested = true }

    override func pauseReading() { isPaused = true }
    override func resumeReading() { isPaused = false }

    override func send(_ event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last):
            self.head = head
            isLast = last
        case .body(let slice):
            held.append(slice, pool: pool.host.loop.pool)
        case .trailers(let trailers):
            self.trailers = trailers
        case .end:
            hasEnd = true
        case .reset:
            cancel()
        case .response:
            preconditionFailure("a client stream does not send responses")
        }
    }

    override func cancel() {
        guard sink != nil else { return }
        sink = nil
        held.removeAll()
        breaker.leave(self)
    }
}
