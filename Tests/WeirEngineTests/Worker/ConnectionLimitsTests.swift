import Testing
import WeirTestSupport

@testable import WeirEngine

/// Floods of connections: what is over a limit is closed or answered, everybody else is served.
@Suite struct ConnectionLimitsTests {
    @Test(arguments: [2, 16, 64, 256, 1024, 1025, 20_000, 1 << 20, 1 << 30])
    func theSharesNeverExceedTheDescriptors(descriptors: Int) {
        let limits = ConnectionLimits(descriptors: descriptors)
        #expect(limits.clients > 0 && limits.upstreams > 0)
        #expect((1...limits.clients).contains(limits.clientsPerListener))
        let reserved = ConnectionLimits.reserved(descriptors)
        // Of a handful of descriptors nothing can be made; each share is still a connection.
        if descriptors >= 16 { #expect(limits.clients + limits.upstreams + reserved <= descriptors) }
        #expect(reserved == min(descriptors / 2, 1024))
    }

    @Test func theSharesOfTwentyThousandDescriptors() {
        let limits = ConnectionLimits(descriptors: 20_000)
        #expect(limits.clients == 12_650 && limits.clientsPerListener == 11_067 && limits.upstreams == 6_325)
    }

    @Test func permitsAreNeverMoreThanTheLimitWhoeverAsks() throws {
        let permits = Permits(limit: 50)
        let most = Guarded(0)
        let held = Guarded(0)
        try TestCrew(4) { _ in
            for _ in 0..<2_000 {
                guard permits.take() else { continue }
                let now = held.withLock { count in
                    count += 1
                    return count
                }
                most.withLock { $0 = max($0, now) }
                held.withLock { $0 -= 1 }
                permits.give()
            }
        }.join()
        #expect((1...4).contains(most.withLock { $0 }))
        #expect((0..<60).filter { _ in permits.take() }.count == 50)
    }

    @Test func connectionsOverTheListenersLimitAreClosedAtOnceAndCounted() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(
            origins: [origin.port], workers: 2, options: { $0.limits.clientsPerListener = 4 })
        var clients = try (0..<4).map { _ in try gateway.client() }
        for index in clients.indices { #expect(try clients[index].request().status == 200) }
        for count in 1...3 {
            var refused = try gateway.client()
            #expect(try refused.hasEnded())
            #expect(try gateway.stats().refusedConnections == count)
        }
        // Those that are in do not notice, and make room when they leave.
        #expect(try clients[0].request().status == 200)
        clients.removeLast()
        try eventually("the connection has left") { try gateway.stats().activeConnections == 3 }
        var next = try gateway.client()
        #expect(try next.request().status == 200)
        #expect(try gateway.stats().refusedConnections == 3)
    }

    @Test func aFloodAtOnePortLeavesConnectionsToTheOthersUpToTheProcesssLimit() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(
            origins: [origin.port],
            options: { options in
                options.limits.clients = 3
                options.limits.clientsPerListener = 2
            })
        let second = try GatewayFixture.freePort()
        let both = try GatewayFixture.snapshot(
            generation: 2, listeners: [gateway.port, second], origins: [origin.port])
        try #require(try gateway.publish(both).isEmpty)
        var flood = try (0..<2).map { _ in try gateway.client() }
        for index in flood.indices { #expect(try flood[index].request().status == 200) }
        var refused = try gateway.client()
        #expect(try refused.hasEnded())
        var other = try TestClient(port: second)
        #expect(try other.request().status == 200)
        // Two and one are what the process may have.
        var last = try TestClient(port: second)
        #expect(try last.hasEnded())
        #expect(try gateway.stats().refusedConnections == 2)
    }

    @Test func aConnectionCountsUntilItsDescriptorIsClosed() throws {
        let gateway = try SteppedGateway(permits: ListenerPermits(process: Permits(limit: 10), limit: 1))
        var rude = try gateway.client()
        try rude.socket.send("garbage\r\n\r\n")
        #expect(try gateway.answer(&rude).status == 400)
        #expect(gateway.worker.connectionCount == 0 && gateway.worker.loop.closingCount == 1)
        let refused = try TestClient(port: gateway.port)
        try gateway.end(refused)
        gateway.advance(milliseconds: Connection.lingerMilliseconds)
        #expect(gateway.worker.loop.closingCount == 0)
        var next = try gateway.client()
        try next.socket.send("GET /missing-cluster HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try gateway.answer(&next).status == 503)
        // One that breaks off gives its permit back as well.
        next.socket.resetOnClose()
        next.socket.disconnect()
        try gateway.run(until: "the reset is seen") { gateway.worker.connectionCount == 0 }
        _ = try gateway.client()
        #expect(gateway.stats().refusedConnections == 1)
    }

    @Test func requestsForWhichThereIsNoConnectionAreAnsweredAsOverflow() throws {
        let mayAnswer = TestSignal()
        let origin = try OriginServer { request, socket in
            if request.target == "/slow" { try mayAnswer.wait("the answer may be sent") }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.limits.upstreams = 2 })
        var slow = try (0..<2).map { _ in try gateway.client() }
        for client in slow { try client.socket.send("GET /slow HTTP/1.1\r\nHost: example.com\r\n\r\n") }
        try eventually("both are being served") { origin.requests.count == 2 }
        var client = try gateway.client()
        for count in 1...3 {
            let answer = try client.request()
            #expect(answer.status == 503 && answer["x-envoy-overloaded"] == "true")
            #expect(
                answer.text == "upstream connect error or disconnect/reset before headers. reset reason: overflow")
            let stats = try gateway.stats()
            #expect(stats.upstreamOverflows == count && stats.upstreamConnections == 2)
        }
        mayAnswer.raise()
        for index in slow.indices { #expect(try slow[index].response().text == "ok") }
        #expect(try client.request().text == "ok")
        #expect(origin.acceptedConnections == 2)
    }

    @Test func anIdleConnectionMakesRoomForOneThatIsNeeded() throws {
        let origins = try (0..<3).map { try OriginServer(name: "\($0)") }
        defer { for origin in origins { origin.stop() } }
        // In turn, each of them needs the one connection there may be.
        let gateway = try GatewayFixture(origins: origins.map(\.port), options: { $0.limits.upstreams = 1 })
        var client = try gateway.client()
        var seen: Set<String> = []
        for _ in 0..<9 {
            let answer = try client.request()
            #expect(answer.status == 200)
            seen.insert(answer["x-backend"] ?? "")
        }
        #expect(seen.count == 3)
        let stats = try gateway.stats()
        #expect(stats.upstreamConnections == 1 && stats.upstreamOverflows == 0)
    }
}
