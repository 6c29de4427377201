/// A request on an HTTP/2 connection to an endpoint.
///
/// Until the connection can carry it, it waits with what has come of its body. Reused by its pool; loop thread only.
final class H2ClientStream: ClientStream {
    /// What the connection keeps of it.
    let stream = H2Stream()
    private var connection: Borrowed<H2ClientConnection>?
    /// The exchange, owned by its worker; cleared with the last thing it is told, or when it cancels.
    private(set) var sink: Borrowed<MessageSink>?
    /// The request's, valid for as long as its exchange waits for an answer.
    private(set) var head: RequestHead?
    private(set) var hasBody = false
    private var trailers: Trailers?
    private(set) var hasEnd = false
    /// What waits for the connection.
    private var held = BufferChain()
    /// The exchange was told to wait for room in it.
    private var wasCongested = false
    private var sentBytes = 0
    private var isPaused = false
    /// Place in the connection's list; -1 outside.
    ///
    /// Only the connection writes it.
    var index = -1
    /// What the request holds of its cluster's limits.
    var permits: ConnectionPermits = []
    /// The connection's count of flushes when the request was handed to it.
    var submittedAt: UInt64 = 0
    /// How often it was moved.
    var moves = 0
    var interimHeads = 0
    /// A final head has come, and the last byte behind it.
    var answerBegun = false
    var answerEnded = false
    private(set) var isTunnel = false
    /// What came last broke the rules, or a bound.
    var isBroken = false

    override init() {
        super.init()
        stream.fields.pointee.owner = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        held.removeAll()
        stream.free()
    }

    /// The object behind a handle of a client's session.
    static func of(_ stream: H2Stream) -> Borrowed<H2ClientStream>? {
        guard let owner = stream.fields.pointee.owner else { return nil }
        return Unmanaged<H2ClientStream>.fromOpaque(owner)._withUnsafeGuaranteedRef { Borrowed($0) }
    }

    /// Binds the stream to a request's sink, as new.
    func lease(to sink: Borrowed<MessageSink>, on connection: H2ClientConnection) {
        self.sink = sink
        self.connection = Borrowed(connection)
        head = nil
        hasBody = false
        trailers = nil
        hasEnd = false
        wasCongested = false
        sentBytes = 0
        isPaused = false
        moves = 0
        interimHeads = 0
        answerBegun = false
        answerEnded = false
        isTunnel = false
        isBroken = false
    }

    /// Takes the place of a stream whose connection cannot carry it.
    func take(over former: H2ClientStream) {
        moves = former.moves + 1
        hasBody = former.hasBody
        trailers = former.trailers
        hasEnd = former.hasEnd
        wasCongested = former.wasCongested || former.stream.fields.pointee.wasCongested
        isPaused = former.isPaused
        sentBytes = former.sentBytes
        guard let pool = connection?.with({ $0.loop.pool }) else { return }
        while let slice = former.takeBack() { held.append(slice, pool: pool) }
        guard let head = former.head else { return }
        self.head = head
        connection?.with { $0.ready(self) }
    }

    private func takeBack() -> ByteSlice? {
        guard stream.id != 0 else { return held.popFirst() }
        return connection?.object.takeBack(from: stream)
    }

    /// Nothing of the body has been framed: what there is of the request can go elsewhere.
    var isWhole: Bool { head != nil && stream.queuedBytes + held.count == sentBytes && (!hasEnd || keepsEnd) }

    /// The end is told to the session with the body's last byte; trailers are gone with it.
    private var keepsEnd: Bool { stream.id == 0 || !stream.fields.pointee.endIsOut }

    /// The request goes out on the connection from now on: what has waited follows.
    func wasSubmitted() {
        connection?.with { connection in
            if !permits.isEmpty { connection.giveBack(.pending, of: &permits) }
            if isPaused { connection.pause(stream) }
            while let slice = held.popFirst() { connection.send(slice, on: stream) }
            if hasEnd { connection.sendEnd(on: stream, trailers: trailers) }
            guard wasCongested else { return }
            wasCongested = false
            if !connection.isCongested(stream) { sink?.upstreamHasRoom() }
        }
    }

    var asksForTunnel: Bool { head?.wantsUpgrade ?? false }

    /// The endpoint has agreed to a tunnel: tells it as HTTP/1.1 does.
    func openTunnel(_ answer: ResponseHead) {
        isTunnel = true
        answer.status = 101
        answer.framing = .none
        guard let head, answer.block.value("sec-websocket-accept").isEmpty else { return }
        let room = answer.block.reserve(WebSocketAccept.length)
        guard WebSocketAccept.write(for: head.block.value("sec-websocket-key"), into: room) else { return }
        answer.block.append(.other, "sec-websocket-accept", room, WebSocketAccept.length)
    }

    /// The answer is complete: the sink hears nothing more.
    func takeSink() -> Borrowed<MessageSink>? {
        defer {
            sink = nil
            head = nil
        }
        requestOver()
        return sink
    }

    /// The request counts no more, which has to be before anybody hears of its end: that may set off another.
    func requestOver() {
        if !permits.isEmpty { connection?.with { $0.giveBack([.request, .pending], of: &permits) } }
    }

    /// Hands what there is of the request to a stream that waits for a connection.
    func replay(into stream: PendingStream) {
        guard let head else { return }
        stream.moves = moves + 1
        stream.send(.request(head, last: !hasBody))
        while let slice = takeBack() { stream.send(.body(slice)) }
        if let trailers { stream.send(.trailers(trailers)) }
        if hasEnd { stream.send(.end) }
        if isPaused { stream.pauseReading() }
        if wasCongested || self.stream.fields.pointee.wasCongested { stream.noteCongestion() }
    }

    /// Nothing refers to the stream any more.
    func clear() {
        requestOver()
        held.removeAll()
        stream.fields.pointee.out.removeAll()
        stream.fields.pointee.trailers = nil
        stream.fields.pointee.id = 0
        trailers = nil
        connection = nil
        head = nil
        sink = nil
    }

    // MARK: ClientStream

    override var reach: Reach { connection?.with { $0.isOpen } ?? false ? .connected : .connecting }
    override var localAddress: LogAddress? { connection?.with { $0.localAddress } }
    override var queuedBytes: Int { held.count + stream.queuedBytes }
    override var carriesTrailers: Bool { true }

    override var isCongested: Bool {
        if stream.id != 0 { return connection?.with { $0.isCongested(stream) } ?? false }
        guard held.count >= H2Limits.highMarkBytes else { return false }
        wasCongested = true
        return true
    }

    /// The sink was told to wait already.
    func noteCongestion() { wasCongested = true }

    override func pauseReading() {
        isPaused = true
        if stream.id != 0 { connection?.with { $0.pause(stream) } }
    }

    override func resumeReading() {
        isPaused = false
        if stream.id != 0 { connection?.with { $0.resume(stream) } }
    }

    override func send(_ event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last):
            self.head = head
            hasBody = !last
            connection?.with { $0.ready(self) }
        case .body(let slice):
            sentBytes += slice.count
            pass(slice)
        case .trailers(let trailers):
            self.trailers = trailers
        case .end:
            hasEnd = true
            if stream.id != 0 { connection?.with { $0.sendEnd(on: stream, trailers: trailers) } }
        case .reset:
            cancel()
        case .response:
            preconditionFailure("a client stream does not send responses")
        }
    }

    private func pass(_ slice: consuming ByteSlice) {
        guard let connection else { return }
        var moved = Optional(slice)
        connection.with { connection in
            guard let slice = moved.take() else { return }
            if stream.id != 0 {
                connection.send(slice, on: stream)
            } else {
                held.append(slice, pool: connection.loop.pool)
            }
        }
    }

    override func cancel() {
        sink = nil
        head = nil
        requestOver()
        connection?.with { $0.abandon(self) }
    }
}
