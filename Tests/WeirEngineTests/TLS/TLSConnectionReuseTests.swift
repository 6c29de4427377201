import Testing
import WeirTestSupport

@testable import WeirEngine

/// What clients may ask for over an HTTP/2 connection that they opened for another host, or to a server that has gone.
@Suite struct TLSConnectionReuseTests {
    private func status(_ gateway: GatewayFixture, _ host: String, _ version: String) throws -> String {
        let outcome = try TLSFixture.fetch(
            gateway.port, name: "api.example.com",
            [version, "-H", "Host: \(host)", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"])
        return outcome.output
    }

    @Test func aHostThatTheCertificateIsNotForIsMisdirectedOverHTTP2() throws {
        let identity = try TLSFixture.authority.issue(["api.example.com", "spare.example.com", "*.wild.example.com"])
        let gateway = try TLSFixture.gateway(
            TLSFixture.Server(names: ["api.example.com"], contexts: try TLSFixture.contexts(identity)))
        for host in ["other.example.com", "wild.example.com", "a.b.wild.example.com", "127.0.0.1"] {
            #expect(try status(gateway, host, "--http2") == "421 2", "\(host)")
            // HTTP/1.1 has one host on a connection.
            #expect(try status(gateway, host, "--http1.1") == "404 1.1", "\(host)")
        }
        // These are nowhere: another connection would not help.
        for host in ["spare.example.com", "a.wild.example.com", "SPARE.example.com:8443"] {
            #expect(try status(gateway, host, "--http2") == "404 2", "\(host)")
        }
        // The server's routes have it, whatever its certificate says, and nobody to send it to.
        #expect(try status(gateway, "example.com", "--http2") == "503 2")
    }

    @Test func streamsOfAServerThatHasGoneFinishAndTheirClientIsToldToGo() throws {
        let (asked, goes) = (TestSignal(), TestSignal())
        let origin = try OriginServer { _, socket in
            asked.raise()
            try goes.wait("the answer may come")
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nheld answer")
            return true
        }
        defer { origin.stop() }
        let contexts = try TLSFixture.contexts(TLSFixture.identities.api)
        func snapshot(_ generation: UInt64, _ port: Int, _ name: String) throws -> Snapshot {
            try TLSFixture.snapshot(
                generation: generation, port: port, origins: [origin.port],
                [TLSFixture.Server(names: [name], contexts: contexts)])
        }
        let gateway = try GatewayFixture { try snapshot(1, $0, "*") }
        let client = try ChildProcess(
            Tool("nghttp").path,
            ["-v", "--no-dep", "-H:authority: example.com", "https://127.0.0.1:\(gateway.port)/held"])
        try asked.wait("the request is at the origin")
        _ = try gateway.publish(snapshot(2, gateway.port, "web.example.com"))
        try eventually("the client is told to go") { client.output.contains("recv GOAWAY") }
        #expect(!client.output.contains(":status:"))
        goes.raise()
        #expect(try client.end() == 0)
        #expect(client.output.contains(":status: 200") && client.output.contains("held answer"), "\(client.output)")
        #expect(!client.output.contains("RST_STREAM"))
        #expect(try TLSFixture.connect(gateway.port, name: "any.example.com").status != 0)
    }
}
