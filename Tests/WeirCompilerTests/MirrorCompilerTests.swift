import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// `mirror` and `mirrors` of a route (semantics 3.13).
@Suite struct MirrorCompilerTests {
    private typealias F = Fixture
    private let base = [Fixture.gateway(), Fixture.entry("alpha"), Fixture.entry("beta"), Fixture.entry("gamma")]

    private func mirroring(
        _ mirror: String? = nil, _ percentage: Percent? = nil, list: [(String, Percent?)] = []
    ) -> HTTPRoute {
        var rule = F.rule(to: "alpha")
        rule.mirror = mirror.map(F.destination)
        rule.mirrorPercentage = percentage
        rule.mirrors = list.map { target, percentage in
            var policy = HTTPMirrorPolicy(destination: F.destination(target))
            (policy.percentage, policy.line) = (percentage, 40)
            return policy
        }
        return rule
    }

    private func compile(_ rule: HTTPRoute, _ more: Resource...) -> Compilation {
        Compiler.make().compile(base + [F.virtualService([rule])] + more)
    }

    private func mirrors(_ result: Compilation) -> [MirrorSpec] {
        result.snapshot.listeners.first?.hosts.first?.plan.specs.first?.mirrors ?? []
    }

    /// The cluster of a name, as `80||alpha`.
    private func id(_ name: String, _ result: Compilation) -> Int32? {
        let host = name.split(separator: "|", omittingEmptySubsequences: false)
        let full = "outbound|\(host[0])|\(host[1])|\(host[2]).default.svc.cluster.local"
        return result.snapshot.clusters.first { $0.spec.name == full }?.id
    }

    @Test func withoutAPercentageEverythingIsCopied() throws {
        let result = compile(mirroring("beta"))
        #expect(result.findings == [])
        let mirror = try #require(mirrors(result).first)
        #expect(mirror.share == .all && mirror.clusterID == id("80||beta", result) && mirrors(result).count == 1)
    }

    @Test func aPercentageIsCutToMillionthsAndZeroIsOff() {
        #expect(mirrors(compile(mirroring("beta", Percent(12.34567)))).map(\.share.millionths) == [123_456])
        for off in [0, 0.00001] {
            let result = compile(mirroring("beta", Percent(off)))
            #expect(mirrors(result).isEmpty && result.snapshot.clusters.count == 1)
        }
    }

    @Test func eachOfSeveralHasItsOwn() {
        let result = compile(mirroring(list: [("beta", Percent(10)), ("gamma", nil), ("beta", Percent(0))]))
        #expect(result.findings == [])
        #expect(mirrors(result).map(\.share) == [RequestShare(millionths: 100_000), .all])
        #expect(mirrors(result).map(\.clusterID) == [id("80||beta", result), id("80||gamma", result)])
    }

    @Test func aSubsetIsResolvedLikeThatOfADestination() {
        let rule = F.destinationRule("beta", host: "beta", subsets: [F.subset("v1")])
        let result = compile(mirroring("beta/v1"), rule)
        #expect(result.findings == [] && mirrors(result).map(\.clusterID) == [id("80|v1|beta", result)])
    }

    @Test func aMirrorThatDoesNotExistIsReportedAndRequestsGoOn() {
        let result = compile(mirroring(list: [("nowhere", nil), ("beta/v9", nil), ("beta:81", nil)]))
        #expect(mirrors(result).map(\.clusterID) == [-1, -1, -1])
        #expect(result.snapshot.listeners[0].hosts[0].plan.specs[0].destinations.map(\.clusterID) == [0])
        #expect(
            result.findings == [
                "IST0101 vs spec.http[0].mirrors[0].destination.host vs.yaml:40",
                "IST0101 vs spec.http[0].mirrors[1].destination.subset vs.yaml:40",
                "IST0101 vs spec.http[0].mirrors[2].destination.port vs.yaml:40",
            ])
        #expect(result.diagnostics.allSatisfy { $0.message.contains("the copies are dropped") })
        let sole = compile(mirroring("nowhere"))
        #expect(sole.findings == ["IST0101 vs spec.http[0].mirror.host vs.yaml:20"])
    }

    @Test func aMirrorThatAppearsIsFound() {
        let compiler = Compiler.make()
        let resources = base + [F.virtualService("vs", revision: 1, [mirroring("later")])]
        #expect(mirrors(compiler.compile(resources)).map(\.clusterID) == [-1])
        let result = compiler.compile(resources + [F.entry("later")])
        #expect(mirrors(result).map(\.clusterID) == [id("80||later", result)] && result.findings == [])
        // And is let go with its route.
        let plain = compiler.compile(
            base + [F.entry("later"), F.virtualService("vs", revision: 2, [F.rule(to: "alpha")])])
        #expect(plain.snapshot.clusters.count == 1)
    }

    @Test func anEditOfAPercentageRecompilesItsHostAlone() {
        let compiler = Compiler.make()
        func resources(_ percent: Double, _ revision: UInt64) -> [Resource] {
            base + [
                F.virtualService("a", hosts: ["a.com"], revision: revision, [mirroring("beta", Percent(percent))]),
                F.virtualService("b", hosts: ["b.com"], revision: 1, [mirroring("beta")]),
            ]
        }
        _ = compiler.compile(resources(10, 1))
        let second = compiler.compile(resources(20, 2))
        #expect(second.recompiledVirtualHosts == 1 && second.recompiledClusters == 0)
    }

    @Test func noUpdateWaitsForAMirror() {
        let compiler = Compiler.make { $0.referenceGraceSeconds = 2 }
        _ = compiler.compile(base + [F.virtualService("vs", revision: 1, [F.rule(to: "alpha")])], at: 10)
        let edited = compiler.compile(base + [F.virtualService("vs", revision: 2, [mirroring("nowhere")])], at: 11)
        #expect(mirrors(edited).count == 1 && edited.nextDeadline == nil)
    }

    @Test func aRouteThatAnswersByItselfCopiesNothing() {
        var rule = mirroring("beta")
        rule.route = []
        rule.directResponse = HTTPDirectResponse()
        rule.directResponse?.status = 200
        let result = compile(rule)
        #expect(mirrors(result).isEmpty && result.snapshot.clusters.isEmpty)
    }

    @Test func aDelegateTakesTheMirrorOfItsRootInTheRootsNamespace() {
        var root = F.delegating(to: "other/leaf")
        root.mirror = Destination(host: "beta")
        let leaf = F.delegate("leaf", namespace: "other", [F.rule(to: "alpha.default.svc.cluster.local")])
        let result = Compiler.make().compile(base + [F.virtualService([root]), leaf])
        #expect(result.findings == [] && mirrors(result).map(\.clusterID) == [id("80||beta", result)])
    }

    @Test func dumpsTellOfIt() {
        let result = compile(mirroring("beta", Percent(30)))
        #expect(
            result.snapshot.describe().listeners[0].hosts[0].routes[0].actions == [
                "mirror 30 % to outbound|80||beta.default.svc.cluster.local"
            ])
    }
}
