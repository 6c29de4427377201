@testable import WeirEngine

/// The endpoint's side of one try, which holds the exchange to its rules.
final class WalkUpstream: ClientStream {
    enum Answer {
        case awaited
        case begun
        case over
    }

    /// Of all tries of the walk.
    let number: Int
    private let walk: Walk
    private var sink: Borrowed<MessageSink>?
    /// Whose request it is, once its head has come.
    private(set) var client: WalkClient?
    private(set) var requestBytes = 0
    private(set) var requestEnded = false
    private(set) var isCancelled = false
    /// Another stream has taken its place.
    private(set) var isMoved = false
    private(set) var waits: Bool
    private(set) var isPaused = false
    private var owesRoom = false

    private(set) var answer = Answer.awaited
    private(set) var answeredBytes = 0
    private(set) var isTunnel = false
    private(set) var hasInformed = false

    init(_ number: Int, _ walk: Walk, sink: Borrowed<MessageSink>, waits: Bool) {
        self.number = number
        self.walk = walk
        self.sink = sink
        self.waits = waits
    }

    /// Every byte of this try's answer.
    static func byte(of number: Int) -> UInt8 { UInt8(truncatingIfNeeded: number) }

    /// The endpoint may still do something.
    var isLive: Bool { sink != nil }
    /// Neither side may touch it any more.
    var isFinished: Bool { isCancelled || isMoved || answer == .over && requestEnded }

    /// Whom another stream is bound to that takes this one's place.
    var borrowedSink: Borrowed<MessageSink>? { sink }

    // MARK: What the endpoint does

    func connect() {
        waits = false
        sink?.upstreamConnected()
    }

    func answer(status: Int, last: Bool = false) {
        let head = walk.worker.takeResponseHead()
        defer { walk.worker.recycle(head) }
        head.status = status
        head.framing = last || status < 200 ? .none : .chunked
        head.block.append(.other, "x-try", number: UInt64(number))
        if status == 101 { isTunnel = true }
        if head.isInformational { hasInformed = true }
        // A request for a tunnel that is refused has no body, and so no end.
        if !head.isInformational, status != 101, client?.asksForTunnel ?? false { requestEnded = true }
        if !head.isInformational { answer = last ? .over : .begun }
        let sink = sink
        if last { self.sink = nil }
        sink?.receive(fromUpstream: .response(head, last: last))
    }

    func answer(body count: Int) {
        answeredBytes += count
        let bytes = [UInt8](repeating: Self.byte(of: number), count: count)
        sink?.receive(fromUpstream: .body(ByteSlice(bytes, walk.worker.loop.pool)))
    }

    func answerTrailers() {
        let trailers = Trailers()
        trailers.block.append(.grpcStatus, "grpc-status", value: "0")
        sink?.receive(fromUpstream: .trailers(trailers))
    }

    func answerEnd() {
        answer = .over
        let sink = sink
        // A tunnel's other side goes on.
        if !isTunnel || requestEnded { self.sink = nil }
        sink?.receive(fromUpstream: .end)
    }

    func fail(_ error: ProxyError) {
        answer = .over
        requestEnded = true
        let sink = sink
        self.sink = nil
        sink?.receive(fromUpstream: .reset(error))
    }

    /// Nothing of the request was looked at: another stream takes it over, as pools do.
    func move(to other: WalkUpstream) {
        guard let sink else { return }
        self.sink = nil
        isMoved = true
        other.client = client
        other.requestBytes = requestBytes
        other.requestEnded = requestEnded
        other.isPaused = isPaused
        other.owesRoom = owesRoom
        client = nil
        sink.leaseMoved(to: Borrowed(other))
    }

    func makeRoom() {
        guard owesRoom else { return }
        owesRoom = false
        sink?.upstreamHasRoom()
    }

    // MARK: What it is told

    override var reach: Reach {
        touched("asked how far it has come")
        return waits ? .connecting : .connected
    }
    override var carriesTrailers: Bool { true }
    override func pauseReading() {
        touched("paused")
        isPaused = true
    }
    override func resumeReading() {
        touched("resumed")
        isPaused = false
    }

    override var isCongested: Bool {
        touched("asked for room")
        guard walk.random.below(8) == 0 else { return false }
        owesRoom = true
        return true
    }

    override func cancel() {
        touched("cancelled")
        if walk.errs(as: .losesCancel) { return }
        isCancelled = true
        sink = nil
    }

    override func send(_ event: consuming MessageEvent) {
        touched("sent something")
        rule(answer != .over || isTunnel, "an event behind the answer's end")
        switch consume event {
        case .request(let head, let last):
            receive(head, last: last)
        case .body(let slice):
            if walk.errs(as: .losesBody) { return }
            receive(slice.buffer)
            if walk.errs(as: .repeatsBody) { receive(slice.buffer) }
        case .trailers:
            rule(client != nil && !requestEnded, "trailers outside of a request")
        case .end:
            rule(client != nil && !requestEnded, "an end outside of a request")
            rule(!(client?.asksForTunnel ?? false) || isTunnel, "the end of a tunnel that is not open")
            requestEnded = true
            rule(client?.hasEnded ?? false, "an end that the client has not sent")
            let sent = client?.sentBytes ?? -1
            rule(requestBytes == sent, "a request of \(sent) bytes came as \(requestBytes)")
            if isTunnel, answer == .over { sink = nil }
        case .reset:
            cancel()
        case .response:
            rule(false, "an endpoint is sent an answer")
        }
    }

    private func receive(_ head: RequestHead, last: Bool) {
        let client = walk.client(of: head)
        rule(self.client == nil, "a head behind a head")
        rule(client.status == 0 && !client.isDone, "a try for a client that has its answer, or is gone")
        rule(walk.upstreams.allSatisfy { $0.client !== client || $0.isFinished }, "a try beside another")
        self.client = client
        requestEnded = last
        if client.tries > 1 { walk.ledger.count(client.tries == 2 ? "second try" : "later try") }
        if client.tries > 1, client.sentBytes > 0 { walk.ledger.count("body sent again") }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        guard let client else { return rule(false, "a body without a head") }
        rule(!requestEnded, "a body behind its end")
        rule(!client.asksForTunnel || isTunnel, "bytes for a tunnel that is not open")
        if let first = bytes.first, let last = bytes.last {
            rule(first == client.byte(at: requestBytes), "a body's first byte is another")
            rule(last == client.byte(at: requestBytes + bytes.count - 1), "a body's last byte is another")
        }
        requestBytes += bytes.count
    }

    /// Whoever touches a stream that is over might touch the next request on its connection.
    private func touched(_ how: String) {
        rule(!isFinished, "a try that is over was \(how)")
    }

    private func rule(_ holds: Bool, _ text: @autoclosure () -> String) {
        walk.ledger.expect(holds, "try \(number): " + text())
    }
}
