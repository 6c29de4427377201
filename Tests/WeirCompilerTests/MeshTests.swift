import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// Services by name, for callers without a sidecar (`--mesh-listen`).
@Suite struct MeshTests {
    private typealias F = Fixture

    private static let versions = ["v1", "v2"].map {
        Fixture.endpoint("10.0.0.\($0.dropFirst())", labels: ["version": $0])
    }
    private let base = [
        Fixture.entry("reviews", ports: [Fixture.port(9080)], versions),
        Fixture.destinationRule(
            "reviews", host: "reviews", subsets: ["v1", "v2"].map { Fixture.subset($0, ["version": $0]) }),
    ]

    private func compiler() -> Compiler {
        Compiler.make { $0.meshListen = MeshAddress(host: "127.0.0.1", port: 15080) }
    }

    private func compile(_ resources: [Resource]) -> Compilation { compiler().compile(base + resources) }

    private func mesh(
        _ name: String, namespace: String = "default", hosts: [String], gateways: [String] = [], created: String? = nil,
        revision: UInt64 = 0, _ http: [HTTPRoute]
    ) -> Resource {
        F.virtualService(
            name, namespace: namespace, hosts: hosts, gateways: gateways, created: created, revision: revision, http)
    }

    /// The routes a request to this Host meets: `match -> destinations`, or `nil` for no virtual host.
    private func routes(_ compilation: Compilation, _ authority: String) -> [String]? {
        guard let listener = compilation.snapshot.listeners.last(where: \.isLiteral) else { return nil }
        var authority = authority
        return authority.withUTF8 { bytes in
            listener.virtualHost(for: UnsafeRawBufferPointer(bytes))?.takeUnretainedValue().specs.map { spec in
                let targets = spec.destinations.map { destination in
                    let name = destination.clusterName.replacing("outbound|", with: "")
                        .replacing(".default.svc.cluster.local", with: "")
                    let share = spec.destinations.count > 1 ? "\(destination.weight) " : ""
                    return share + name + (destination.clusterID < 0 ? " (unknown)" : "")
                }
                let match = spec.conditions.map(\.description).joined(separator: " & ")
                return (match.isEmpty ? "" : match + " -> ") + targets.joined(separator: ", ")
            }
        }
    }

    @Test(arguments: [[], ["mesh"], ["mesh", "gw"]])
    func everyNameOfAServiceLeadsToItsVirtualService(_ gateways: [String]) {
        let result = compile([
            F.gateway(),
            mesh(
                "reviews", hosts: ["reviews"], gateways: gateways, [F.rule(to: ("reviews/v1", 50), ("reviews/v2", 50))]),
        ])
        let full = "reviews.default.svc.cluster.local"
        for name in ["reviews", "reviews.default", "reviews.default.svc", full, full + "."] {
            for authority in [name, name + ":9080", name + ":15080", name.uppercased()] {
                #expect(routes(result, authority) == ["50 9080|v1|reviews, 50 9080|v2|reviews"])
            }
        }
        #expect(routes(result, "ratings") == nil)
        #expect(routes(result, "reviews.other") == nil)
        #expect(result.diagnostics.isEmpty)
        #expect(result.snapshot.listeners.last?.bind == "127.0.0.1")
        #expect(result.snapshot.listeners.last?.port == 15080)
    }

    @Test func aServiceWithoutVirtualServiceIsForwardedTo() {
        let ports = [F.port(80, "http"), F.port(9090, "admin")]
        let result = compile([
            F.entry("ratings", namespace: "shop", ports: ports),
            F.entry("ext", hosts: ["api.example.com"], ports: [F.port(443)]),
        ])
        #expect(routes(result, "reviews") == ["9080||reviews"])
        #expect(routes(result, "ratings.shop:9090") == ["9090||ratings.shop.svc.cluster.local"])
        #expect(routes(result, "ratings") == ["80||ratings.shop.svc.cluster.local"])
        #expect(routes(result, "ratings:7777") == ["80||ratings.shop.svc.cluster.local"])
        #expect(routes(result, "api.example.com") == ["443||api.example.com"])
        #expect(routes(result, "api") == nil)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func withSeveralPortsAndNone80OneMustBeNamed() {
        let result = compile([F.entry("two", ports: [F.port(8080, "a"), F.port(8081, "b")])])
        #expect(routes(result, "two:8081") == ["8081||two"])
        #expect(routes(result, "two") == ["80||two (unknown)"])
    }

    @Test func thePortCalledIsThePortOfMatchesAndDestinations() {
        let ports = [F.port(8080, "a"), F.port(8081, "b")]
        let result = compile([
            F.entry("two", ports: ports),
            mesh("two", hosts: ["two"], [F.rule([F.match(port: 8081)], to: "reviews"), F.rule(to: "two")]),
        ])
        #expect(routes(result, "two:8081") == ["9080||reviews"])
        #expect(routes(result, "two:8080") == ["8080||two"])
    }

    @Test func hostsNobodyDeclaredAndWildcardsAreServed() {
        let result = compile([
            mesh("ext", hosts: ["www.example.com", "*.example.org"], [F.rule(to: "reviews/v1")]),
            mesh(
                "port", hosts: ["p.example.com"],
                [F.rule([F.match(port: 8443)], to: "reviews/v2"), F.rule(to: "reviews/v1")]),
            mesh("short", hosts: ["my-service"], [F.rule(to: "reviews/v2")]),
        ])
        #expect(routes(result, "www.example.com:8080") == ["9080|v1|reviews"])
        #expect(routes(result, "a.b.example.org") == ["9080|v1|reviews"])
        #expect(routes(result, "example.org") == nil)
        #expect(routes(result, "p.example.com") == ["9080|v1|reviews"])
        #expect(routes(result, "p.example.com:8443") == ["9080|v2|reviews"])
        #expect(routes(result, "my-service.default.svc:1") == ["9080|v2|reviews"])
        #expect(result.diagnostics.isEmpty)
    }

    @Test func aWildcardTakesTheServicesBelowItUnlessOneHasItsOwn() {
        let result = compile([
            F.entry("ratings"), F.entry("details", namespace: "shop"),
            mesh("all", hosts: ["*.default.svc.cluster.local"], [F.rule(to: "reviews/v1")]),
            mesh("ratings", hosts: ["ratings"], [F.rule(to: "reviews/v2")]),
        ])
        #expect(routes(result, "reviews") == ["9080|v1|reviews"])
        #expect(routes(result, "ratings") == ["9080|v2|reviews"])
        #expect(routes(result, "details") == ["80||details.shop.svc.cluster.local"])
        #expect(routes(result, "new.default.svc.cluster.local") == ["9080|v1|reviews"])
    }

    @Test func theFirstVirtualServiceOfAHostHasItAlone() throws {
        let result = compile([
            mesh("b", hosts: ["reviews"], created: "2020-01-01T00:00:00Z", [F.rule(to: "reviews/v1")]),
            mesh(
                "a", hosts: ["x.com", "reviews.default.svc.cluster.local"], created: "2021-01-01T00:00:00Z",
                [F.rule([F.match(prefix: "/a")], to: "reviews/v2")]),
        ])
        #expect(routes(result, "reviews") == ["9080|v1|reviews"])
        #expect(routes(result, "x.com") == ["path prefix \"/a\" -> 9080|v2|reviews"])
        #expect(result.findings == ["IST0109 a spec.hosts[1] a.yaml:1"])
        #expect(result.diagnostics[0].message.contains("VirtualService default/b (b.yaml:1)"))
    }

    @Test func aShortNameOfSeveralNamespacesIsTheFirstOnes() {
        let entries = [F.entry("cart", namespace: "a-team"), F.entry("cart"), F.entry("cart", namespace: "b-team")]
        let plain = compile(entries)
        #expect(routes(plain, "cart") == ["80||cart"])
        #expect(routes(plain, "cart.b-team") == ["80||cart.b-team.svc.cluster.local"])
        #expect(plain.findings == ["WEIR0012 cart metadata.name cart.yaml:1"])
        #expect(plain.diagnostics[0].message.contains("cart.a-team.svc.cluster.local, cart.b-team"))
        let routed = compile(
            entries + [
                mesh("vs", namespace: "b-team", hosts: ["cart"], [F.rule(to: "reviews.default.svc.cluster.local/v1")])
            ])
        #expect(routes(routed, "cart") == ["9080|v1|reviews"])
        #expect(routes(routed, "cart.default") == ["80||cart"])
        #expect(routed.diagnostics.map(\.code) == [.ambiguousName])
        #expect(routed.diagnostics[0].resource?.namespace == "b-team")
    }

    @Test func rulesForGatewaysAloneLeaveTheServiceAsItIs() {
        let rule = F.rule([F.match(prefix: "/x", gateways: ["gw"])], to: "reviews/v2")
        let result = compile([
            F.gateway(), mesh("reviews", hosts: ["reviews"], gateways: ["mesh", "gw"], [rule]),
        ])
        #expect(routes(result, "reviews") == ["9080||reviews"])
        let both = compile([
            F.gateway(),
            mesh(
                "reviews", hosts: ["reviews"], gateways: ["mesh", "gw"],
                [F.rule([F.match(prefix: "/m", gateways: ["mesh"])], to: "reviews/v1"), rule]),
        ])
        #expect(routes(both, "reviews") == ["path prefix \"/m\" -> 9080|v1|reviews"])
        #expect(
            both.routes.hasPrefix(
                "80 reviews.default.svc.cluster.local\n  path prefix \"/x\" -> 9080|v2|reviews\n127.0.0.1:15080"))
    }

    @Test func withoutTheListenerEachIsReportedOnceWithWhatToAdd() {
        for gateways in [[], ["mesh"]] {
            let service = mesh(
                "reviews", hosts: ["reviews"], gateways: gateways, [F.rule(to: "nowhere"), F.rule(to: "x")])
            let result = Compiler.make().compile(base + [F.gateway(), service])
            #expect(result.findings == ["WEIR0008 reviews spec.gateways reviews.yaml:1"])
            #expect(result.diagnostics[0].message.contains("--mesh-listen HOST:PORT"))
            #expect(result.diagnostics[0].message.contains("`gateways: [<name of a Gateway>]`"))
        }
    }

    @Test func destinationsOfTheMeshAreChecked() {
        let result = compile([mesh("reviews", hosts: ["reviews"], [F.rule(to: "reviews/v3")])])
        #expect(routes(result, "reviews") == ["9080|v3|reviews (unknown)"])
        #expect(result.findings == ["IST0101 reviews spec.http[0].route[0].destination.subset reviews.yaml:30"])
    }

    @Test func anEditRecompilesItsServiceAlone() throws {
        let compiler = compiler()
        func services(_ weight: Int, revision: UInt64) -> [Resource] {
            [
                mesh(
                    "reviews", hosts: ["reviews"], revision: revision,
                    [F.rule(to: ("reviews/v1", weight), ("reviews/v2", 1))]),
                mesh("ratings", hosts: ["ratings"], revision: 1, [F.rule(to: "ratings")]), F.entry("ratings"),
                F.entry("plain"),
            ]
        }
        let first = compiler.compile(base + services(1, revision: 1))
        #expect(first.recompiledVirtualHosts == 3)
        let second = compiler.compile(base + services(9, revision: 2))
        #expect(second.recompiledVirtualHosts == 1)
        #expect(second.recompiledClusters == 0)
        #expect(routes(second, "reviews") == ["9 9080|v1|reviews, 1 9080|v2|reviews"])
        let added = compiler.compile(base + services(9, revision: 2) + [F.entry("more")])
        #expect(added.recompiledVirtualHosts == 1)
        #expect(routes(added, "more") == ["80||more"])
        let gone = compiler.compile(base + services(9, revision: 2).dropLast())
        #expect(gone.recompiledVirtualHosts == 0)
        #expect(routes(gone, "plain") == nil)
    }

    @Test func theListenerIsThereWithoutServices() {
        let result = compiler().compile([])
        #expect(result.snapshot.listeners.map(\.port) == [15080])
    }
}
