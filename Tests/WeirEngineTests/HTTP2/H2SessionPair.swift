import Glibc

@testable import WeirEngine

/// One end of a connection between two sessions; tells what it hears as lines of text.
final class H2TestSession: H2Session, ConnectionHandler {
    private let connection: HandledConnection<H2TestSession>
    private(set) var streams: [Int32: H2Stream] = [:]
    private(set) var heard: [String] = []
    private(set) var bodies: [Int32: Int] = [:]
    private(set) var hasEnded = false
    /// Called with the id of a stream whose peer has ended its side.
    var onEnd: (H2TestSession, H2Stream) -> Void = { _, _ in }
    /// Called with the id of a stream with room.
    var onRoom: (H2TestSession, H2Stream) -> Void = { _, _ in }
    var pausesStreams = false

    init(role: Role, loop: Loop, descriptor: Int32) {
        connection = HandledConnection(loop: loop, accepted: descriptor)
        super.init(role: role, loop: loop, carrier: connection)
        connection.setHandler(self)
        connection.startReading()
    }

    func close() {
        connection.closeNow()
        for stream in streams.values { stream.free() }
        streams = [:]
    }

    /// Client: opens a stream with these fields; its handle.
    func open(_ fields: [(StaticString, StaticString)], hasBody: Bool) -> H2Stream? {
        let stream = H2Stream()
        let isOpen = H2FieldList.with(capacity: fields.count) { list in
            for field in fields { list.append(field.0, field.1) }
            return request(on: stream, list, hasBody: hasBody)
        }
        guard isOpen else {
            stream.free()
            return nil
        }
        streams[stream.id] = stream
        return stream
    }

    func answer(_ stream: H2Stream, status: StaticString, hasBody: Bool) {
        H2FieldList.with(capacity: 1) { list in
            list.append(":status", status)
            respond(on: stream, list, hasBody: hasBody)
        }
    }

    func send(_ bytes: [UInt8], on stream: H2Stream) { send(ByteSlice(bytes, loop.pool), on: stream) }

    // MARK: ConnectionHandler

    func received(_ slice: consuming ByteSlice) { feed(slice) }
    func receivedEnd() { hasEnded = true }
    func writeRoomAvailable() { connection.askForOutput() }
    func outputWanted() { frameOutput() }
    func connectionFailed(_ code: Int32, unsentIntact: Bool) { hasEnded = true }
    func connectionDeadlinePassed() {}
    func connected() {}

    // MARK: H2Session

    override func requestBegan(_ id: Int32) -> H2Stream {
        let stream = H2Stream()
        stream.begin(id)
        streams[id] = stream
        heard.append("request \(id)")
        if pausesStreams { pause(stream) }
        return stream
    }
    override func headBegan(_ stream: H2Stream) { heard.append("head \(stream.id)") }
    override func received(_ stream: H2Stream, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        heard.append("\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
    }
    override func headEnded(_ stream: H2Stream, isFirst: Bool, isLast: Bool) {
        heard.append("headEnded \(isFirst ? "first" : "later")\(isLast ? " last" : "")")
        if isLast { onEnd(self, stream) }
    }
    override func received(_ stream: H2Stream, _ slice: consuming ByteSlice) {
        bodies[stream.id, default: 0] += slice.count
    }
    override func bodyEnded(_ stream: H2Stream) {
        heard.append("ended \(stream.id)")
        onEnd(self, stream)
    }
    override func closed(_ stream: H2Stream, code: UInt32) {
        heard.append("closed \(code)")
        guard let (id, _) = streams.first(where: { $0.value == stream }) else { return }
        streams[id] = nil
        stream.free()
    }
    override func hasRoom(_ stream: H2Stream) { onRoom(self, stream) }
    override func goAwayReceived(lastID: Int32, code: UInt32) { heard.append("goaway \(lastID) \(code)") }
    override func headRefused(_ id: Int32) { heard.append("refused \(id)") }
    override func ended() {
        hasEnded = true
        connection.closeAfterFlush()
    }
}

/// A client's and a server's session with a socket between them, on one loop.
final class H2SessionPair {
    let loop = Loop()
    let client: H2TestSession
    let server: H2TestSession

    init() {
        var ends: [Int32] = [-1, -1]
        let status = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends)
        precondition(status == 0, "no sockets")
        client = H2TestSession(role: .client, loop: loop, descriptor: ends[0])
        server = H2TestSession(role: .server, loop: loop, descriptor: ends[1])
    }

    /// Ticks until `isDone`, or no more than so often.
    func run(until isDone: () -> Bool = { false }, ticks: Int = 200) {
        for _ in 0..<ticks where !isDone() { loop.tick(wait: false) }
    }

    func close() {
        client.close()
        server.close()
        loop.abandonClosing()
        loop.tick(wait: false)
    }

    static let get: [(StaticString, StaticString)] = [
        (":method", "GET"), (":scheme", "http"), (":authority", "example.com"), (":path", "/"),
    ]
    static let post: [(StaticString, StaticString)] = [
        (":method", "POST"), (":scheme", "http"), (":authority", "example.com"), (":path", "/"),
    ]
}
