import Testing
import WeirTestSupport

/// Which VirtualService takes a host.
@Suite struct HostTests {
    private static let services = ["exact", "long", "short", "rest"]

    private func server(
        _ origin: EchoOrigin, gatewayHosts: [String] = ["*"], withRest: Bool = true
    ) throws
        -> RunningServer
    {
        // Every service is the same origin under another loopback address, which it names in its answers.
        let entries = Self.services.enumerated().map { index, name in
            Documents.serviceEntry(
                name, endpoints: [Documents.Endpoint(address: "127.0.2.\(index)", port: origin.port)])
        }
        var routes = [
            Documents.virtualService("a", hosts: ["*.example.com"], to: "short"),
            Documents.virtualService("b", hosts: ["*.shop.example.com"], to: "long"),
            Documents.virtualService("c", hosts: ["www.shop.example.com"], to: "exact"),
        ]
        if withRest { routes.append(Documents.virtualService("d", hosts: ["*"], to: "rest")) }
        return try RunningServer.live([Documents.gateway(hosts: gatewayHosts)] + routes + entries)
    }

    private func service(_ server: RunningServer, host: String) throws -> String {
        let answer = try server.get(host: host)
        guard let place = answer["x-backend"]?.split(separator: ".").last.flatMap({ Int($0) }) else {
            return "\(answer.status) \(answer.text)"
        }
        return Self.services[place]
    }

    @Test(arguments: [
        ("www.shop.example.com", "exact"), ("WWW.Shop.Example.COM", "exact"), ("www.shop.example.com:8080", "exact"),
        ("img.shop.example.com", "long"), ("a.b.shop.example.com", "long"), ("shop.example.com", "short"),
        ("www.example.com", "short"), ("example.com", "rest"), ("another.org", "rest"), ("127.0.0.1", "rest"),
    ])
    func theMostSpecificHostWins(host: String, expected: String) throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        #expect(try service(server(origin), host: host) == expected)
    }

    @Test func aHostNobodyNamesIsNotFound() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try server(origin, withRest: false)
        #expect(try service(server, host: "another.org") == "404 ")
        #expect(try service(server, host: "www.example.com") == "short")
    }

    @Test func theGatewayLimitsTheHosts() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try server(origin, gatewayHosts: ["*.shop.example.com"])
        #expect(try service(server, host: "www.shop.example.com") == "exact")
        // Both wildcards shrink to the Gateway's and are joined there; the first by name goes first.
        #expect(try service(server, host: "img.shop.example.com") == "short")
        #expect(try service(server, host: "www.example.com") == "404 ")
        #expect(try service(server, host: "another.org") == "404 ")
    }

    @Test func servicesOfOneHostAreJoined() throws {
        let backends = try Backends(3)
        func branch(_ name: String, _ version: Int) -> String {
            Documents.virtualService(
                name,
                http: """
                    - match: [{headers: {x-branch: {exact: \(name)}}}]
                      route: [{destination: {host: shop, subset: v\(version)}}]
                    """)
        }
        let server = try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService("a-main", http: "- route: [{destination: {host: shop, subset: v1}}]"),
            branch("b-search", 2), branch("c-checkout", 3),
            Documents.destinationRule("shop", versions: ["v1", "v2", "v3"]),
            Documents.serviceEntry("shop", ports: backends.ports),
        ])
        #expect(try server.tally(5) == ["v1": 5])
        #expect(try server.tally(5, headers: [("x-branch", "b-search")]) == ["v2": 5])
        #expect(try server.tally(5, headers: [("x-branch", "c-checkout")]) == ["v3": 5])
    }
}
