import WeirSources

/// Asks a running server over a plain blocking socket whether it is ready: what `weir healthcheck` does.
package enum HealthProbe {
    /// Seconds for the whole answer.
    package static let limitSeconds = 3.0

    /// `text` is one line for people.
    package static func ask(_ address: HostPort, limitSeconds: Double = limitSeconds) -> (isReady: Bool, text: String) {
        do throws(ProbeFailure) {
            let deadline = SystemClock.now + limitSeconds
            let socket = try BlockingSocket(connecting: address.reachable, limitSeconds: limitSeconds)
            try socket.send("GET /healthz/ready HTTP/1.1\r\nhost: \(address)\r\nconnection: close\r\n\r\n")
            var answer: [UInt8] = []
            while !answer.contains(UInt8(ascii: "\n")) {
                try socket.limit(seconds: deadline - SystemClock.now)
                let piece = try socket.receive()
                guard !piece.isEmpty else { throw ProbeFailure("the connection ended without an answer") }
                answer += piece
            }
            let line = String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
            return line.hasPrefix("HTTP/1.1 200 ") ? (true, "ready") : (false, "not ready: \(line)")
        } catch {
            return (false, "not ready: \(address): \(error.description)")
        }
    }
}
