import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// From `outlierDetection` and `warmup` to a cluster's settings.
@Suite struct OutlierCompilerTests {
    private typealias F = Fixture

    private static func spec(
        _ block: TrafficPolicy.OutlierDetection? = nil, warmup: TrafficPolicy.Warmup? = nil
    ) -> ClusterSpec? {
        var policy = F.policy(.roundRobin)
        policy.outlierDetection = block
        policy.loadBalancer?.warmup = warmup
        let compilation = Compiler.make().compile([
            F.gateway(), F.entry("alpha"), F.virtualService([F.rule(to: "alpha")]),
            F.destinationRule("alpha", host: "alpha", policy: policy),
        ])
        return compilation.snapshot.clusters.first?.spec
    }

    @Test func withoutTheBlockNothingIsLookedAt() throws {
        let spec = try #require(Self.spec())
        #expect(spec.outlier == nil && spec.panicPercent == 0 && spec.warmup == nil)
    }

    @Test func anEmptyBlockHasIstiosDefaults() throws {
        let spec = try #require(Self.spec(TrafficPolicy.OutlierDetection()))
        let outlier = try #require(spec.outlier)
        #expect(outlier.serverErrors == 5 && outlier.gatewayErrors == 0 && outlier.localFailures == 5)
        #expect(!outlier.splitsLocalFailures && outlier.errorStatuses.isEmpty)
        #expect(outlier.intervalMilliseconds == 10_000 && outlier.baseEjectionMilliseconds == 30_000)
        #expect(outlier.mostEjectedPercent == 10 && spec.panicPercent == 0)
    }

    @Test func everyFieldReachesTheEngine() throws {
        var block = TrafficPolicy.OutlierDetection()
        block.consecutive5xxErrors = 0
        block.consecutiveGatewayErrors = 3
        block.splitExternalLocalOriginErrors = true
        block.consecutiveLocalOriginFailures = 7
        block.intervalMilliseconds = 500
        block.baseEjectionTimeMilliseconds = 2_000
        block.maxEjectionPercent = 60
        block.minHealthPercent = 40
        block.httpErrorCodes = [429, 503]
        let spec = try #require(Self.spec(block))
        var outlier = OutlierSpec()
        outlier.serverErrors = 0
        outlier.gatewayErrors = 3
        outlier.splitsLocalFailures = true
        outlier.localFailures = 7
        outlier.intervalMilliseconds = 500
        outlier.baseEjectionMilliseconds = 2_000
        outlier.mostEjectedPercent = 60
        outlier.errorStatuses = [429, 503]
        #expect(spec.outlier == outlier && spec.panicPercent == 40)
    }

    @Test func noShareIsTheDefaultOne() {
        var block = TrafficPolicy.OutlierDetection()
        block.maxEjectionPercent = 0
        #expect(Self.spec(block)?.outlier?.mostEjectedPercent == 10)
    }

    @Test func aWarmUpReachesTheEngine() {
        var warmup = TrafficPolicy.Warmup()
        warmup.durationMilliseconds = 30_000
        #expect(Self.spec(warmup: warmup)?.warmup == WarmupSpec(milliseconds: 30_000))
        warmup.minimumPercent = 25
        warmup.aggression = 2
        var expected = WarmupSpec(milliseconds: 30_000)
        expected.leastPercent = 25
        expected.aggression = 2
        #expect(Self.spec(warmup: warmup)?.warmup == expected)
    }

    @Test func aSubsetsBlockReplacesTheRules() throws {
        var wide = F.policy()
        wide.outlierDetection = TrafficPolicy.OutlierDetection()
        wide.outlierDetection?.consecutive5xxErrors = 7
        wide.outlierDetection?.maxEjectionPercent = 50
        var narrow = F.policy()
        narrow.outlierDetection = TrafficPolicy.OutlierDetection()
        narrow.outlierDetection?.consecutiveGatewayErrors = 2
        var none = F.policy(ports: [F.portPolicy(80, .random)])
        none.outlierDetection = narrow.outlierDetection
        let rule = F.destinationRule(
            "alpha", host: "alpha",
            subsets: [F.subset("v1", policy: narrow), F.subset("v2"), F.subset("v3", policy: none)], policy: wide)
        let route = F.rule(to: ("alpha/v1", 1), ("alpha/v2", 1), ("alpha/v3", 1))
        let compilation = Compiler.make().compile([
            F.gateway(), F.entry("alpha"), F.virtualService([route]), rule,
        ])
        let specs = compilation.snapshot.clusters.map(\.spec.outlier)
        #expect(specs[0]?.serverErrors == 5 && specs[0]?.gatewayErrors == 2 && specs[0]?.mostEjectedPercent == 10)
        #expect(specs[1]?.serverErrors == 7 && specs[1]?.mostEjectedPercent == 50)
        #expect(specs[2] == nil)
    }

    @Test func settingsThatChangeKeepWhatIsKnownOfEndpoints() throws {
        var policy = F.policy()
        policy.outlierDetection = TrafficPolicy.OutlierDetection()
        func resources(_ revision: UInt64) -> [Resource] {
            var rule = F.destinationRule("alpha", host: "alpha", policy: policy)
            rule.revision = revision
            return [F.gateway(), F.entry("alpha"), F.virtualService([F.rule(to: "alpha")]), rule]
        }
        let compiler = Compiler.make()
        let first = try #require(compiler.compile(resources(1)).snapshot.clusters.first)
        policy.outlierDetection?.consecutive5xxErrors = 2
        let second = try #require(compiler.compile(resources(2)).snapshot.clusters.first)
        #expect(first !== second && first.health != nil && first.health === second.health)
        #expect(first.cells[0] === second.cells[0])
    }
}
