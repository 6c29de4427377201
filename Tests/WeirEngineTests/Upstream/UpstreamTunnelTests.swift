import Testing
import WeirTestSupport

@testable import WeirEngine

/// Tunnels to endpoints that are spoken to in HTTP/2, and what comes behind those that are refused.
@Suite struct UpstreamTunnelTests {
    private static func gateway(_ origin: OriginServer) throws -> SteppedGateway {
        try SteppedGateway(origins: [origin.port], configure: { $0.httpVersion = .http2 })
    }

    /// Answers every request on every connection.
    private static func answering() throws -> OriginServer {
        try makeH2Origin { _, peer in
            try peer.sendSettings()
            while true { try peer.answer(try peer.request()) }
        }
    }

    @Test func aWebSocketGoesToAnEndpointThatTakesOne() throws {
        let isOpen = Flag()
        let origin = try makeH2Origin { _, peer in
            try peer.send(H2TestPeer.Frame(type: H2TestPeer.Frame.settings, payload: [0, 8, 0, 0, 0, 1]))
            let stream = try peer.request()
            try peer.sendHead(stream)
            let bytes = try peer.next(H2TestPeer.Frame.data)
            try peer.sendBody(stream, String(decoding: bytes.payload, as: UTF8.self), isLast: false)
            isOpen.raise()
            let end = try peer.next(H2TestPeer.Frame.data)
            if end.isLast { try peer.sendBody(stream, "bye") }
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(
            "GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        try gateway.run(until: "an answer arrives") { client.socket.hasInput }
        let head = try #require(try client.responseHead())
        #expect(head.status == 101 && head["upgrade"] == "websocket")
        #expect(head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        try client.socket.send("echo")
        try gateway.run(until: "bytes come back") { isOpen.isRaised && client.socket.hasInput }
        #expect(try client.someBytes() == Array("echo".utf8))
        client.socket.endWriting()
        try gateway.run(until: "the tunnel is over") { gateway.activeExchanges == 0 }
        #expect(try client.someBytes() == Array("bye".utf8))
    }

    @Test func aWebSocketIsRefusedWhereTheEndpointTakesNone() throws {
        let origin = try Self.answering()
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(
            "GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        #expect(try gateway.answer(&client).status == 503)
    }

    /// The refusal of the last try comes within the sending of it, and makes room for the client's next request at once.
    @Test func whatFollowsATunnelThatIsRefusedIsSentOnce() throws {
        let (takesNone, plain) = (try Self.answering(), try OriginServer(name: "plain"))
        defer {
            takesNone.stop()
            plain.stop()
        }
        let gateway = try SteppedGateway(snapshot: { Self.snapshot($0, [takesNone.port, plain.port]) })
        var client = try gateway.client()
        // From now on there is a connection to refuse it.
        try client.socket.send("GET / HTTP/1.1\r\nHost: h0.example.com\r\n\r\n")
        #expect(try gateway.answer(&client).status == 200)
        try client.socket.send(
            "GET / HTTP/1.1\r\nHost: h0.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                + "POST /a HTTP/1.1\r\nHost: h1.example.com\r\nContent-Length: 5\r\n\r\nhello")
        try gateway.run(until: "the wait before the second try is over") {
            gateway.advance(milliseconds: 1)
            return client.socket.hasInput
        }
        #expect(try gateway.answer(&client).status == 503)
        #expect(try gateway.answer(&client).text == "/a")
        #expect(gateway.worker.retryCount == 1)
        var other = try gateway.client()
        try other.socket.send("GET /b HTTP/1.1\r\nHost: h1.example.com\r\n\r\n")
        #expect(try gateway.answer(&other).text == "/b")
        #expect(plain.requests.map(\.text) == ["hello", ""] && plain.acceptedConnections == 1)
    }

    /// The host `h0.example.com` goes to the first port in HTTP/2, `h1.example.com` to the second in HTTP/1.1.
    private static func snapshot(_ listener: Int, _ ports: [Int]) -> Snapshot {
        let clusters = ports.enumerated().map { index, port in
            var spec = ClusterSpec(name: "c\(index)")
            spec.endpoints = EndpointTarget("127.0.0.1").map { [ClusterSpec.Endpoint($0, port: UInt16(port))] } ?? []
            if index == 0 { spec.httpVersion = .http2 }
            return ClusterPlan(id: Int32(index), spec: spec)
        }
        let hosts = ports.indices.map { index in
            var route = RouteSpec(
                conditions: [],
                destinations: [RouteSpec.Destination(clusterID: Int32(index), weight: 1, clusterName: "c\(index)")],
                origin: RouteOrigin(resource: "VirtualService default/test", file: "test", line: 1))
            route.retry = RetrySpec(retries: 1, conditions: .serverError)
            return ListenerPlan.Host(pattern: "h\(index).example.com", plan: VirtualHostPlan(routes: [route]))
        }
        return Snapshot(
            generation: 1, listeners: [ListenerPlan(port: listener, bind: nil, hosts: hosts)], clusters: clusters,
            clusterCapacity: 2)
    }
}
