import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Which service a name means, and which endpoints it has.
@Suite struct RegistryTests {
    private typealias F = Fixture

    private func compile(_ targets: [String], namespace: String = "default", _ resources: [Resource]) -> Compilation {
        let rules = targets.enumerated().map { F.rule([F.match(exact: "/\($0.offset)")], to: $0.element) }
        return Compiler.make().compile(
            [F.gateway(), F.virtualService("vs", namespace: namespace, gateways: ["default/gw"], rules)] + resources)
    }

    // MARK: Precedence

    @Test func theVirtualServicesNamespaceComesFirstThenTheOldest() {
        let host = ["shared.example.com"]
        let entries = [
            F.entry("a", namespace: "one", hosts: host, created: "2024-01-01T00:00:00Z", [F.endpoint("10.0.0.1")]),
            F.entry("b", namespace: "two", hosts: host, created: "2024-01-02T00:00:00Z", [F.endpoint("10.0.0.2")]),
            F.entry("c", namespace: "two", hosts: host, created: "2024-01-03T00:00:00Z", [F.endpoint("10.0.0.3")]),
        ]
        func endpoints(_ namespace: String) -> String {
            compile(["shared.example.com"], namespace: namespace, entries).clusters
        }
        #expect(endpoints("one") == "80||shared.example.com: 10.0.0.1:80, LEAST_REQUEST")
        #expect(endpoints("two") == "80||shared.example.com: 10.0.0.2:80 10.0.0.3:80, LEAST_REQUEST")
        #expect(endpoints("three") == "80||shared.example.com: 10.0.0.1:80, LEAST_REQUEST")
    }

    @Test func twoNamespacesMayMeanTwoServicesByOneName() {
        let host = ["shared.example.com"]
        let compiler = Compiler.make()
        func all(_ last: String) -> [Resource] {
            [
                F.gateway(), F.entry("a", namespace: "one", hosts: host, [F.endpoint("10.0.0.1")]),
                F.entry("b", namespace: "two", hosts: host, [F.endpoint(last)]),
            ]
                + ["one", "two"].map {
                    F.virtualService(
                        $0, namespace: $0, hosts: ["\($0).com"], gateways: ["default/gw"], [F.rule(to: host[0])])
                }
        }
        #expect(
            compiler.compile(all("10.0.0.2")).clusters
                == "80||shared.example.com: 10.0.0.1:80, LEAST_REQUEST\n80||shared.example.com: 10.0.0.2:80, LEAST_REQUEST"
        )
        let second = compiler.compile(all("10.0.0.3"))
        #expect(second.clusters.hasSuffix("10.0.0.3:80, LEAST_REQUEST") && second.recompiledClusters == 1)
    }

    @Test func aKubernetesServiceWinsEverywhere() {
        let host = ["web.default.svc.cluster.local"]
        let result = compile(
            host, namespace: "two",
            [
                F.entry("e", namespace: "two", hosts: host), F.service("web"),
                F.slice("s", of: "web", [F.sliceEndpoint("10.9.9.9")]),
            ])
        #expect(result.clusters == "80||web: 10.9.9.9:8080, LEAST_REQUEST")
    }

    @Test func aServiceIsVisibleWhereItsAnnotationSays() {
        var service = F.service("web", namespace: "away")
        let target = "web.away.svc.cluster.local"
        for (exportTo, isVisible) in [("*", true), ("x, default", true), (".", false), ("x", false)] {
            service.metadata.annotations["networking.istio.io/exportTo"] = exportTo
            #expect(compile([target], [service]).diagnostics.isEmpty == isVisible)
        }
    }

    // MARK: Slices

    @Test func ofAnAddressInTwoSlicesTheYoungerKnows() {
        let (old, new) = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
        let pods = [F.pod("p", ["version": "v1"]), F.pod("q", ["version": "v2"])]
        let result = compile(
            ["web", "web/v2"],
            pods + [
                F.service("web"), F.destinationRule("web", host: "web", subsets: [F.subset("v2", ["version": "v2"])]),
                F.slice(
                    "a", of: "web", created: new,
                    [F.sliceEndpoint("10.0.0.1", pod: "q"), F.sliceEndpoint("10.0.0.2", ready: false)]),
                F.slice(
                    "b", of: "web", created: old,
                    [
                        F.sliceEndpoint("10.0.0.1", pod: "p"), F.sliceEndpoint("10.0.0.2"), F.sliceEndpoint("10.0.0.3"),
                    ]),
            ])
        #expect(
            result.clusters == """
                80||web: 10.0.0.3:8080 10.0.0.1:8080, LEAST_REQUEST
                80|v2|web: 10.0.0.1:8080, LEAST_REQUEST
                """)
    }

    @Test func localitiesAreLabelsThatSubsetsMayName() {
        var endpoint = F.sliceEndpoint("10.0.0.1", pod: "p")
        (endpoint.zone, endpoint.nodeName) = ("z1", "n1")
        var listed = F.endpoint("10.0.0.2", labels: ["topology.kubernetes.io/zone": "wrong"])
        listed.locality = "r1/z2/s1"
        let zone = "topology.kubernetes.io/zone"
        let result = compile(
            ["web/z1", "web/node", "e/z2", "e/sub", "e/both"],
            [
                F.service("web"), F.pod("p", ["app": "x"]), F.slice("s", of: "web", [endpoint]),
                F.destinationRule(
                    "web", host: "web",
                    subsets: [
                        F.subset("z1", [zone: "z1", "app": "x"]), F.subset("node", ["kubernetes.io/hostname": "n1"]),
                    ]),
                F.entry("e", [listed, F.endpoint("10.0.0.3", labels: ["istio-locality": "r1.z2"])]),
                F.destinationRule(
                    "e", host: "e",
                    subsets: [
                        F.subset("z2", [zone: "z2"]), F.subset("sub", ["topology.istio.io/subzone": "s1"]),
                        F.subset("both", ["topology.kubernetes.io/region": "r1"]),
                    ]),
            ])
        #expect(
            result.clusters == """
                80|z1|web: 10.0.0.1:8080, LEAST_REQUEST
                80|node|web: 10.0.0.1:8080, LEAST_REQUEST
                80|z2|e: 10.0.0.2:80 10.0.0.3:80, LEAST_REQUEST
                80|sub|e: 10.0.0.2:80, LEAST_REQUEST
                80|both|e: 10.0.0.2:80 10.0.0.3:80, LEAST_REQUEST
                """)
    }

    // MARK: Workloads

    @Test func anEntrySelectsPodsAndWorkloadEntriesOfItsNamespace() {
        let resources = [
            F.selecting("sel", ["app": "x"], ports: [F.port(80, target: 8080)]),
            F.pod("p", ["app": "x"], address: "10.0.0.1"), F.pod("q", ["app": "x"], address: "10.0.0.2", ready: false),
            F.workload(
                "w1", F.endpoint("10.0.0.3", ports: ["http": 90], labels: ["app": "x", "v": "spec"], weight: 3)),
            F.workload("w2", F.endpoint("10.0.0.4", labels: ["app": "x"]), labels: ["app": "y"]),
            F.workload("w3", F.endpoint("unix:///run/w.sock"), labels: ["app": "x"]),
            F.workload("w4", F.endpoint("w4.example.com"), labels: ["app": "x"]),
            F.workload("w5", namespace: "other", F.endpoint("10.0.0.5"), labels: ["app": "x"]),
        ]
        let result = compile(["sel"], resources)
        #expect(result.clusters == "80||sel: 10.0.0.1:8080 10.0.0.3:90*3 /run/w.sock, LEAST_REQUEST")
        #expect(result.findings == ["WEIR0003 w4 spec.address w4.yaml:1"])
    }

    @Test func aServiceSelectsWorkloadEntriesToo() {
        var named = F.port(81, "admin")
        named.targetPortName = "adm"
        let result = compile(
            ["web:80", "web:81", "vm"],
            [
                F.service("web", ports: [F.port(80, target: 8081), named], selector: ["app": "x"]),
                F.slice("s", of: "web", [F.sliceEndpoint("10.0.0.1")]),
                F.workload("w", F.endpoint("10.0.0.2", ports: ["adm": 9]), labels: ["app": "x"]),
                F.service("vm", selector: ["app": "x"]), F.service("none"),
            ])
        #expect(
            result.clusters == """
                80||web: 10.0.0.1:8080 10.0.0.2:8081, LEAST_REQUEST
                81||web: 10.0.0.2:9, LEAST_REQUEST
                80||vm: 10.0.0.2:80, LEAST_REQUEST
                """)
        #expect(result.names.isEmpty)
    }

    @Test func aWorkloadThatAppearsOrChangesIsSeenAtOnce() {
        let compiler = Compiler.make()
        let base = [F.gateway(), F.virtualService([F.rule(to: "sel")]), F.selecting("sel", ["app": "x"])]
        #expect(compiler.compile(base).clusters == "80||sel: , LEAST_REQUEST")
        let one = F.workload("w", F.endpoint("10.0.0.1"), labels: ["app": "x"])
        let second = compiler.compile(base + [one])
        #expect(second.clusters == "80||sel: 10.0.0.1:80, LEAST_REQUEST" && second.recompiledVirtualHosts == 0)
        let other = F.workload("w", F.endpoint("10.0.0.2"), labels: ["app": "x"])
        #expect(compiler.compile(base + [other]).clusters == "80||sel: 10.0.0.2:80, LEAST_REQUEST")
    }
}
