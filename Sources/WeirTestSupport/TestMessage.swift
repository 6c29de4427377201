import Synchronization

/// An HTTP/1.1 message as a test peer read it.
package struct TestMessage: Sendable {
    package var startLine: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The body ended before its framing said so.
    package var isTruncated = false

    /// Of a response; 0 when the start line has none.
    package var status: Int {
        let words = startLine.split(separator: " ")
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }
    /// Of a request.
    package var method: String { startLine.split(separator: " ").first.map(String.init) ?? "" }
    package var target: String {
        let words = startLine.split(separator: " ")
        return words.count > 1 ? String(words[1]) : ""
    }
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The first header of that name, in any case.
    package subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
    package func all(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
}

/// Reads messages off a socket, keeping what comes behind one for the next.
package struct TestReader {
    package let socket: TestSocket
    /// Called before every read; returns when there is something to read.
    ///
    /// For who has to do something for it to come, as a worker on the same thread.
    package var awaitInput: (() throws -> Void)?
    private var buffer: [UInt8] = []
    private var hasEnded = false

    package init(_ socket: TestSocket) { self.socket = socket }

    private mutating func fill() throws -> Bool {
        if hasEnded { return false }
        try awaitInput?()
        let bytes = try socket.receive()
        hasEnded = bytes.isEmpty
        buffer += bytes
        return !hasEnded
    }

    /// The next message, or `nil` at a clean end.
    ///
    /// `bodyless`: an answer to HEAD.
    package mutating func next(bodyless: Bool = false) throws -> TestMessage? {
        guard var message = try nextHead() else { return nil }
        let status = message.status
        if bodyless || status == 204 || status == 304 || (100..<200).contains(status) { return message }
        if message["transfer-encoding"]?.lowercased() == "chunked" {
            message.isTruncated = try !readChunks(into: &message.body)
        } else if let length = message["content-length"].flatMap({ Int($0) }) {
            while buffer.count < length, try fill() {}
            message.body = Array(buffer.prefix(length))
            buffer.removeFirst(message.body.count)
            message.isTruncated = message.body.count < length
        } else if message.startLine.hasPrefix("HTTP/") {
            while try fill() {}
            message.body = buffer
            buffer = []
        }
        return message
    }

    /// The head alone; the body is left to `readBody`.
    package mutating func nextHead() throws -> TestMessage? {
        var end = find([13, 10, 13, 10])
        while end == nil {
            guard try fill() else { return nil }
            end = find([13, 10, 13, 10])
        }
        guard let end else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        buffer.removeFirst(end + 4)
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
        return TestMessage(startLine: lines.first.map(String.init) ?? "", headers: headers, body: [])
    }

    /// Something has come behind the head and waits to be read.
    package var hasBuffered: Bool { !buffer.isEmpty }

    /// Whatever has come behind the head, at least one byte unless the peer ended.
    package mutating func someBytes() throws -> [UInt8] {
        if buffer.isEmpty { _ = try fill() }
        defer { buffer = [] }
        return buffer
    }

    private mutating func readChunks(into body: inout [UInt8]) throws -> Bool {
        while true {
            guard let line = try readLine() else { return false }
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
                throw TestSocketError(description: "a chunk size that is none: \(line)")
            }
            if size == 0 {
                while let trailer = try readLine() {
                    if trailer.isEmpty { return true }
                }
                return false
            }
            while buffer.count < size + 2, try fill() {}
            guard buffer.count >= size + 2 else { return false }
            body += buffer.prefix(size)
            buffer.removeFirst(size + 2)
        }
    }

    private mutating func readLine() throws -> String? {
        while true {
            if let end = find([13, 10]) {
                defer { buffer.removeFirst(end + 2) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            guard try fill() else { return nil }
        }
    }

    private func find(_ pattern: [UInt8]) -> Int? {
        guard buffer.count >= pattern.count else { return nil }
        return buffer.withUnsafeBufferPointer { bytes in
            (0...(bytes.count - pattern.count)).first { start in
                pattern.indices.allSatisfy { bytes[start + $0] == pattern[$0] }
            }
        }
    }
}

/// Sends bytes from a thread of its own, so that the test can watch what happens meanwhile.
package final class BackgroundSender: Sendable {
    private let finished = Atomic(false)

    /// Sends `prefix` and then `size` zero bytes.
    package init(_ socket: TestSocket, prefix: String, size: Int) {
        TestThread { [self] in
            let piece = [UInt8](repeating: 0, count: 256 * 1024)
            var left = size
            guard (try? socket.send(prefix)) != nil else { return }
            while left > 0 {
                guard (try? socket.send(Array(piece.prefix(left)))) != nil else { return }
                left -= min(left, piece.count)
            }
            finished.store(true, ordering: .releasing)
        }.start()
    }

    package var isDone: Bool { finished.load(ordering: .acquiring) }
}

/// A client's keep-alive connection to a loopback port.
package struct TestClient {
    private var reader: TestReader

    package init(port: Int) throws { reader = TestReader(try TestSocket(port: port)) }

    package var socket: TestSocket { reader.socket }

    /// Sends a request and reads its answer.
    package mutating func request(
        _ method: String = "GET", _ target: String = "/", host: String = "example.com",
        headers: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> TestMessage {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        try socket.send(Array((text + "\r\n").utf8) + (body ?? []))
        return try response(bodyless: method == "HEAD")
    }

    /// The next answer; `awaitInput` as in `TestReader`.
    package mutating func response(
        bodyless: Bool = false, awaitInput: (() throws -> Void)? = nil
    ) throws -> TestMessage {
        reader.awaitInput = awaitInput
        defer { reader.awaitInput = nil }
        guard let message = try reader.next(bodyless: bodyless) else {
            throw TestSocketError(description: "the connection ended instead of an answer")
        }
        return message
    }

    package mutating func responseHead() throws -> TestMessage? { try reader.nextHead() }
    package mutating func someBytes() throws -> [UInt8] { try reader.someBytes() }
    package var hasBuffered: Bool { reader.hasBuffered }
    package mutating func hasEnded() throws -> Bool { try reader.next() == nil }
}
