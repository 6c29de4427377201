/// A frame of HTTP/2, with whatever in it (RFC 9113 section 4.1).
package struct H2TestFrame: Sendable, Equatable {
    package static let data: UInt8 = 0
    package static let headers: UInt8 = 1
    package static let priority: UInt8 = 2
    package static let reset: UInt8 = 3
    package static let settings: UInt8 = 4
    package static let ping: UInt8 = 6
    package static let goAway: UInt8 = 7
    package static let windowUpdate: UInt8 = 8
    package static let continuation: UInt8 = 9
    package static let endStream: UInt8 = 1
    package static let ack: UInt8 = 1
    package static let endHeaders: UInt8 = 4

    package var type: UInt8
    package var flags: UInt8
    package var stream: Int
    package var payload: [UInt8]

    package init(_ type: UInt8, flags: UInt8 = 0, stream: Int = 0, _ payload: [UInt8] = []) {
        self.type = type
        self.flags = flags
        self.stream = stream
        self.payload = payload
    }

    /// A reset of a stream.
    package static func reset(_ stream: Int, code: UInt32) -> Self {
        Self(reset, stream: stream, number(code))
    }

    package static func windowUpdate(_ stream: Int, by size: UInt32) -> Self {
        Self(windowUpdate, stream: stream, number(size))
    }

    package static func number(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// As on the wire.
    package var bytes: [UInt8] {
        let length = payload.count
        let header = [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
        return header + Self.number(UInt32(stream)) + payload
    }

    package var isEnd: Bool { flags & Self.endStream != 0 }

    /// The number in a RST_STREAM, or behind the stream in a GOAWAY.
    package var code: Int? {
        let digits = type == Self.goAway ? payload.dropFirst(4).prefix(4) : payload.prefix(4)
        guard type == Self.goAway || type == Self.reset, digits.count == 4 else { return nil }
        return digits.reduce(0) { $0 << 8 | Int($1) }
    }

    /// The status a head begins with; only as this proxy's first answers on a connection encode it.
    package var status: Int? {
        guard type == Self.headers, let first = payload.first else { return nil }
        if let known = [0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500][Int(first)] {
            return known
        }
        // A literal whose name is that of entry 8, its digits plain or in Huffman's code (RFC 7541 appendix B).
        guard first & 0x0f == 8, payload.count > 4 else { return nil }
        if payload[1] == 3 { return Int(String(decoding: payload[2..<5], as: UTF8.self)) }
        let bits = payload[2..<(2 + Int(payload[1] & 0x7f))].flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        var digits: [Int] = []
        var at = 0
        while digits.count < 3, at + 5 <= bits.count {
            let short = bits[at..<(at + 5)].reduce(0) { $0 << 1 | Int($1) }
            if short <= 2 {
                digits.append(short)
                at += 5
            } else if at + 6 <= bits.count {
                digits.append((short << 1 | Int(bits[at + 5])) - 0x19 + 3)
                at += 6
            } else {
                return nil
            }
        }
        return digits.reduce(0) { $0 * 10 + $1 }
    }
}

/// A client that says exactly the frames it is told to, and remembers those it hears.
package struct H2TestClient {
    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    package let socket: TestSocket
    /// All frames so far.
    package private(set) var heard: [H2TestFrame] = []
    package private(set) var hasEnded = false
    private var buffer: [UInt8] = []

    /// Connects, and says the preface with empty settings unless told not to.
    package init(port: Int, greets: Bool = true) throws {
        socket = try TestSocket(port: port)
        if greets { try socket.send(Self.preface + H2TestFrame(H2TestFrame.settings).bytes) }
    }

    package func send(_ frames: H2TestFrame...) throws { try socket.send(frames.flatMap(\.bytes)) }
    package func send(_ frames: [H2TestFrame]) throws { try socket.send(frames.flatMap(\.bytes)) }

    /// The fields as literals that are never indexed, byte by byte as they are (RFC 7541 section 6.2.3).
    package static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in [0x10] + text(name) + text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var length = [UInt8(127)]
        var rest = bytes.count - 127
        while rest >= 128 {
            length.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    /// A request's pseudo-header fields, with others behind them.
    package static func request(
        _ method: String = "GET", _ path: String = "/", authority: String = "example.com",
        _ fields: [(String, String)] = []
    ) -> [(String, String)] {
        [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path)] + fields
    }

    /// A head in one frame.
    package static func head(_ stream: Int, _ fields: [(String, String)], ends: Bool = true) -> H2TestFrame {
        H2TestFrame(
            H2TestFrame.headers, flags: H2TestFrame.endHeaders | (ends ? H2TestFrame.endStream : 0), stream: stream,
            block(fields))
    }

    package static func data(_ stream: Int, _ text: String, ends: Bool = true) -> H2TestFrame {
        H2TestFrame(
            H2TestFrame.data, flags: ends ? H2TestFrame.endStream : 0, stream: stream, Array(text.utf8))
    }

    /// Takes in what has come, without waiting for more.
    package mutating func listen() {
        while !hasEnded, socket.hasInput {
            guard let bytes = try? socket.receive(), !bytes.isEmpty else {
                hasEnded = true
                return
            }
            buffer += bytes
            while let frame = nextFrame() { heard.append(frame) }
        }
    }

    private mutating func nextFrame() -> H2TestFrame? {
        guard buffer.count >= 9 else { return nil }
        let length = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
        guard buffer.count >= 9 + length else { return nil }
        let stream = buffer[5..<9].reduce(0) { $0 << 8 | Int($1) } & 0x7fff_ffff
        let frame = H2TestFrame(buffer[3], flags: buffer[4], stream: stream, Array(buffer[9..<(9 + length)]))
        buffer.removeFirst(9 + length)
        return frame
    }

    // MARK: What has been heard

    package func frames(_ type: UInt8, stream: Int? = nil) -> [H2TestFrame] {
        heard.filter { $0.type == type && (stream == nil || $0.stream == stream) }
    }

    /// The status of each head on a stream.
    package func statuses(_ stream: Int) -> [Int] { frames(H2TestFrame.headers, stream: stream).compactMap(\.status) }
    package func body(_ stream: Int) -> [UInt8] { frames(H2TestFrame.data, stream: stream).flatMap(\.payload) }
    package func hasEnded(_ stream: Int) -> Bool {
        heard.contains {
            $0.stream == stream && $0.isEnd && ($0.type == H2TestFrame.data || $0.type == H2TestFrame.headers)
        }
    }
    /// The code a stream was reset with.
    package func resetCode(_ stream: Int) -> Int? { frames(H2TestFrame.reset, stream: stream).first?.code }
    /// The code of the last GOAWAY.
    package var goAwayCode: Int? { frames(H2TestFrame.goAway).last?.code }
    /// The stream the last GOAWAY names.
    package var goAwayStream: Int? {
        frames(H2TestFrame.goAway).last.map { $0.payload.prefix(4).reduce(0) { $0 << 8 | Int($1) } }
    }
}
