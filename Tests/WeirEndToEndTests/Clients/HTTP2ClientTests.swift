import Testing
import WeirTestSupport

/// nghttp and h2load, nghttp2's own clients.
@Suite struct HTTP2ClientTests {
    /// What h2load says when nothing went wrong.
    private static func allOf(_ requests: Int) -> String { "\(requests) succeeded, 0 failed, 0 errored, 0 timeout" }

    /// Exactly what was asked for comes back and reaches the origin, with 32 streams on each of 8 connections.
    @Test(arguments: [false, true])
    func manyStreamsOnAFewConnections(secure: Bool) throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let requests = TestScale.isSmall ? 1_000 : 10_000
        let told = try Tool("h2load").run(
            [
                "-t1", "-c8", "-m32", "-n\(requests)", "--connect-to=127.0.0.1:\(try entry.port(secure: secure))",
                "\(secure ? "https" : "http")://\(SecureEntry.host)/",
            ], seconds: 300)
        #expect(told.status == 0 && told.output.contains(Self.allOf(requests)), "\(told)")
        #expect(told.output.contains("status codes: \(requests) 2xx"))
        if secure { #expect(told.output.contains("Application protocol: h2")) }
        try eventually("all are counted") {
            try entry.server.metrics().sum("istio_requests_total", ["reporter": "source"]) == Double(requests)
        }
    }

    /// More connections than a test's limits allow streams on one, all at once, over HTTP/1.1 in TLS.
    @Test func keepsManyConnectionsOfHTTP1InTLS() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let requests = TestScale.isSmall ? 500 : 5_000
        let told = try Tool("h2load").run(
            [
                "--h1", "-t1", "-c50", "-n\(requests)", "--connect-to=127.0.0.1:\(try entry.port(secure: true))",
                "https://\(SecureEntry.host)/",
            ], seconds: 300)
        #expect(told.output.contains(Self.allOf(requests)), "\(told)")
        #expect(told.output.contains("Application protocol: http/1.1"))
    }

    /// Frame by frame, as nghttp prints them; the trailers of HTTP/1.1 end at the gateway.
    @Test(arguments: [false, true])
    func bodiesWithTrailersAndPaddingPassToAndFromAnOriginThatChunks(secure: Bool) throws {
        let origin = try OriginServer { request, socket in
            try socket.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                    + "\(String(request.body.count, radix: 16))\r\n\(request.text)\r\n0\r\nx-sum: 7\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let directory = try TemporaryDirectory()
        try directory.write("body", "some bytes")
        let port = try entry.port(secure: secure)
        let told = try Tool("nghttp").run([
            "-v", "--no-dep", "--padding=50", "--data=\(directory.path("body"))", "--trailer=x-mine: 1",
            "-H:authority: \(SecureEntry.host)", "\(secure ? "https" : "http")://127.0.0.1:\(port)/path",
        ])
        #expect(told.status == 0, "\(told.errors)")
        #expect(told.output.contains(":status: 200") && !told.output.contains("x-sum: 7"), "\(told.output)")
        #expect(told.output.contains("some bytes"))
        #expect(!told.output.contains("RST_STREAM") && !told.output.contains("error_code=PROTOCOL_ERROR"))
        if secure { #expect(told.output.contains("The negotiated protocol: h2")) }
        let request = try #require(origin.requests.first)
        #expect(request.target == "/path" && request.text == "some bytes" && request["host"] == SecureEntry.host)
    }

    /// A page and what belongs to it, and the same many times over.
    @Test func severalRequestsShareAConnection() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let base = "http://127.0.0.1:\(try entry.port(secure: false))"
        let told = try Tool("nghttp").run(
            ["-v", "--no-dep", "-m5"] + (0..<5).map { "\(base)/\($0)" })
        #expect(told.status == 0, "\(told.errors)")
        #expect(told.output.components(":status: 200") == 25, "\(told.output)")
        #expect(told.output.components("[  0.") >= 25 && told.output.components("Connected") == 1)
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}
