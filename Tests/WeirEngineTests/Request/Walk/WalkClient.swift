@testable import WeirEngine

/// The client's side of one request, which holds the exchange to its rules.
final class WalkClient: ServerStream {
    let number: Int
    private let walk: Walk
    private let head: RequestHead
    private let info: UnsafePointer<DownstreamInfo>
    private var sink: Borrowed<MessageSink>?

    /// What it has sent.
    private(set) var sentBytes = 0
    private(set) var hasEnded: Bool
    let asksForTunnel: Bool
    private(set) var isPaused = false
    private(set) var hasLeft = false

    /// What it was answered; `source` is the try whose answer it is, -1 for one of Weir's own.
    private(set) var status = 0
    private(set) var source = -1
    private(set) var receivedBytes = 0
    private(set) var answerEnded = false
    private(set) var wasReset = false
    private(set) var isOver = false
    /// Tries so far, those among them for which there was no connection.
    private(set) var tries = 0
    private var owesRoom = false

    init(_ number: Int, _ walk: Walk, method: MethodToken, hasBody: Bool, asksForTunnel: Bool) {
        self.number = number
        self.walk = walk
        self.asksForTunnel = asksForTunnel
        hasEnded = !hasBody && !asksForTunnel
        head = walk.worker.takeRequestHead()
        guard let peer = SocketAddress(numericHost: "192.0.2.7", port: 1234) else { preconditionFailure("an address") }
        info = DownstreamInfo(peer: peer, listener: 0, scheme: .https).placed()
        super.init()
        connectionInfo = info
        fill(method)
        head.framing = hasBody ? .chunked : .none
        head.wantsUpgrade = asksForTunnel
    }

    deinit { info.deallocate() }

    private func fill(_ method: MethodToken) {
        let slice = ByteSlice(Array("POST/walk.example.com".utf8), walk.worker.loop.pool)
        let start = slice.bytes
        head.backing = slice.share()
        head.method = method
        head.methodBytes = UnsafeRawBufferPointer(start: start, count: 4)
        head.target = UnsafeMutableRawBufferPointer(start: start + 4, count: 1)
        head.pathLength = 1
        head.authority = UnsafeRawBufferPointer(start: start + 5, count: 16)
        head.hostLength = 16
        head.block.append(.other, "x-walk", number: UInt64(number))
    }

    /// What bodies are made of, from a place on that differs from client to client: it begins anew after 256 bytes.
    private static let pattern = (0..<Walk.longestBody + 256).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    /// The byte of a request's body at a place, so that what is lost, swapped or doubled shows.
    func byte(at place: Int) -> UInt8 { Self.pattern[(place + number) % 256] }

    var hasTunnel: Bool { status == 101 }
    var isDone: Bool { isOver || hasLeft }

    // MARK: What the client does

    func begin() {
        let sink = walk.worker.beginExchange(on: Borrowed(self))
        self.sink = sink
        sink.receive(fromDownstream: .request(head, last: hasEnded))
    }

    func send(body count: Int) {
        let start = (sentBytes + number) % 256
        let bytes = Array(Self.pattern[start..<start + count])
        sentBytes += count
        sink?.receive(fromDownstream: .body(ByteSlice(bytes, walk.worker.loop.pool)))
    }

    func sendTrailers() {
        let trailers = Trailers()
        trailers.block.append(.other, "x-sum", number: UInt64(sentBytes))
        sink?.receive(fromDownstream: .trailers(trailers))
    }

    func end() {
        hasEnded = true
        sink?.receive(fromDownstream: .end)
    }

    func leave(_ cause: ProxyError.Cause = .connectionClosed) {
        guard let sink else { return }
        hasLeft = true
        self.sink = nil
        sink.receive(fromDownstream: .reset(ProxyError(source: .downstream, cause: cause)))
        release()
    }

    /// It takes more again, if somebody waits for that.
    func makeRoom() {
        guard owesRoom else { return }
        owesRoom = false
        sink?.downstreamHasRoom()
    }

    private func release() {
        walk.worker.recycle(head)
        walk.worker.loop.releaseLater(self)
    }

    /// Another try of its request looks for a connection, and says which one it is.
    func tryBegan(_ head: RequestHead) {
        tries += 1
        let attempt = String(decoding: head.block.value("x-envoy-attempt-count"), as: UTF8.self)
        rule(attempt == "\(tries)", "try \(tries) says that it is \(attempt)")
    }

    // MARK: What it is told

    override var requestHead: RequestHead { head }
    override var sentHeadBytes: Int { status == 0 ? 0 : 100 }
    override func pauseReading() { isPaused = true }
    override func resumeReading() { isPaused = false }

    override var isCongested: Bool {
        rule(!isDone, "a client that is gone is asked for room")
        guard walk.random.below(8) == 0 else { return false }
        owesRoom = true
        return true
    }

    override func send(_ event: consuming MessageEvent) {
        rule(!isDone && !wasReset, "an event behind the end of an exchange")
        switch consume event {
        case .response(let head, let last):
            receive(head, last: last)
            if walk.errs(as: .answersTwice) { receive(head, last: last) }
        case .body(let slice):
            receive(slice.buffer.count, slice.buffer.first, slice.buffer.last)
        case .trailers:
            rule(status != 0 && !answerEnded, "trailers outside of an answer")
        case .end:
            if walk.errs(as: .losesEnd) { return }
            receiveEnd()
            if walk.errs(as: .endsTwice) { receiveEnd() }
            if walk.errs(as: .bodyBehindEnd) { receive(1, nil, nil) }
        case .reset:
            // Whoever still speaks in a tunnel is told that nobody listens any more.
            rule(!answerEnded || hasTunnel, "an answer cut behind its end")
            wasReset = true
            walk.ledger.count(status == 0 ? "reset before an answer" : "cut")
        case .request:
            rule(false, "a client is sent a request")
        }
    }

    private func receive(_ head: ResponseHead, last: Bool) {
        rule(status == 0, "a head behind a head")
        if head.isInformational {
            rule(!last, "an interim head that ends the answer")
            return walk.ledger.count("interim")
        }
        status = head.status
        source = Int(String(decoding: head.block.value("x-try"), as: UTF8.self)) ?? -1
        if source < 0 { walk.ledger.count("local \(status)") }
        rule(status != 101 || asksForTunnel, "a tunnel nobody asked for")
        if last { receiveEnd() }
    }

    private func receive(_ count: Int, _ first: UInt8?, _ last: UInt8?) {
        rule(status != 0 && !answerEnded, "a body outside of an answer")
        receivedBytes += count
        guard source >= 0 else { return }
        let expected = WalkUpstream.byte(of: source)
        rule((first ?? expected) == expected && (last ?? expected) == expected, "bytes of another try's answer")
    }

    private func receiveEnd() {
        rule(status != 0 && !answerEnded, "an end outside of an answer")
        answerEnded = true
        guard source >= 0 else { return }
        walk.ledger.count(hasTunnel ? "tunnel's end" : "answered")
        let sent = walk.upstream(source).answeredBytes
        rule(receivedBytes == sent, "an answer of \(sent) bytes came as \(receivedBytes)")
    }

    override func exchangeEnded() {
        rule(!isOver, "an exchange ended twice")
        rule(!hasLeft, "a client that has left is told of the end")
        rule(answerEnded || wasReset, "an exchange ended without an answer")
        rule(!hasTunnel || wasReset || hasEnded, "a tunnel ended while its client was open")
        isOver = true
        sink = nil
        release()
    }

    private func rule(_ holds: Bool, _ text: @autoclosure () -> String) {
        walk.ledger.expect(holds, "client \(number): " + text())
    }
}
