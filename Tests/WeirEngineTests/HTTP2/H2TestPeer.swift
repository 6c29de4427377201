import WeirTestSupport

@testable import WeirEngine

/// The endpoint's end of an HTTP/2 connection, frame by frame; knows no header compression but what it sends.
struct H2TestPeer {
    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8 = 0
        var stream: UInt32 = 0
        var payload: [UInt8] = []

        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let ping: UInt8 = 6
        static let goAway: UInt8 = 7

        var isLast: Bool { flags & 1 != 0 }
    }

    private static let prefaceBytes = 24

    let socket: TestSocket
    private var buffer: [UInt8] = []

    /// Waits for the client's preface.
    init(_ socket: TestSocket) throws {
        self.socket = socket
        while buffer.count < Self.prefaceBytes { try fill() }
        buffer.removeFirst(Self.prefaceBytes)
    }

    private mutating func fill() throws {
        let bytes = try socket.receive()
        if bytes.isEmpty { throw TestSocketError(description: "the connection ended") }
        buffer += bytes
    }

    /// The next frame, whatever it is.
    mutating func next() throws -> Frame {
        while buffer.count < 9 { try fill() }
        let length = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
        while buffer.count < 9 + length { try fill() }
        let stream = buffer[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let frame = Frame(
            type: buffer[3], flags: buffer[4], stream: stream, payload: Array(buffer[9..<(9 + length)]))
        buffer.removeFirst(9 + length)
        return frame
    }

    /// The next frame of a type; others are passed over.
    mutating func next(_ type: UInt8) throws -> Frame {
        while true {
            let frame = try next()
            if frame.type == type { return frame }
        }
    }

    /// The stream of the next request.
    mutating func request() throws -> UInt32 { try next(Frame.headers).stream }

    func send(_ frame: Frame) throws {
        let count = frame.payload.count
        var bytes: [UInt8] = [UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), frame.type, frame.flags]
        bytes += Self.word(frame.stream)
        try socket.send(bytes + frame.payload)
    }

    private static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// The settings that every connection begins with.
    func sendSettings(maxStreams: UInt32? = nil) throws {
        try send(Frame(type: Frame.settings, payload: maxStreams.map { [0, 3] + Self.word($0) } ?? []))
    }

    /// A head with a status, and further fields as they are.
    func sendHead(_ stream: UInt32, status: Int = 200, _ fields: [(String, String)] = [], isLast: Bool = false) throws {
        // Literals without indexing; the status' name is the eighth of the static table.
        var block = [0x08] + Self.text("\(status)")
        for (name, value) in fields { block += [0] + Self.text(name) + Self.text(value) }
        try send(Frame(type: Frame.headers, flags: isLast ? 5 : 4, stream: stream, payload: block))
    }

    private static func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    func sendBody(_ stream: UInt32, _ text: String, isLast: Bool = true) throws {
        try send(Frame(type: Frame.data, flags: isLast ? 1 : 0, stream: stream, payload: Array(text.utf8)))
    }

    func sendReset(_ stream: UInt32, _ code: H2ErrorCode) throws {
        try send(Frame(type: Frame.reset, stream: stream, payload: Self.word(code.rawValue)))
    }

    func sendGoAway(last: UInt32, _ code: H2ErrorCode = .noError) throws {
        try send(Frame(type: Frame.goAway, payload: Self.word(last) + Self.word(code.rawValue)))
    }

    /// A whole answer.
    func answer(_ stream: UInt32, _ text: String = "ok") throws {
        try sendHead(stream, [("content-length", "\(text.utf8.count)")])
        try sendBody(stream, text)
    }
}

/// An endpoint that speaks HTTP/2 as a test's script says; each connection is numbered from 1.
func makeH2Origin(
    _ script: @escaping @Sendable (_ number: Int, _ peer: inout H2TestPeer) throws -> Void
) throws -> OriginServer {
    let count = Guarded(0)
    return try OriginServer(raw: { _, socket in
        let number = count.withLock { count in
            count += 1
            return count
        }
        var peer = try H2TestPeer(socket)
        try script(number, &peer)
    })
}
