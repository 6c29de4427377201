import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

@Suite struct ClusterTests {
    private typealias F = Fixture

    /// Compiles one service that routes to the targets named, one rule each.
    private func compile(_ targets: [String], _ resources: [Resource], gatewayPort: Int = 80) -> Compilation {
        let rules = targets.enumerated().map { F.rule([F.match(exact: "/\($0.offset)")], to: $0.element) }
        return Compiler.make().compile(
            [F.gateway([F.server(port: gatewayPort)]), F.virtualService(rules)] + resources)
    }

    // MARK: Destinations

    @Test func namesWithoutDotBelongToTheNamespace() {
        let result = compile(
            ["alpha", "alpha.default.svc.cluster.local", "ALPHA", "alpha.default", "example.com"],
            [F.entry("alpha"), F.entry("ext", hosts: ["example.com"])])
        let destinations = result.snapshot.describe().listeners[0].hosts[0].routes.map { $0.destinations[0] }
        #expect(destinations.map(\.isKnown) == [true, true, true, false, true])
        #expect(result.findings == ["IST0101 vs spec.http[3].route[0].destination.host vs.yaml:30"])
        #expect(
            result.snapshot.clusters.map(\.spec.name) == [
                "outbound|80||alpha.default.svc.cluster.local", "outbound|80||example.com",
            ])
    }

    @Test func aMissingDestinationHasNoCluster() {
        let result = compile(["alpha/v9", "alpha:81", "nowhere", "alpha"], [F.entry("alpha")])
        #expect(
            result.routes == """
                80 *
                  path exact "/0" -> 80|v9|alpha (unknown)
                  path exact "/1" -> 81||alpha (unknown)
                  path exact "/2" -> 80||nowhere (unknown)
                  path exact "/3" -> 80||alpha
                """)
        #expect(
            result.findings == [
                "IST0101 vs spec.http[0].route[0].destination.subset vs.yaml:30",
                "IST0101 vs spec.http[1].route[0].destination.port vs.yaml:30",
                "IST0101 vs spec.http[2].route[0].destination.host vs.yaml:30",
            ])
        #expect(result.diagnostics[1].message.contains("Its ports are 80"))
    }

    @Test func onlyTheBrokenShareFails() {
        let result = Compiler.make().compile([
            F.gateway(), F.entry("alpha"),
            F.virtualService([F.rule(to: ("alpha", 50), ("nowhere", 50), ("alpha:81", 0))]),
        ])
        #expect(result.routes == "80 *\n  * -> 50 80||alpha, 50 80||nowhere (unknown), 0 81||alpha (unknown)")
        #expect(result.snapshot.clusters.count == 1)
    }

    @Test func thePortIsNamedOrTheOnlyOneOrTheGateways() {
        let ports = [F.port(8080, "one"), F.port(9090, "two")]
        let many = F.entry("many", ports: ports, [F.endpoint("10.0.0.1", ports: ["one": 1001])])
        let result = compile(["many:9090", "many"], [many], gatewayPort: 8080)
        #expect(result.clusters == "9090||many: 10.0.0.1:9090, LEAST_REQUEST\n8080||many: 10.0.0.1:1001, LEAST_REQUEST")
        #expect(result.findings == ["IST0112 vs spec.http[1].route[0].destination.port vs.yaml:30"])
        let elsewhere = compile(["many"], [many])
        #expect(
            elsewhere.findings == [
                "IST0101 vs spec.http[0].route[0].destination.port vs.yaml:30",
                "IST0112 vs spec.http[0].route[0].destination.port vs.yaml:30",
            ])
    }

    // MARK: Endpoints

    @Test func endpointPortsComeFromTheMostSpecificPlace() {
        let result = compile(
            ["alpha"],
            [
                F.entry(
                    "alpha", ports: [F.port(80, target: 8080)],
                    [
                        F.endpoint("10.0.0.1", ports: ["http": 9000]), F.endpoint("10.0.0.2", weight: 3),
                        F.endpoint("unix:///run/a.sock", weight: 0), F.endpoint("2001:db8::1"),
                        F.endpoint("10.0.0.2", weight: 3),
                    ])
            ])
        #expect(
            result.clusters
                == "80||alpha: 10.0.0.1:9000 10.0.0.2:8080*3 /run/a.sock [2001:db8::1]:8080, LEAST_REQUEST")
    }

    @Test func resolutionsThatOnlyAMeshServesGiveNoEndpoint() {
        let result = compile(
            ["c", "d"],
            [
                F.entry("c", resolution: .none, []),
                F.entry("d", resolution: .dynamicDNS, [F.endpoint("10.0.0.1")]),
            ])
        #expect(result.clusters == "80||c: , LEAST_REQUEST\n80||d: , LEAST_REQUEST")
        #expect(result.findings == ["WEIR0009 c spec.resolution c.yaml:1", "WEIR0009 d spec.resolution d.yaml:1"])
    }

    @Test func entriesOfOneNamespaceMergeAndTheOldestWinsOtherwise() {
        let host = ["shared.example.com"]
        let result = compile(
            ["shared.example.com:80", "shared.example.com:81"],
            [
                F.entry("a", hosts: host, [F.endpoint("10.0.0.1")]),
                F.entry("b", hosts: host, ports: [F.port(80), F.port(81, "other")], [F.endpoint("10.0.0.2")]),
                F.entry("c", namespace: "late", hosts: host, created: "2024-01-01T00:00:00Z", [F.endpoint("10.0.0.3")]),
                F.entry("d", namespace: "away", hosts: ["x.com"], exportTo: ["."]),
            ])
        #expect(
            result.clusters == """
                80||shared.example.com: 10.0.0.1:80 10.0.0.2:80, LEAST_REQUEST
                81||shared.example.com: 10.0.0.2:81, LEAST_REQUEST
                """)
        #expect(
            compile(["x.com"], [F.entry("d", namespace: "away", hosts: ["x.com"], exportTo: ["."])]).findings.count == 1
        )
    }

    // MARK: DestinationRules

    private let versions = Fixture.entry(
        "alpha",
        [
            Fixture.endpoint("10.0.0.1", labels: ["version": "v1", "zone": "east"]),
            Fixture.endpoint("10.0.0.2", labels: ["version": "v2", "zone": "east"]),
        ])

    @Test func subsetsTakeEndpointsWithAllTheirLabels() {
        let rule = F.destinationRule(
            "alpha", host: "alpha",
            subsets: [
                F.subset("v1", ["version": "v1"]), F.subset("east", ["zone": "east"]), F.subset("all"),
                F.subset("none", ["version": "v3"]), F.subset("both", ["version": "v2", "zone": "west"]),
            ])
        let result = compile(["alpha/v1", "alpha/east", "alpha/all", "alpha/none", "alpha/both"], [versions, rule])
        #expect(
            result.clusters == """
                80|v1|alpha: 10.0.0.1:80, LEAST_REQUEST
                80|east|alpha: 10.0.0.1:80 10.0.0.2:80, LEAST_REQUEST
                80|all|alpha: 10.0.0.1:80 10.0.0.2:80, LEAST_REQUEST
                80|none|alpha: , LEAST_REQUEST
                80|both|alpha: , LEAST_REQUEST
                """)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func blocksAreReplacedWhole() {
        let rule = F.destinationRule(
            "alpha", host: "alpha",
            subsets: [
                F.subset("inherits"), F.subset("pool", policy: F.policy(connect: 5)),
                F.subset("balancer", policy: F.policy(.random)),
                F.subset("port", policy: F.policy(.random, ports: [F.portPolicy(80, .leastRequest)])),
            ],
            policy: F.policy(.roundRobin, connect: 1, idle: 2))
        let result = compile(
            ["alpha/inherits", "alpha/pool", "alpha/balancer", "alpha/port", "alpha"], [versions, rule])
        #expect(
            result.clusters.split(separator: "\n").map { $0.drop { $0 != "," } } == [
                ", ROUND_ROBIN connect 1 idle 2", ", ROUND_ROBIN connect 5", ", RANDOM connect 1 idle 2",
                ", LEAST_REQUEST", ", ROUND_ROBIN connect 1 idle 2",
            ])
    }

    @Test func aPortsPolicyInheritsNothing() {
        let rule = F.destinationRule(
            "alpha", host: "alpha", subsets: [F.subset("s", policy: F.policy(.roundRobin))],
            policy: F.policy(.random, idle: 9, ports: [F.portPolicy(80, connect: 3), F.portPolicy(81, .roundRobin)]))
        let result = compile(["alpha", "alpha/s"], [versions, rule])
        #expect(
            result.clusters == """
                80||alpha: 10.0.0.1:80 10.0.0.2:80, LEAST_REQUEST connect 3
                80|s|alpha: 10.0.0.1:80 10.0.0.2:80, ROUND_ROBIN connect 3
                """)
    }

    @Test func anExactHostBeatsTheLongestWildcard() {
        let rules = [
            F.destinationRule("star", host: "*", policy: F.policy(connect: 1)),
            F.destinationRule("short", host: "*.local", policy: F.policy(connect: 2)),
            F.destinationRule("long", host: "*.default.svc.cluster.local", policy: F.policy(connect: 3)),
            F.destinationRule("exact", host: "alpha", policy: F.policy(connect: 4)),
        ]
        for (dropped, expected) in [(0, 4), (1, 3), (2, 2), (3, 1)] {
            let result = compile(["alpha"], [versions] + rules.dropLast(dropped))
            #expect(result.clusters.hasSuffix("connect \(expected)"))
        }
    }

    @Test func levelsNeverMerge() {
        let gateway = F.destinationRule("a", host: "*.shop.svc.cluster.local", policy: F.policy(connect: 1))
        let own = F.destinationRule(
            "b", namespace: "shop", host: "alpha", subsets: [F.subset("v1")], policy: F.policy(connect: 2))
        let root = F.destinationRule(
            "c", namespace: "istio-system", host: "alpha.shop.svc.cluster.local", policy: F.policy(connect: 3))
        let other = F.destinationRule(
            "d", namespace: "other", host: "alpha.shop.svc.cluster.local", policy: F.policy(connect: 4))
        let hidden = F.destinationRule(
            "b", namespace: "shop", host: "alpha", policy: F.policy(connect: 2), exportTo: ["."])
        let service = F.entry("alpha", namespace: "shop")
        let target = "alpha.shop.svc.cluster.local"
        func suffix(_ rules: Resource...) -> String { String(compile([target], [service] + rules).clusters.suffix(9)) }
        #expect(suffix(gateway, own, root, other) == "connect 1")
        #expect(suffix(own, root, other) == "connect 2")
        #expect(suffix(hidden, root, other) == "connect 3")
        #expect(suffix(other).hasSuffix("REQUEST"))
        // The rule in force lacks the subset, though another level has it.
        #expect(compile([target + "/v1"], [service, gateway, own]).findings.count == 1)
    }

    @Test func rulesOfOneHostMerge() {
        let result = compile(
            ["alpha/v1", "alpha/v2"],
            [
                versions, F.destinationRule("a", host: "alpha", subsets: [F.subset("v1", ["version": "v1"])]),
                F.destinationRule(
                    "b", host: "alpha.default.svc.cluster.local",
                    subsets: [F.subset("v1", ["version": "v2"]), F.subset("v2", ["version": "v2"])],
                    policy: F.policy(.random)),
                F.destinationRule("c", host: "alpha", policy: F.policy(.roundRobin)),
            ])
        #expect(result.clusters == "80|v1|alpha: 10.0.0.1:80, RANDOM\n80|v2|alpha: 10.0.0.2:80, RANDOM")
    }
}
