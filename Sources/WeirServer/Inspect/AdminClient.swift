import WeirSources

/// Asks the admin API of a running server over a plain blocking socket: what the inspecting commands do.
struct AdminClient {
    /// Seconds for connecting and for each wait for more of the answer.
    static let waitSeconds = 30.0
    /// Bytes of an answer; more than any configuration gives.
    static let answerBytes = 1024 * 1024 * 1024

    let address: HostPort
    var waitSeconds = Self.waitSeconds
    var answerBytes = Self.answerBytes

    /// The answer's body; whatever is not 200 is a failure.
    func request(_ method: String, _ target: String) throws(CommandFailure) -> [UInt8] {
        let answer: [UInt8]
        do throws(ProbeFailure) {
            answer = try exchange("\(method) \(target) HTTP/1.1\r\nhost: \(address)\r\nconnection: close\r\n\r\n")
        } catch {
            throw CommandFailure(
                "No running Weir answers at \(address) (\(error.description)). Start one with `weir serve`, or name "
                    + "its admin address with --admin HOST:PORT.")
        }
        guard let message = AdminMessage(answer) else {
            throw CommandFailure("What answers at \(address) is no Weir admin API, or its answer was cut off.")
        }
        guard message.status == 200 else {
            let text = String(decoding: message.body, as: UTF8.self).split(separator: "\n").first ?? ""
            let cause = message.status == 404 ? "it does not know \(target)" : "\(message.status): \(text)"
            throw CommandFailure("The process at \(address) refused: \(cause)")
        }
        return message.body
    }

    private func exchange(_ request: String) throws(ProbeFailure) -> [UInt8] {
        let socket = try BlockingSocket(connecting: address.reachable, limitSeconds: waitSeconds)
        try socket.send(request)
        var answer: [UInt8] = []
        while true {
            // Others than Weir may keep the connection.
            if AdminMessage.mayBeWhole(answer), AdminMessage(answer) != nil { return answer }
            let piece = try socket.receive()
            if piece.isEmpty { return answer }
            answer += piece
            guard answer.count <= answerBytes else {
                throw ProbeFailure("the answer is longer than \(answerBytes) bytes")
            }
        }
    }
}

/// Why a command cannot do what it was asked; a sentence for people.
package struct CommandFailure: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// An answer read to its end.
struct AdminMessage {
    let status: Int
    let body: [UInt8]

    /// Whether it is worth looking: the answer is short, or ends as a chunked one does.
    static func mayBeWhole(_ bytes: [UInt8]) -> Bool {
        bytes.suffix(5).elementsEqual("0\r\n\r\n".utf8) || !bytes.isEmpty && bytes.count < 4096
    }

    /// `nil` when it is no whole answer.
    init?(_ bytes: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        guard let head = bytes.firstRange(of: end) else { return nil }
        let lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        self.status = status
        var isChunked = false
        var length: Int?
        for line in lines.dropFirst() {
            let sides = line.lowercased().split(separator: ":", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let value = sides[1].filter { $0 != " " }
            if sides[0] == "transfer-encoding" { isChunked = value == "chunked" }
            if sides[0] == "content-length" { length = Int(value) }
        }
        let rest = bytes[head.upperBound...]
        if isChunked {
            guard let body = Self.joined(chunks: rest) else { return nil }
            self.body = body
        } else {
            guard length == rest.count else { return nil }
            body = Array(rest)
        }
    }

    /// `nil` when the last chunk is missing.
    private static func joined(chunks: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = chunks
        var body: [UInt8] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let digits = rest[..<end].prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: ";") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else { return nil }
            if size == 0 { return body }
            let start = end + 1
            guard size <= rest.endIndex - start - 2 else { return nil }
            body += rest[start..<start + size]
            rest = rest[(start + size + 2)...]
        }
        return nil
    }
}
