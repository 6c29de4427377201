import Testing
import WeirTestSupport

/// A client that breaks HTTP/2 one rule at a time, each on a connection of its own; what it finds is named in English.
@Suite struct HTTP2FrameTests {
    /// As many as the script has, at least.
    private static let cases = 105

    @Test func everyRuleIsKept() throws {
        let origin = try OriginServer { _, socket in
            let body = String(repeating: "x", count: 100)
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            return true
        }
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let outcomes = try PythonPeer.outcomes(client: "http2_frames.py", ["\(try entry.port(secure: false))"])
        #expect(outcomes.count >= Self.cases, "\(outcomes.count)")
        for (name, outcome) in outcomes { #expect(outcome == "ok", "\(name)") }
        #expect(try entry.server.get("/").status == 200)
    }
}
