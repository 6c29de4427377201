import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// WebSockets over HTTP/1.1: the agreement, the bytes behind it, and both ends of it.
@Suite struct TunnelTests {
    private static let agreement = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    private static let opening =
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    /// What an endpoint has seen of its connections.
    private final class Seen: Sendable {
        let heads = Guarded<[TestMessage]>([])
        let bytes = Guarded<[UInt8]>([])
        let ended = Flag()

        var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
    }

    /// An endpoint that agrees to every tunnel and sends back what comes through, until the other side ends.
    private static func echo(_ seen: Seen, agreement: String = agreement + "X-Y: z\r\n\r\n") throws -> OriginServer {
        try OriginServer(raw: { reader, socket in
            guard let head = try reader.nextHead() else { return }
            seen.heads.withLock { $0.append(head) }
            try socket.send(agreement)
            while true {
                let bytes = try reader.someBytes()
                if bytes.isEmpty { break }
                seen.bytes.withLock { $0 += bytes }
                try socket.send(bytes)
            }
            seen.ended.raise()
        })
    }

    /// An open tunnel through a gateway.
    private static func tunnel(
        _ gateway: SteppedGateway, opening: String = opening
    ) throws -> (client: TestClient, head: TestMessage) {
        var client = try gateway.client()
        try client.socket.send(opening)
        try gateway.run(until: "the upstream agrees") { client.socket.hasInput }
        let head = try #require(try client.responseHead())
        return (client, head)
    }

    /// The next bytes through a tunnel, as many as the text has.
    private static func expect(_ text: String, _ gateway: SteppedGateway, _ client: inout TestClient) throws {
        var got = ""
        while got.utf8.count < text.utf8.count {
            try gateway.run(until: "bytes arrive") { client.hasBuffered || client.socket.hasInput }
            let bytes = try client.someBytes()
            if bytes.isEmpty { break }
            got += String(decoding: bytes, as: UTF8.self)
        }
        #expect(got == text)
    }

    // MARK: The agreement

    @Test func bothSidesAreToldOfTheUpgradeAndThenBytesPassBothWays() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, head) = try Self.tunnel(gateway)
        #expect(head.startLine == "HTTP/1.1 101 Switching Protocols")
        #expect(head.all("connection") == ["Upgrade"] && head.all("upgrade") == ["websocket"] && head["x-y"] == "z")
        #expect(head["content-length"] == nil && head["transfer-encoding"] == nil)
        #expect(head["server"] == "weir" && head["x-envoy-upstream-service-time"] == nil)
        let request = try #require(seen.heads.withLock { $0.first })
        #expect(request.all("connection") == ["Upgrade"] && request.all("upgrade") == ["websocket"])
        #expect(request["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ==" && request["keep-alive"] == nil)
        for text in ["hello", "\u{0}\u{1}GET / HTTP/1.1\r\n\r\n", String(repeating: "x", count: 20_000)] {
            try client.socket.send(text)
            try Self.expect(text, gateway, &client)
        }
        let stats = gateway.stats()
        #expect(stats.activeTunnels == 1 && stats.tunnels == 1 && stats.activeExchanges == 1)
    }

    @Test func bytesThatComeTooEarlyWaitForTheAgreement() throws {
        let seen = Seen()
        let go = Flag()
        let origin = try OriginServer(raw: { reader, socket in
            guard let head = try reader.nextHead() else { return }
            seen.heads.withLock { $0.append(head) }
            try eventually("the test goes on") { go.isRaised }
            try socket.send(Self.agreement + "\r\nfirst")
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { seen.bytes.withLock { $0 += bytes } }
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(Self.opening + "early")
        try gateway.run(until: "the request is on its way") { !seen.heads.withLock(\.isEmpty) }
        try client.socket.send(" birds")
        gateway.advance(milliseconds: 10)
        go.raise()
        try gateway.run(until: "the upstream agrees") { client.socket.hasInput }
        #expect(try client.responseHead()?.status == 101)
        try Self.expect("first", gateway, &client)
        try gateway.run(until: "the bytes arrive") { seen.text == "early birds" }
    }

    @Test func aRefusalIsAnOrdinaryAnswerAndBothConnectionsServeOn() throws {
        let origin = try OriginServer { request, socket in
            let isUpgrade = request["upgrade"] != nil
            try socket.send("HTTP/1.1 \(isUpgrade ? 403 : 200) No\r\nContent-Length: 2\r\n\r\nno")
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(Self.opening + "GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n")
        let refusal = try gateway.answer(&client)
        #expect(refusal.status == 403 && refusal.text == "no" && refusal["upgrade"] == nil)
        #expect(try gateway.answer(&client).status == 200)
        #expect(origin.acceptedConnections == 1 && origin.requests.map(\.target) == ["/chat", "/next"])
        #expect(gateway.stats().tunnels == 0 && gateway.activeExchanges == 0)
    }

    @Test func aRefusalWithoutABodyLeavesItsConnectionToTheNextRequest() throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        for _ in 0..<3 {
            try client.socket.send(Self.opening)
            #expect(try gateway.answer(&client).status == 404)
        }
        #expect(origin.acceptedConnections == 1 && gateway.stats().idleUpstreamConnections == 1)
    }

    @Test(arguments: ["foo", "foo, websocket", "websocket, h2c", "websocket\r\nUpgrade: websocket", "TLS/1.0"])
    func otherProtocolsAreRefusedWith403AndTheConnectionEnds(named: String) throws {
        let origin = try OriginServer(name: "never")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        for path in ["/", "/missing-cluster"] {
            var client = try gateway.client()
            try client.socket.send(
                "GET \(path) HTTP/1.1\r\nHost: example.com\r\nConnection: upgrade\r\nUpgrade: \(named)\r\n\r\n")
            let answer = try gateway.answer(&client)
            #expect(answer.status == 403 && answer["connection"] == "close" && answer.body.isEmpty)
            try gateway.end(client)
        }
        #expect(origin.requests.isEmpty)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n", "GET / HTTP/1.1\r\nConnection: upgrade\r\n",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade:\r\n",
        "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n",
    ])
    func whatIsNoWebSocketIsServedAsTheRequestItIs(head: String) throws {
        let origin = try OriginServer(name: "plain")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(head + "Host: example.com\r\n\r\n" + (head.contains("Content-Length") ? "ab" : ""))
        #expect(try gateway.answer(&client).status == 200)
        let request = try #require(origin.requests.first)
        #expect(request["upgrade"] == nil && request["connection"] == nil && request["http2-settings"] == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", agreement + "\r\n"),
        (opening, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        (opening, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    ])
    func anAgreementToSomethingElseIsAProtocolError(request: String, answer: String) throws {
        let origin = try OriginServer { _, socket in
            try socket.send(answer)
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(request)
        #expect(try gateway.answer(&client).status == 502)
        #expect(gateway.stats().upstreamConnections == 0 && gateway.stats().activeTunnels == 0)
    }

    @Test func aTryThatFailsBeforeTheAgreementIsRepeated() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort(), origin.port]) { _ in
        } routing: {
            $0.retry = .standard
        }
        for round in 1...4 {
            var client = try gateway.client()
            try client.socket.send(Self.opening + "hi")
            try gateway.run(until: "the upstream agrees") {
                gateway.worker.loop.advance(milliseconds: 5)
                return client.socket.hasInput
            }
            #expect(try client.responseHead()?.status == 101)
            try Self.expect("hi", gateway, &client)
            #expect(gateway.stats().tunnels == round)
        }
        #expect(gateway.stats().upstreamRetries > 0)
    }

    // MARK: Ends

    @Test func eachSideEndsForItself() throws {
        let seen = Seen()
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send(Self.agreement + "\r\n")
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { seen.bytes.withLock { $0 += bytes } }
            // The client has ended, and still hears.
            try socket.send("last words")
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, _) = try Self.tunnel(gateway)
        try client.socket.send("over")
        client.socket.endWriting()
        try Self.expect("last words", gateway, &client)
        try gateway.run(until: "the upstream's end arrives") { client.socket.peerHasGone }
        #expect(try client.someBytes().isEmpty && seen.text == "over")
        try gateway.run(until: "nothing is left") {
            let stats = gateway.stats()
            return stats.activeTunnels == 0 && stats.activeExchanges == 0 && stats.activeConnections == 0
                && stats.upstreamConnections == 0
        }
    }

    @Test func theClientMaySpeakOnBehindTheUpstreamsEnd() throws {
        let seen = Seen()
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send(Self.agreement + "\r\nbye")
            socket.endWriting()
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { seen.bytes.withLock { $0 += bytes } }
            seen.ended.raise()
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, _) = try Self.tunnel(gateway)
        try Self.expect("bye", gateway, &client)
        try gateway.run(until: "the upstream's end arrives") { client.socket.peerHasGone }
        #expect(gateway.stats().activeTunnels == 1)
        try client.socket.send("still here")
        try gateway.run(until: "the bytes arrive") { seen.text == "still here" }
        client.socket.endWriting()
        try gateway.run(until: "nothing is left") {
            seen.ended.isRaised && gateway.stats().activeConnections == 0 && gateway.stats().upstreamConnections == 0
        }
    }

    @Test func aTunnelsConnectionCarriesNoOtherRequest() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        for round in 1...3 {
            let (client, _) = try Self.tunnel(gateway)
            client.socket.endWriting()
            try gateway.run(until: "the tunnel is over") {
                gateway.stats().activeTunnels == 0 && gateway.stats().upstreamConnections == 0
            }
            #expect(origin.acceptedConnections == round)
        }
    }

    @Test func aClientThatIsCutOffTakesTheUpstreamAlong() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        let (client, _) = try Self.tunnel(gateway)
        client.socket.resetOnClose()
        client.socket.disconnect()
        try gateway.run(until: "nothing is left") {
            gateway.stats().activeTunnels == 0 && gateway.stats().upstreamConnections == 0
                && origin.endedConnections == 1
        }
    }

    @Test func anUpstreamThatIsCutOffIsNoEndToTheClient() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send(Self.agreement + "\r\n")
            _ = try reader.someBytes()
            socket.resetOnClose()
            socket.disconnect()
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, _) = try Self.tunnel(gateway)
        try client.socket.send("x")
        try gateway.run(until: "the client hears of it") { client.socket.peerHasGone }
        #expect(throws: TestSocketError.self) { try client.someBytes() }
        #expect(gateway.activeExchanges == 0 && gateway.stats().activeTunnels == 0)
    }

    // MARK: Time and memory

    @Test func aTunnelIsNotTimedByItsRouteAndEndsAfterAnHourOfSilence() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: { $0.timeoutMilliseconds = 1_000 })
        var (client, _) = try Self.tunnel(gateway)
        let hour = TunnelLimits.idleMilliseconds
        for text in ["one", "two", "three"] {
            gateway.advance(milliseconds: hour - 1)
            #expect(gateway.stats().activeTunnels == 1)
            try client.socket.send(text)
            try Self.expect(text, gateway, &client)
        }
        gateway.advance(milliseconds: hour - 1)
        #expect(gateway.stats().activeTunnels == 1)
        gateway.advance(milliseconds: 1)
        #expect(gateway.stats().activeTunnels == 0 && gateway.activeExchanges == 0)
        try gateway.end(client)
    }

    @Test func theAgreementItselfIsTimedByTheRoute() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: { $0.timeoutMilliseconds = 1_000 })
        var client = try gateway.client()
        try client.socket.send(Self.opening)
        try gateway.run(until: "the request is being served") { gateway.activeExchanges == 1 }
        gateway.advance(milliseconds: 999)
        #expect(!client.socket.hasInput)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).status == 504)
    }

    @Test func aSlowEndpointHoldsBackTheClientAndMemoryStaysBounded() throws {
        let go = Flag()
        let total = Guarded(0)
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send(Self.agreement + "\r\n")
            try eventually("the test goes on", seconds: 60) { go.isRaised }
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { total.withLock { $0 += bytes.count } }
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        let (client, _) = try Self.tunnel(gateway)
        let size = 32 * 1024 * 1024
        let sender = BackgroundSender(client.socket, prefix: "", size: size)
        var most = 0
        for _ in 0..<2_000 {
            gateway.worker.loop.tick(wait: false)
            most = max(most, gateway.worker.loop.pool.inUse)
        }
        #expect(!sender.isDone)
        go.raise()
        try gateway.run(until: "everything has arrived") {
            most = max(most, gateway.worker.loop.pool.inUse)
            return total.withLock { $0 == size }
        }
        // The high mark, what one wake-up reads beyond it, and chunks that are not full.
        #expect(most <= 24)
    }

    @Test func aTunnelLivesOnThroughADrainUntilItsDeadline() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, _) = try Self.tunnel(gateway)
        let done = Flag()
        gateway.drain(done)
        gateway.advance(milliseconds: 60_000)
        try client.socket.send("still open")
        try Self.expect("still open", gateway, &client)
        #expect(!done.isRaised)
        client.socket.endWriting()
        try gateway.run(until: "the drain is over") {
            gateway.worker.loop.advance(milliseconds: 100)
            return done.isRaised
        }
    }

    @Test func aTunnelHoldsNoGenerationAndLivesOnWithoutItsRoute() throws {
        let seen = Seen()
        let origin = try Self.echo(seen)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var (client, _) = try Self.tunnel(gateway)
        try gateway.adopt(generation: 2, origins: [])
        #expect(gateway.stats().pinnedGenerations == 1)
        try client.socket.send("still open")
        try Self.expect("still open", gateway, &client)
    }
}
