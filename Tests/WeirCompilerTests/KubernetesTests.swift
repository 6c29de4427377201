import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

@Suite struct KubernetesTests {
    private typealias F = Fixture

    private func slice(
        _ name: String, of service: String, ports: [(String, Int)] = [("http", 8080)], type: String = "IPv4",
        _ endpoints: [EndpointSlice.Endpoint]
    ) -> Resource {
        var slice = EndpointSlice()
        slice.serviceName = service
        slice.addressType = type
        slice.ports = ports.map { name, number in
            var port = EndpointSlice.Port()
            port.name = name
            port.port = number
            return port
        }
        slice.endpoints = endpoints
        return F.resource(.endpointSlice, name, "default", .endpointSlice(slice))
    }

    private func compile(_ targets: [String], _ resources: [Resource]) -> Compilation {
        let rules = targets.enumerated().map { F.rule([F.match(exact: "/\($0.offset)")], to: $0.element) }
        return Compiler.make().compile([F.gateway(), F.virtualService(rules)] + resources)
    }

    @Test func slicesJoinByPortNameAndPodsGiveLabels() {
        let result = compile(
            ["web/one", "web", "web:90"],
            [
                F.service("web", ports: [F.port(80), F.port(90, "admin")]),
                F.pod("web-1", ["version": "v1"]), F.pod("web-2", ["version": "v2"]),
                slice(
                    "s1", of: "web",
                    [
                        F.sliceEndpoint("10.0.0.1", pod: "web-1"),
                        F.sliceEndpoint("10.0.0.9", pod: "web-1", ready: false),
                    ]),
                slice(
                    "s2", of: "web", ports: [("http", 8081), ("admin", 9)],
                    [F.sliceEndpoint("10.0.0.2", pod: "web-2"), F.sliceEndpoint("10.0.0.3")]),
                slice("s3", of: "web", [F.sliceEndpoint("10.0.0.1", pod: "web-1")]),
                slice("s4", of: "other", [F.sliceEndpoint("10.0.0.4")]),
                slice("s5", of: "web", type: "FQDN", [F.sliceEndpoint("a.com")]),
                F.destinationRule("web", host: "web", subsets: [F.subset("one", ["version": "v1"])]),
            ])
        #expect(
            result.clusters == """
                80|one|web: 10.0.0.1:8080, LEAST_REQUEST
                80||web: 10.0.0.1:8080 10.0.0.2:8081 10.0.0.3:8081, LEAST_REQUEST
                90||web: 10.0.0.2:9 10.0.0.3:9, LEAST_REQUEST
                """)
    }

    @Test func anEndpointWaitsForItsPod() {
        let resources = [F.service("web"), slice("s1", of: "web", [F.sliceEndpoint("10.0.0.1", pod: "late")])]
        let before = compile(["web"], resources)
        #expect(before.clusters == "80||web: , LEAST_REQUEST")
        #expect(before.findings == ["IST0101 s1 endpoints[0].targetRef s1.yaml:1"])
        let after = compile(["web"], resources + [F.pod("late", [:])])
        #expect(after.clusters == "80||web: 10.0.0.1:8080, LEAST_REQUEST")
        #expect(after.diagnostics.isEmpty)
    }

    @Test func aServiceBeatsAnEntryOfTheSameName() {
        let result = compile(
            ["web"], [F.entry("web"), F.service("web"), slice("s", of: "web", [F.sliceEndpoint("10.9.9.9")])])
        #expect(result.clusters == "80||web: 10.9.9.9:8080, LEAST_REQUEST")
    }

    @Test func anExternalNameIsAnotherNameForAKnownService() {
        let external = F.service("ext", type: "ExternalName", external: "example.com")
        let known = compile(["ext"], [external, F.entry("e", hosts: ["example.com"])])
        #expect(known.clusters == "80||example.com: 10.0.0.1:80, LEAST_REQUEST")
        let twice = compile(
            ["ext"],
            [
                F.service("ext", type: "ExternalName", external: "other"),
                F.service("other", type: "ExternalName", external: "x.com"),
            ])
        #expect(twice.routes.hasSuffix("80||ext (unknown)"))
        #expect(twice.findings == ["IST0101 vs spec.http[0].route[0].destination.host vs.yaml:30"])
    }

    @Test func anEntrySelectsPods() {
        var entry = ServiceEntry()
        entry.hosts = ["sel.example.com"]
        entry.ports = [F.port(80, target: 8080)]
        entry.resolution = .static
        entry.workloadSelector = ["app": "x"]
        let selecting = F.resource(.serviceEntry, "sel", "default", .serviceEntry(entry), revision: 5)
        let compiler = Compiler.make()
        let base = [F.gateway(), F.virtualService([F.rule(to: "sel.example.com")]), selecting]
        let first = compiler.compile(
            base + [
                F.pod("p", ["app": "x", "v": "1"], address: "10.0.0.1"), F.pod("q", ["app": "y"], address: "10.0.0.2"),
            ])
        #expect(first.clusters == "80||sel.example.com: 10.0.0.1:8080, LEAST_REQUEST")
        let second = compiler.compile(base + [F.pod("q", ["app": "x"], address: "10.0.0.2")])
        #expect(second.clusters == "80||sel.example.com: 10.0.0.2:8080, LEAST_REQUEST")
    }

    @Test func endpointsCarryTheirWorkloadAndClustersTheirService() throws {
        let compiler = Compiler.make()
        let resources = [
            F.gateway(), F.virtualService([F.rule(to: "web")]), F.service("web"),
            F.pod("web-v1-0", ["version": "v1"]), F.pod("web-v2-0", ["version": "v2"]),
            slice(
                "s", of: "web",
                [
                    F.sliceEndpoint("10.0.0.1", pod: "web-v1-0"), F.sliceEndpoint("10.0.0.2", pod: "web-v2-0"),
                    F.sliceEndpoint("10.0.0.3"), F.sliceEndpoint("10.0.0.1", pod: "web-v2-0"),
                ]),
        ]
        let cluster = try #require(compiler.compile(resources).snapshot.clusters.first)
        var labels = WorkloadLabels()
        (labels.workload, labels.namespace, labels.version) = ("web-v1-0", "default", "v1")
        (labels.canonicalService, labels.canonicalRevision) = ("web-v1-0", "v1")
        let first = compiler.names.number(of: labels)
        (labels.workload, labels.version) = ("web-v2-0", "v2")
        (labels.canonicalService, labels.canonicalRevision) = ("web-v2-0", "v2")
        let second = compiler.names.number(of: labels)
        // Each address once, as the first slice or pod to have it says.
        #expect(cluster.spec.endpoints.map(\.workload) == [first, second, 0])
        #expect(first > 0 && second > first)
        // Another generation keeps the numbers.
        #expect(compiler.compile(resources).snapshot.clusters.first === cluster)
    }
}
