import Testing
import WeirTestSupport

@testable import WeirEngine

/// Endpoints that are told who the client is, in front of everything else.
@Suite struct ProxyHeaderUpstreamTests {
    /// What came on each connection before its requests.
    private final class Endpoint: Sendable {
        private let seen: Guarded<[String]>
        let origin: OriginServer

        init() throws {
            let seen = Guarded<[String]>([])
            self.seen = seen
            origin = try OriginServer(raw: { reader, socket in
                while let head = try reader.nextHead() {
                    // The header's line stands before the request's, and is read as the first of its head.
                    seen.withLock { $0.append(head.startLine) }
                    try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                }
            })
        }

        var lines: [String] { seen.withLock { $0 } }
    }

    private func gateway(
        _ endpoint: Endpoint, _ version: ProxyHeaderVersion = .v1, configure: (inout ClusterSpec) -> Void = { _ in }
    ) throws -> GatewayFixture {
        try GatewayFixture(origins: [endpoint.origin.port]) {
            $0.proxyHeader = version
            configure(&$0)
        }
    }

    private func line(_ client: TestClient, _ gateway: GatewayFixture) -> String {
        "PROXY TCP4 127.0.0.1 127.0.0.1 \(client.socket.localPort) \(gateway.port)"
    }

    @Test func theHeaderComesFirstAndOnce() throws {
        let endpoint = try Endpoint()
        let gateway = try gateway(endpoint)
        var client = try gateway.client()
        #expect(try client.request("GET", "/first").status == 200)
        #expect(try client.request("GET", "/second").status == 200)
        #expect(endpoint.lines == [line(client, gateway), "GET /second HTTP/1.1"])
    }

    @Test func connectionsAreNotSharedBetweenClients() throws {
        let endpoint = try Endpoint()
        let gateway = try gateway(endpoint)
        var expected: [String] = []
        for _ in 0..<5 {
            var client = try gateway.client()
            #expect(try client.request("GET", "/").status == 200)
            expected.append(line(client, gateway))
        }
        #expect(endpoint.lines == expected)
    }

    @Test func version2IsBinary() throws {
        let first = Guarded<[UInt8]>([])
        let origin = try OriginServer(raw: { reader, socket in
            let bytes = try reader.someBytes()
            first.withLock { $0 = bytes }
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        })
        let gateway = try GatewayFixture(origins: [origin.port]) { $0.proxyHeader = .v2 }
        var client = try gateway.client()
        #expect(try client.request("GET", "/").status == 200)
        let bytes = first.withLock { $0 }
        var reader = ProxyHeaderReader()
        let result = bytes.withUnsafeBytes { reader.take($0) }
        let loopback = try #require(EndpointTarget("127.0.0.1"))
        #expect(result.used == 28)
        #expect(result.outcome == .done(.client(loopback, port: UInt16(client.socket.localPort))))
    }

    @Test func anIdleConnectionOfOneClientIsClosedSoon() throws {
        let endpoint = try Endpoint()
        let gateway = try SteppedGateway(origins: [endpoint.origin.port], configure: { $0.proxyHeader = .v1 })
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try gateway.answer(&client).status == 200)
        #expect(gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: BoundPool.boundIdleMilliseconds - 1)
        #expect(gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: 1)
        try gateway.run(until: "the connection is closed") { gateway.stats().upstreamConnections == 0 }
    }

    @Test func whatTheGatewayWasToldIsToldOn() throws {
        let endpoint = try Endpoint()
        let gateway = try GatewayFixture { port in
            let plain = try GatewayFixture.snapshot(listeners: [port], origins: [endpoint.origin.port]) {
                $0.proxyHeader = .v1
            }
            return Snapshot(
                generation: 1, listeners: plain.listeners.map { $0.expectingProxyHeaders() },
                clusters: plain.clusters, clusterCapacity: 1)
        }
        var client = try gateway.client()
        try client.socket.send(
            "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\nGET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try client.response().status == 200)
        #expect(endpoint.lines == ["PROXY TCP4 192.0.2.1 127.0.0.1 4711 \(gateway.port)"])
    }

    @Test func aChangeOfTheVersionMovesRequestsToOtherConnections() throws {
        let endpoint = try Endpoint()
        let gateway = try gateway(endpoint)
        var client = try gateway.client()
        #expect(try client.request("GET", "/first").status == 200)
        _ = try gateway.publish(
            GatewayFixture.snapshot(generation: 2, listeners: [gateway.port], origins: [endpoint.origin.port]))
        #expect(try client.request("GET", "/plain").status == 200)
        #expect(endpoint.lines == [line(client, gateway), "GET /plain HTTP/1.1"])
        #expect(endpoint.origin.acceptedConnections == 2)
    }

    @Test func clientsThatSpeakHTTP2AreNamedToo() throws {
        let endpoint = try Endpoint()
        let gateway = try gateway(endpoint)
        let outcome = try Tool("h2load").run([
            "-n3", "-c1", "-m1", "-H:authority: example.com", "http://127.0.0.1:\(gateway.port)/each",
        ])
        #expect(outcome.output.contains("3 succeeded, 0 failed, 0 errored"), "\(outcome)")
        #expect(endpoint.lines.count == 3)
        #expect(endpoint.lines[0].hasPrefix("PROXY TCP4 127.0.0.1 127.0.0.1 "))
        #expect(endpoint.lines[0].hasSuffix(" \(gateway.port)"))
        #expect(endpoint.lines[1...] == ["GET /each HTTP/1.1", "GET /each HTTP/1.1"])
    }
}
