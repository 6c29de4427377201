import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// An edit costs what it touches: everything else is the object of the last generation.
@Suite struct ReuseTests {
    private typealias F = Fixture

    private static let versions = [
        F.endpoint("10.0.0.1", labels: ["v": "1"]), F.endpoint("10.0.0.2", labels: ["v": "2"]),
    ]
    private let base = [
        F.gateway(), F.entry("alpha", versions), F.entry("beta"),
        F.destinationRule("alpha", host: "alpha", subsets: [F.subset("v1", ["v": "1"]), F.subset("v2", ["v": "2"])]),
    ]

    private func service(_ name: String, _ host: String, weight: Int = 50, revision: UInt64 = 1) -> Resource {
        F.virtualService(
            name, hosts: [host], revision: revision,
            [F.rule(to: ("alpha/v1", weight), ("alpha/v2", 100 - weight))])
    }

    private func plans(_ compilation: Compilation) -> [String: VirtualHostPlan] {
        let hosts = compilation.snapshot.listeners.flatMap(\.hosts)
        return Dictionary(hosts.map { ($0.pattern, $0.plan) }, uniquingKeysWith: { first, _ in first })
    }

    @Test func unchangedResourcesAreNotCompiledAgain() {
        let compiler = Compiler.make()
        let resources = base + [service("a", "a.com"), service("b", "b.com")]
        let first = compiler.compile(resources)
        let second = compiler.compile(resources)
        #expect(first.recompiledVirtualHosts == 2)
        #expect(first.recompiledClusters == 2)
        #expect(second.recompiledVirtualHosts == 0)
        #expect(second.recompiledClusters == 0)
        #expect((first.snapshot.generation, second.snapshot.generation) == (1, 2))
        #expect(first.snapshot.describe().listeners == second.snapshot.describe().listeners)
        for (one, other) in zip(first.snapshot.clusters, second.snapshot.clusters) { #expect(one === other) }
    }

    @Test func anEditRecompilesItsHostAlone() throws {
        let compiler = Compiler.make()
        let first = compiler.compile(base + [service("a", "a.com"), service("b", "b.com")])
        let second = compiler.compile(base + [service("a", "a.com", weight: 10, revision: 2), service("b", "b.com")])
        #expect(second.recompiledVirtualHosts == 1)
        #expect(second.recompiledClusters == 0)
        #expect(plans(first)["b.com"] === plans(second)["b.com"])
        let edited = try #require(plans(second)["a.com"])
        #expect(edited !== plans(first)["a.com"])
        #expect(edited.specs[0].destinations.map(\.weight) == [10, 90])
    }

    @Test func withoutRevisionsTheContentsDecide() {
        let compiler = Compiler.make()
        _ = compiler.compile(base + [service("a", "a.com", revision: 0)])
        #expect(compiler.compile(base + [service("a", "a.com", revision: 0)]).recompiledVirtualHosts == 0)
        #expect(compiler.compile(base + [service("a", "a.com", weight: 1, revision: 0)]).recompiledVirtualHosts == 1)
    }

    @Test func additionsAndRemovalsLeaveTheOthersAlone() {
        let compiler = Compiler.make()
        let (a, b, c) = (service("a", "a.com"), service("b", "b.com"), service("c", "c.com"))
        let first = compiler.compile(base + [b, c])
        let second = compiler.compile(base + [a, b, c])
        #expect(second.recompiledVirtualHosts == 1)
        #expect(plans(first)["c.com"] === plans(second)["c.com"])
        let third = compiler.compile(base + [a, c])
        #expect(third.recompiledVirtualHosts == 0)
        #expect(third.snapshot.listeners[0].hosts.map(\.pattern) == ["a.com", "c.com"])
    }

    @Test func aMergedHostIsRemadeWhenAMemberChanges() {
        let compiler = Compiler.make()
        func part(_ name: String, _ path: String, revision: UInt64 = 1) -> Resource {
            F.virtualService(name, revision: revision, [F.rule([F.match(prefix: path)], to: "beta")])
        }
        let first = compiler.compile(base + [part("a", "/a"), part("b", "/b")])
        let same = compiler.compile(base + [part("a", "/a"), part("b", "/b")])
        #expect(plans(first)["*"] === plans(same)["*"])
        let edited = compiler.compile(base + [part("a", "/a"), part("b", "/c", revision: 2)])
        #expect(edited.recompiledVirtualHosts == 1)
        #expect(edited.routes == "80 *\n  path prefix \"/a\" -> 80||beta\n  path prefix \"/c\" -> 80||beta")
        let alone = compiler.compile(base + [part("b", "/c", revision: 2)])
        #expect(alone.routes == "80 *\n  path prefix \"/c\" -> 80||beta")
    }

    @Test func hostsOfOneServiceShareTheirPlan() {
        let service = F.virtualService(hosts: ["a.com", "b.com", "*.c.com"], [F.rule(to: "beta")])
        let result = Compiler.make().compile(base + [service])
        #expect(result.recompiledVirtualHosts == 1)
        #expect(Set(plans(result).values.map(ObjectIdentifier.init)).count == 1)
    }

    @Test func endpointsChangeClustersAndNoRoutes() throws {
        let compiler = Compiler.make()
        let services = [service("a", "a.com"), F.virtualService("b", hosts: ["b.com"], [F.rule(to: "beta")])]
        let first = compiler.compile(base + services)
        let moved = F.entry("beta", [F.endpoint("10.0.0.7")])
        let second = compiler.compile([base[0], base[1], moved, base[3]] + services)
        #expect(second.recompiledVirtualHosts == 0)
        #expect(second.recompiledClusters == 1)
        let (before, after) = (first.snapshot, second.snapshot)
        #expect(before.clusters.map(\.id) == after.clusters.map(\.id))
        let changed = zip(before.clusters, after.clusters).filter { $0 !== $1 }
        #expect(changed.map { $0.1.spec.name } == ["outbound|80||beta.default.svc.cluster.local"])
        #expect(second.clusters.contains("80||beta: 10.0.0.7:80"))
    }

    @Test func clusterIDsStayWithTheirNames() {
        let compiler = Compiler.make()
        func ids(_ targets: [String]) -> [String: Int32] {
            let services = targets.map {
                F.virtualService($0.replacing("/", with: "-"), hosts: ["\($0).com"], [F.rule(to: $0)])
            }
            let clusters = compiler.compile(base + services).snapshot.clusters
            return Dictionary(uniqueKeysWithValues: clusters.map { ($0.spec.name, $0.id) })
        }
        let first = ids(["alpha", "beta"])
        let second = ids(["alpha/v1", "beta"])
        let third = ids(["alpha", "alpha/v1"])
        let name = { (subset: String, host: String) in "outbound|80|\(subset)|\(host).default.svc.cluster.local" }
        #expect(second[name("", "beta")] == first[name("", "beta")])
        #expect(second[name("", "alpha")] == nil)
        #expect(third[name("", "alpha")] == first[name("", "alpha")])
        #expect(third[name("v1", "alpha")] == second[name("v1", "alpha")])
    }

    @Test func aServiceThatAppearsOrGoesRemakesTheRoutesToIt() {
        let compiler = Compiler.make()
        let services = [F.virtualService("a", hosts: ["a.com"], [F.rule(to: "late")]), service("b", "b.com")]
        let without = compiler.compile(base + services)
        #expect(without.routes.contains("80||late (unknown)"))
        #expect(without.findings.count == 1)
        let with = compiler.compile(base + services + [F.entry("late")])
        #expect(with.recompiledVirtualHosts == 1)
        #expect(with.diagnostics.isEmpty)
        #expect(plans(without)["b.com"] === plans(with)["b.com"])
        let again = compiler.compile(base + services)
        #expect(again.routes == without.routes)
        #expect(again.findings == without.findings)
        #expect(again.recompiledVirtualHosts == 1)
    }

    @Test func aChangedRuleRemakesItsClustersAlone() {
        let compiler = Compiler.make()
        let services = [service("a", "a.com"), F.virtualService("b", hosts: ["b.com"], [F.rule(to: "beta")])]
        _ = compiler.compile(base + services)
        let rule = F.destinationRule(
            "alpha", host: "alpha",
            subsets: [F.subset("v1", ["v": "1"]), F.subset("v2", ["v": "2"], policy: F.policy(.random))])
        let second = compiler.compile(base.dropLast() + [rule] + services)
        #expect(second.recompiledVirtualHosts == 0)
        #expect(second.recompiledClusters == 1)
    }

    @Test func aGatewaysNewHostsKeepTheRoutes() {
        let compiler = Compiler.make()
        let services = [service("a", "a.com"), service("b", "b.com")]
        let narrow = compiler.compile([F.gateway([F.server(["a.com"])])] + base.dropFirst() + services)
        let wide = compiler.compile(base + services)
        #expect(narrow.findings == ["IST0132 b spec.hosts b.yaml:1"])
        #expect(wide.diagnostics.isEmpty)
        #expect(wide.recompiledVirtualHosts == 1)
        #expect(plans(narrow)["a.com"] === plans(wide)["a.com"])
        let moved = compiler.compile([F.gateway([F.server(port: 81)])] + base.dropFirst() + services)
        #expect(moved.snapshot.listeners.map(\.port) == [81])
        #expect(moved.recompiledVirtualHosts == 2)
    }

    @Test func equalPatternsShareOneProgram() throws {
        let compiler = Compiler.make(workers: 2)
        func service(_ name: String, revision: UInt64) -> Resource {
            let rule = F.rule([F.match(regex: "/a[0-9]+")], to: "beta")
            return F.virtualService(name, hosts: ["\(name).com"], revision: revision, [rule])
        }
        func programs(_ compilation: Compilation) -> [RegexSet] {
            compilation.snapshot.listeners[0].hosts.compactMap { host in
                if case .regex(let set) = host.plan.specs[0].conditions[0].pattern { set } else { nil }
            }
        }
        let first = programs(compiler.compile(base + [service("a", revision: 1), service("b", revision: 1)]))
        let second = programs(compiler.compile(base + [service("a", revision: 2), service("b", revision: 1)]))
        #expect(first.count == 2 && second.count == 2)
        #expect((first + second).allSatisfy { $0 === first[0] })
        #expect(first[0].workers == 2)
    }

    @Test func anEmptySetServesNothing() {
        let compiler = Compiler.make()
        _ = compiler.compile(base + [service("a", "a.com")])
        let empty = compiler.compile([])
        #expect(empty.snapshot.listeners.isEmpty)
        #expect(empty.snapshot.clusters.isEmpty)
        #expect(empty.snapshot.clusterCapacity == 2)
        #expect(empty.diagnostics.isEmpty)
    }
}
