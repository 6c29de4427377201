import Testing
import WeirTestSupport

@testable import WeirEngine

/// The limits of `connectionPool` over HTTP/1.1, on one worker.
@Suite struct CircuitBreakerTests {
    private static let full =
        "upstream connect error or disconnect/reset before headers. reset reason: overflow"

    private static func gateway(
        _ origins: [Int], shared: ClusterShared = ClusterShared(workers: 1), _ limit: (inout ClusterLimits) -> Void
    ) throws -> SteppedGateway {
        try SteppedGateway(origins: origins, shared: shared) { limit(&$0.limits) }
    }

    private static func ask(_ gateway: SteppedGateway, _ target: String) throws -> TestClient {
        let client = try gateway.client()
        try client.socket.send("GET \(target) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        return client
    }

    /// Clients whose requests have been read, in this order.
    private static func ask(_ gateway: SteppedGateway, _ targets: [String]) throws -> [TestClient] {
        try targets.map { target in
            let before = gateway.worker.requestCount
            let client = try ask(gateway, target)
            try gateway.run(until: "the request is read") { gateway.worker.requestCount > before }
            return client
        }
    }

    /// Until then the connection there may be leads to another.
    private static func waitUntilFirstEndpointHasAConnection(_ gateway: SteppedGateway) throws {
        try gateway.run(until: "the first endpoint has a connection") {
            let cluster = gateway.worker.currentCluster(0)?.takeUnretainedValue()
            return cluster?.loads(from: 0, most: 1).loads[0].connections == 1
        }
    }

    @Test func requestsBeyondTheConnectionsAreServedOneAfterTheOther() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, (0..<4).map { "/hold\($0)" })
        #expect(shared.limits.pending.now == 3 && shared.limits.connections.now == 1)
        for index in clients.indices {
            origin.release()
            #expect(try gateway.answer(&clients[index]).text == "/hold\(index)")
        }
        #expect(origin.mostAtOnce == 1 && origin.origin.acceptedConnections == 1)
        #expect(origin.served == (0..<4).map { "/hold\($0)" })
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        #expect(shared.limits.overflows[.connection] == 3)
    }

    @Test func requestsBeyondThoseThatMayWaitAreRefused() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port]) {
            $0.connections = 1
            $0.pending = 1
        }
        var clients = try Self.ask(gateway, (0..<4).map { "/hold\($0)" })
        for index in 2..<4 {
            let answer = try gateway.answer(&clients[index])
            #expect(answer.status == 503 && answer["x-envoy-overloaded"] == "true")
            #expect(answer.text == Self.full)
        }
        origin.release(2)
        for index in 0..<2 { #expect(try gateway.answer(&clients[index]).status == 200) }
    }

    @Test func requestsBeyondTheLimitOfRequestsAreRefusedAndOpenNoConnection() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.requests = 2 }
        var clients = try Self.ask(gateway, (0..<3).map { "/hold\($0)" })
        #expect(try gateway.answer(&clients[2]).text == Self.full)
        #expect(gateway.stats().upstreamConnections == 2)
        origin.release(2)
        for index in 0..<2 { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.requests.now == 0 && shared.limits.overflows[.request] == 1)
        // What has ended counts no more, also where the next one follows at once.
        try clients[0].socket.send(
            String(repeating: "GET /close HTTP/1.1\r\nHost: example.com\r\n\r\n", count: 5))
        for _ in 0..<5 { #expect(try gateway.answer(&clients[0]).status == 200) }
    }

    @Test func aRequestWhoseConnectionIsBeingOpenedWaits() throws {
        let silent = try FullPort()
        let gateway = try Self.gateway([silent.port]) { $0.pending = 1 }
        var clients = try Self.ask(gateway, ["/a", "/b"])
        #expect(try gateway.answer(&clients[1]).text == Self.full)
        gateway.advance(milliseconds: 10_000)
        #expect(try gateway.answer(&clients[0]).text.hasSuffix("connection timeout"))
        #expect(try Self.ask(gateway, ["/c"]).count == 1)
        withExtendedLifetime(silent) {}
    }

    @Test func aClientThatLeavesWaitsNoMore() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, (0..<4).map { "/hold\($0)" })
        clients[2].socket.disconnect()
        clients[1].socket.disconnect()
        try gateway.run(until: "they have left") { shared.limits.pending.now == 1 }
        origin.release(2)
        #expect(try gateway.answer(&clients[0]).text == "/hold0")
        #expect(try gateway.answer(&clients[3]).text == "/hold3")
        #expect(origin.served == ["/hold0", "/hold3"])
    }

    @Test func aConnectionThatIsBrokenOffGivesItsPlaceToTheNextRequest() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, ["/hold", "/a"])
        clients[0].socket.disconnect()
        #expect(try gateway.answer(&clients[1]).text == "/a")
        #expect(shared.limits.connections.now == 1 && origin.origin.acceptedConnections == 2)
    }

    @Test func anIdleConnectionMakesRoomForOneToAnotherEndpoint() throws {
        let origins = try (0..<3).map { _ in try HoldingOrigin() }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway(origins.map(\.port), shared: shared) { $0.connections = 1 }
        var client = try gateway.client()
        for _ in 0..<6 {
            try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
            #expect(try gateway.answer(&client).status == 200)
            #expect(gateway.stats().upstreamConnections == 1 && shared.limits.connections.now == 1)
        }
        #expect(origins.allSatisfy { $0.served.count == 2 })
    }

    @Test func aRequestForAnotherEndpointIsNotOvertakenForLong() throws {
        let origins = try (0..<2).map { _ in try HoldingOrigin() }
        defer { for origin in origins { origin.stop() } }
        let gateway = try Self.gateway(origins.map(\.port)) { $0.connections = 1 }
        // Round robin: the first, third and fifth go to one endpoint, the others to the other.
        var clients = try Self.ask(gateway, (0..<2).map { "/hold\($0)" })
        gateway.advance(milliseconds: 10)
        clients += try Self.ask(gateway, (2..<5).map { "/hold\($0)" })
        for index in clients.indices {
            origins[0].release()
            origins[1].release()
            #expect(try gateway.answer(&clients[index]).text == "/hold\(index)")
            // Within its patience a connection serves those of its own endpoint first; these have waited longer.
            if index < 4 { gateway.advance(milliseconds: 10) }
        }
        #expect(origins[0].served.count + origins[1].served.count == 5)
    }

    @Test func theBodyOfARequestThatWaitsIsKeptUpToABoundAndSentOn() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port]) { $0.connections = 1 }
        var first = try Self.ask(gateway, ["/hold"])
        var second = try gateway.client()
        let length = 4 << 20
        let body = Array(repeating: UInt8(ascii: "x"), count: length)
        try second.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(length)\r\n\r\n")
        let socket = second.socket
        let crew = TestCrew(1) { _ in try socket.send(body) }
        try gateway.run(until: "the client has to wait") {
            gateway.worker.loop.pool.inUse * BufferPool.chunkBytes >= PendingStream.highMarkBytes
        }
        for _ in 0..<50 { gateway.worker.loop.tick(wait: false) }
        #expect(gateway.worker.loop.pool.inUse * BufferPool.chunkBytes < 1 << 20)
        origin.release()
        #expect(try gateway.answer(&first[0]).status == 200)
        #expect(try gateway.answer(&second).text == "\(length)")
        try crew.join()
    }

    @Test func aConnectionThatCannotBeOpenedIsOneOfAnAnswersReasonsAndKeepsNoPlace() throws {
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([try GatewayFixture.freePort()], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, ["/a", "/b", "/c"])
        for index in clients.indices {
            #expect(try gateway.answer(&clients[index]).text.hasSuffix("remote connection failure"))
        }
        #expect(shared.limits.connections.now == 0 && shared.limits.pending.now == 0)
        #expect(shared.limits.requests.now == 0)
    }

    @Test func allThatWaitForAnEndpointFailWithTheFirstConnectionThatDoes() throws {
        let silent = try FullPort()
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([silent.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, (0..<4).map { "/\($0)" })
        #expect(shared.limits.pending.now == 4 && shared.limits.connections.now == 1)
        // The time of one.
        gateway.advance(milliseconds: 10_000)
        for index in clients.indices {
            #expect(try gateway.answer(&clients[index]).text.hasSuffix("connection timeout"))
        }
        try gateway.run(until: "the permit has found nobody") { shared.limits.connections.now == 0 }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func thoseWhoWaitForAnotherEndpointGoOnWhenOneCannotBeReached() throws {
        let silent = try FullPort()
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([silent.port, origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, (0..<6).map { "/\($0)" })
        try Self.waitUntilFirstEndpointHasAConnection(gateway)
        gateway.advance(milliseconds: 10_000)
        let statuses = try clients.indices.map { try gateway.answer(&clients[$0]).status }
        #expect(statuses.sorted() == [200, 200, 200, 503, 503, 503])
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func thoseWhoseEndpointCannotBeReachedAreTriedAgainElsewhere() throws {
        let silent = try FullPort()
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try SteppedGateway(
            origins: [silent.port, origin.port], shared: shared, configure: { $0.limits.connections = 1 },
            routing: {
                $0.retry = .standard
                $0.retry.backOffMilliseconds = 1
            })
        var clients = try Self.ask(gateway, (0..<6).map { "/\($0)" })
        try Self.waitUntilFirstEndpointHasAConnection(gateway)
        gateway.advance(milliseconds: 10_000)
        // The wait before the second try.
        gateway.advance(milliseconds: 100)
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func aRequestThatComesWhileOthersFailHasATryOfItsOwn() throws {
        let silent = try FullPort()
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([silent.port], shared: shared) { $0.connections = 1 }
        // Each is followed by another at once.
        var clients = try (0..<3).map { _ in try gateway.client() }
        for index in clients.indices {
            try clients[index].socket.send(String(repeating: "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", count: 2))
            try gateway.run(until: "the first is read") { shared.limits.pending.now == index + 1 }
        }
        for _ in 0..<2 {
            gateway.advance(milliseconds: 10_000)
            for index in clients.indices {
                #expect(try gateway.answer(&clients[index]).text.hasSuffix("connection timeout"))
                #expect(!clients[index].socket.hasInput)
            }
            // The permit has a way to go.
            for _ in 0..<3 { gateway.worker.loop.tick(wait: false) }
        }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func aReloadChangesTheLimitsInPlace() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, (0..<3).map { "/hold\($0)" })
        try gateway.adopt(generation: 2, origins: [origin.port], shared: shared) { $0.limits.connections = 3 }
        try gateway.run(until: "all are under way") { origin.served.count == 3 }
        origin.release(3)
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.connections.now == 3)
        try gateway.adopt(generation: 3, origins: [origin.port], shared: shared) { $0.limits.connections = 2 }
        #expect(shared.limits.connections.now == 2 && gateway.stats().upstreamConnections == 2)
        try gateway.adopt(generation: 4, origins: [origin.port], shared: shared)
        clients = try Self.ask(gateway, (3..<9).map { "/hold\($0)" })
        try gateway.run(until: "there is no limit any more") { origin.served.count == 9 }
        origin.release(6)
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
    }

    @Test func whatThereWasBeforeALimitCounts() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try SteppedGateway(origins: [origin.port])
        var clients = try Self.ask(gateway, ["/hold0", "/hold1", "/a"])
        #expect(try gateway.answer(&clients[2]).status == 200)
        try gateway.adopt(generation: 2, origins: [origin.port], shared: shared) {
            $0.limits.connections = 2
            $0.limits.requests = 2
        }
        #expect(shared.limits.connections.now == 2 && shared.limits.requests.now == 2)
        #expect(gateway.stats().idleUpstreamConnections == 0)
        origin.release(2)
        for index in 0..<2 { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.connections.now == 2 && shared.limits.requests.now == 0)
    }

    @Test func anEndpointThatLeavesServesThoseThatWaitForIt() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared: shared) { $0.connections = 1 }
        var clients = try Self.ask(gateway, ["/hold0", "/hold1", "/hold2"])
        let other = try HoldingOrigin()
        defer { other.stop() }
        try gateway.adopt(generation: 2, origins: [other.port], shared: shared) { $0.limits.connections = 1 }
        for index in clients.indices {
            origin.release()
            #expect(try gateway.answer(&clients[index]).status == 200)
        }
        #expect(origin.mostAtOnce == 1)
        try gateway.run(until: "the endpoint that has left has no connection") { origin.connections == 0 }
        #expect(shared.limits.connections.now == 0)
    }
}
