import Testing
import WeirTestSupport

/// Several Gateways and ports in one server.
@Suite struct GatewayTests {
    private func server(_ backends: Backends, http: [String]) throws -> RunningServer {
        try RunningServer.live(
            [
                Documents.gateway("public", ports: [80, 8080]), Documents.gateway("internal", ports: [9000]),
            ] + http + [
                Documents.destinationRule("shop", versions: ["v1", "v2", "v3"]),
                Documents.serviceEntry("shop", ports: backends.ports),
            ], ports: [80, 8080, 9000])
    }

    private func backend(_ server: RunningServer, port: Int, _ target: String = "/") throws -> String {
        let answer = try server.get(target, port: port)
        return answer["x-backend"] ?? "\(answer.status)"
    }

    @Test func aServiceServesOnlyTheGatewaysItNames() throws {
        let backends = try Backends(3)
        let server = try server(
            backends,
            http: [
                Documents.virtualService(
                    "a", gateways: ["public"], http: "- route: [{destination: {host: shop, subset: v1}}]"),
                Documents.virtualService(
                    "b", hosts: ["example.com"], gateways: ["internal"],
                    http: "- route: [{destination: {host: shop, subset: v2}}]"),
            ])
        #expect(try backend(server, port: 80) == "v1")
        #expect(try backend(server, port: 8080) == "v1")
        #expect(try backend(server, port: 9000) == "v2")
        #expect(try server.get(host: "another.org", port: 9000).status == 404)
    }

    @Test func rulesMayAskForAPortOrAGateway() throws {
        let backends = try Backends(3)
        let server = try server(
            backends,
            http: [
                Documents.virtualService(
                    gateways: ["public", "internal"],
                    http: """
                        - match: [{port: 8080, uri: {prefix: /}}]
                          route: [{destination: {host: shop, subset: v2}}]
                        - match: [{gateways: [internal], uri: {prefix: /admin}}]
                          route: [{destination: {host: shop, subset: v3}}]
                        - route: [{destination: {host: shop, subset: v1}}]
                        """)
            ])
        #expect(try backend(server, port: 80) == "v1")
        #expect(try backend(server, port: 8080) == "v2")
        #expect(try backend(server, port: 9000) == "v1")
        #expect(try backend(server, port: 9000, "/admin") == "v3")
        #expect(try backend(server, port: 80, "/admin") == "v1")
        let listeners = try server.status().listeners
        #expect(listeners.map(\.port) == [80, 8080, 9000])
        #expect(listeners.map(\.localPort) == [80, 8080, 9000].map { server.ports[$0] ?? 0 })
        #expect(listeners.allSatisfy { $0.listening && $0.problem == nil })
    }
}
