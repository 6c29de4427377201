import Testing
import WeirTestSupport

@testable import WeirEngine

/// Other endpoints in the same generation, as DNS gives them.
@Suite struct EndpointUpdateTests {
    private func origin(_ name: String) throws -> OriginServer { try OriginServer(name: name) }

    private func backend(_ client: inout TestClient) throws -> String {
        try client.request("GET", "/", host: "example.com")["x-backend"] ?? "none"
    }

    private func next(_ snapshot: Snapshot, _ origins: [Int], name: String? = nil) throws -> Snapshot {
        let plans = try GatewayFixture.snapshot(listeners: [], origins: origins) { $0.logicalName = name }.clusters
        return Snapshot(
            generation: snapshot.generation, listeners: snapshot.listeners, clusters: plans, clusterCapacity: 1)
    }

    @Test func theClustersNamedTakeOverOthersStay() throws {
        let origins = try [origin("one"), origin("two")]
        defer { for origin in origins { origin.stop() } }
        let gateway = try GatewayFixture(origins: [])
        let snapshot = try GatewayFixture.snapshot(listeners: [gateway.port], origins: [])
        _ = try gateway.publish(snapshot)
        var client = try gateway.client()
        #expect(try client.request("GET", "/", host: "example.com").status == 503)
        gateway.engine.publishEndpoints(try next(snapshot, [origins[0].port]), clusters: [0])
        try eventually("the endpoint is there") { try backend(&client) == "one" }
        let last = try next(snapshot, [origins[1].port])
        // Told to look at nothing, a worker does not look.
        gateway.engine.publishEndpoints(last, clusters: [])
        _ = try gateway.stats()
        #expect(try backend(&client) == "one")
        gateway.engine.publishEndpoints(last, clusters: [0])
        try eventually("the other endpoint is there") { try backend(&client) == "two" }
        #expect(try gateway.stats().pinnedGenerations == 1)
    }

    @Test func aClusterNobodyNeededYetIsMadeOfTheNewestPlan() throws {
        let origin = try origin("one")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [])
        let snapshot = try GatewayFixture.snapshot(listeners: [gateway.port], origins: [])
        _ = try gateway.publish(snapshot)
        gateway.engine.publishEndpoints(try next(snapshot, [origin.port]), clusters: [0])
        _ = try gateway.stats()
        var client = try gateway.client()
        #expect(try backend(&client) == "one")
    }

    @Test func connectionsToALogicalEndpointAreUsedOnWhenItsAddressChanges() throws {
        let origins = try [origin("one"), origin("two")]
        defer { for origin in origins { origin.stop() } }
        let gateway = try GatewayFixture(origins: [origins[0].port]) { $0.logicalName = "x.com:80" }
        let snapshot = try GatewayFixture.snapshot(listeners: [gateway.port], origins: [origins[0].port]) {
            $0.logicalName = "x.com:80"
        }
        _ = try gateway.publish(snapshot)
        var client = try gateway.client()
        #expect(try backend(&client) == "one")
        gateway.engine.publishEndpoints(try next(snapshot, [origins[1].port], name: "x.com:80"), clusters: [0])
        _ = try gateway.stats()
        #expect(try backend(&client) == "one")
        // Another name is another service.
        gateway.engine.publishEndpoints(try next(snapshot, [origins[1].port], name: "y.com:80"), clusters: [0])
        _ = try gateway.stats()
        #expect(try backend(&client) == "two")
    }

    @Test func aConnectionThatIsNeededAnewGoesToTheNewAddressOfALogicalEndpoint() throws {
        let slow = try SlowOrigin()
        let other = try origin("two")
        defer { other.stop() }
        let name = "x.com:80"
        let gateway = try GatewayFixture(origins: [slow.port]) { $0.logicalName = name }
        let snapshot = try GatewayFixture.snapshot(listeners: [gateway.port], origins: [slow.port]) {
            $0.logicalName = name
        }
        _ = try gateway.publish(snapshot)
        var first = try gateway.client()
        try first.socket.send("GET \(SlowOrigin.Target.insideBody) HTTP/1.1\r\nhost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is being answered")
        gateway.engine.publishEndpoints(try next(snapshot, [other.port], name: name), clusters: [0])
        _ = try gateway.stats()
        var second = try gateway.client()
        #expect(try backend(&second) == "two")
        slow.finish()
        #expect(try first.response().text == SlowOrigin.Target.body)
    }
}
