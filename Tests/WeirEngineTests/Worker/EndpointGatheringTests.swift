import Testing
import WeirTestSupport

@testable import WeirEngine

/// What workers tell of their endpoints.
@Suite struct EndpointGatheringTests {
    /// The sums, and how many replies they came in.
    private func gather(_ engine: Engine) throws -> (loads: EndpointLoads, replies: Int) {
        let answer = Guarded<EndpointLoads?>(nil)
        let replies = Guarded(0)
        engine.gatherEndpoints(
            execute: { work in
                replies.withLock { $0 += 1 }
                work()
            },
            { loads in answer.withLock { $0 = loads } })
        try eventually("the workers answer") { answer.withLock { $0 != nil } }
        return (try #require(answer.withLock { $0 }), replies.withLock { $0 })
    }

    @Test func connectionsOfAllWorkersAreSummed() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 3)
        let address = "127.0.0.1:\(origin.port)"
        #expect(try gather(gateway.engine).loads[cluster: 0, address: address] == EndpointLoad())
        var clients = try (0..<12).map { _ in try gateway.client() }
        for index in clients.indices { #expect(try clients[index].request("GET", "/").status == 200) }
        let found = try gather(gateway.engine)
        let load = found.loads[cluster: 0, address: address]
        #expect((1...12).contains(load.connections))
        #expect(load.idleConnections == load.connections)
        #expect(load.activeRequests == 0)
        #expect(found.replies == 3)
    }

    @Test func aRequestBeingServedIsActive() throws {
        let origin = try SlowOrigin()
        let gateway = try GatewayFixture(origins: [origin.port])
        let client = try gateway.client()
        try client.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nhost: example.com\r\n\r\n")
        try eventually("the request is under way") {
            try gather(gateway.engine).loads[cluster: 0, address: "127.0.0.1:\(origin.port)"].activeRequests == 1
        }
        withExtendedLifetime(client) {}
    }

    @Test func manyEndpointsAreListedInPieces() throws {
        let gateway = try GatewayFixture(origins: Array(1...2 * EndpointGathering.endpointsPerReply + 1))
        // No worker knows a cluster before its first request.
        #expect(try gather(gateway.engine).replies == 1)
        var client = try gateway.client()
        _ = try client.request("GET", "/")
        #expect(try gather(gateway.engine).replies == 3)
    }
}
