import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// From `localityLbSetting` to the priorities and shares of endpoints (semantics 4.3).
@Suite struct LocalityBalancingTests {
    private typealias F = Fixture
    private typealias Setting = TrafficPolicy.LocalityLoadBalancer

    private static let places = ["r1/z1/s1", "r1/z1/s2", "r1/z2", "r2/z1", "r3/z1"]

    private static func setting(_ adjust: (inout Setting) -> Void) -> Setting {
        var setting = Setting()
        adjust(&setting)
        return setting
    }

    private static func resources(
        _ setting: Setting?, places: [String], labels: [[String: String]], detects: Bool
    ) -> [Resource] {
        var policy = F.policy(.roundRobin)
        policy.loadBalancer?.localityLbSetting = setting
        if detects { policy.outlierDetection = TrafficPolicy.OutlierDetection() }
        let count = max(places.count, labels.count)
        let endpoints = (0..<count).map { index in
            var endpoint = F.endpoint("10.0.0.\(index)", labels: index < labels.count ? labels[index] : [:])
            if index < places.count, !places[index].isEmpty { endpoint.locality = places[index] }
            return endpoint
        }
        return [
            F.gateway(), F.entry("alpha", endpoints), F.virtualService([F.rule(to: "alpha")]),
            F.destinationRule("alpha", host: "alpha", policy: policy),
        ]
    }

    private static func spec(
        _ setting: Setting?, at own: String? = "r1/z1/s1", places: [String] = places, labels: [[String: String]] = [],
        gateway: [String: String]? = nil, detects: Bool = true
    ) throws -> ClusterSpec {
        let compiler = Compiler.make {
            $0.locality = own
            $0.gatewayLabels = gateway
        }
        let compilation = compiler.compile(resources(setting, places: places, labels: labels, detects: detects))
        return try #require(compilation.snapshot.clusters.first).spec
    }

    private static func priorities(
        _ setting: Setting?, at own: String? = "r1/z1/s1", places: [String] = places, labels: [[String: String]] = [],
        gateway: [String: String]? = nil, detects: Bool = true
    ) throws -> [Int] {
        try spec(setting, at: own, places: places, labels: labels, gateway: gateway, detects: detects)
            .endpoints.map(\.priority)
    }

    // MARK: Nearness

    @Test func nearEndpointsComeBeforeFarOnesWhereFailuresAreLookedAt() throws {
        #expect(try Self.priorities(nil) == [0, 1, 2, 3, 3])
        #expect(try Self.priorities(nil, detects: false) == [0, 0, 0, 0, 0])
        #expect(try Self.priorities(Self.setting { $0.enabled = true }) == [0, 1, 2, 3, 3])
    }

    @Test func prioritiesLeaveNoNumberOut() throws {
        #expect(try Self.priorities(nil, places: ["r1/z2", "r2/z1"]) == [0, 1])
        #expect(try Self.priorities(nil, at: "r9", places: ["r1", "r2"]) == [0, 0])
    }

    @Test func switchedOffThereIsOnePriority() throws {
        #expect(try Self.priorities(Self.setting { $0.enabled = false }) == [0, 0, 0, 0, 0])
    }

    @Test func withoutALocalityOfItsOwnNothingIsNear() throws {
        #expect(try Self.priorities(nil, at: nil) == [0, 0, 0, 0, 0])
    }

    @Test func anotherRegionMayBeTheFirstToTakeOver() throws {
        let setting = Self.setting { setting in
            var failover = TrafficPolicy.Failover()
            (failover.from, failover.to) = ("r1", "r3")
            setting.failover = [failover]
        }
        #expect(try Self.priorities(setting) == [0, 1, 2, 4, 3])
        // What is said of other regions' clients is not for this one.
        #expect(try Self.priorities(setting, at: "r2/z1") == [1, 1, 1, 0, 1])
    }

    @Test func anEndpointWhoseZoneAloneIsKnownIsInTheGatewaysRegion() throws {
        let labels = ["z1", "z2"].map { ["topology.kubernetes.io/zone": $0] }
        #expect(try Self.priorities(nil, at: "r1/z1", places: [], labels: labels) == [0, 1])
    }

    // MARK: Labels

    @Test func theFirstLabelThatDiffersDecides() throws {
        let setting = Self.setting { $0.failoverPriority = ["rack", "row", "room"] }
        let labels = [
            ["rack": "1", "row": "a", "room": "x"], ["rack": "1", "row": "a"], ["rack": "1", "row": "b", "room": "x"],
            ["rack": "2", "row": "a", "room": "x"], [:],
        ]
        let priorities = try Self.priorities(
            setting, at: nil, places: [], labels: labels, gateway: ["rack": "1", "row": "a", "room": "x"])
        #expect(priorities == [0, 1, 2, 3, 3])
    }

    @Test func aLabelMayBeGivenAValue() throws {
        let setting = Self.setting { $0.failoverPriority = ["version=v2"] }
        let labels = [["version": "v1"], ["version": "v2"], [:]]
        #expect(try Self.priorities(setting, at: nil, places: [], labels: labels) == [1, 0, 1])
        #expect(try Self.priorities(setting, at: nil, places: [], labels: labels, detects: false) == [0, 0, 0])
    }

    @Test func theGatewaysLocalityIsAmongItsLabels() throws {
        let setting = Self.setting {
            $0.failoverPriority = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]
        }
        #expect(try Self.priorities(setting) == [0, 0, 1, 2, 2])
    }

    @Test func regionsDecideAmongThoseWithTheSameLabels() throws {
        let setting = Self.setting { setting in
            setting.failoverPriority = ["rack=1"]
            var failover = TrafficPolicy.Failover()
            (failover.from, failover.to) = ("r1", "r3")
            setting.failover = [failover]
        }
        let racks = ["1", "2", "1", "1", "1"].map { ["rack": $0] }
        #expect(try Self.priorities(setting, labels: racks) == [0, 4, 1, 3, 2])
    }

    // MARK: Shares

    private static func distribute(_ entries: [(String, [String: Int])]) -> Setting {
        setting { setting in
            setting.distribute = entries.map { from, to in
                var entry = Setting.Distribute()
                (entry.from, entry.to) = (from, to)
                return entry
            }
        }
    }

    @Test func localitiesGetTheirSharesAndOthersNothing() throws {
        let setting = Self.distribute([("r1/*", ["r1/z1/*": 80, "r2/z1": 20])])
        let spec = try Self.spec(setting, detects: false)
        #expect(spec.endpoints.map(\.locality) == ["r1/z1/s1", "r1/z1/s2", "r2/z1"])
        #expect(spec.endpoints.allSatisfy { $0.priority == 0 })
        #expect(spec.localityShares == ["r1/z1/s1": 4_000, "r1/z1/s2": 4_000, "r2/z1": 2_000])
    }

    @Test func anEntryForEverybodyHoldsForAGatewayWhoseLocalityIsNotKnown() throws {
        let setting = Self.distribute([("*", ["r2/*": 90, "r3/*": 10])])
        #expect(try Self.spec(setting, at: nil).localityShares == ["r2/z1": 9_000, "r3/z1": 1_000])
    }

    @Test func withoutAnEntryForTheGatewayAllEndpointsAreAlike() throws {
        let spec = try Self.spec(Self.distribute([("r7/*", ["r2/*": 100])]))
        #expect(spec.endpoints.count == 5 && spec.localityShares.isEmpty)
        #expect(spec.endpoints.allSatisfy { $0.priority == 0 })
    }

    // MARK: Findings

    @Test func whatNeedsTheGatewaysLocalityIsReportedWithoutOne() {
        let setting = Self.distribute([("r1/*", ["r2/*": 100])])
        let resources = Self.resources(setting, places: Self.places, labels: [], detects: true)
        let found = Compiler.make().compile(resources).diagnostics.filter { $0.code == .fieldNotHonoured }
        #expect(found.map(\.path) == ["spec.trafficPolicy.loadBalancer.localityLbSetting"])
        #expect(found.first?.message.contains("WEIR_LOCALITY=region/zone/subzone") == true)
        let known = Compiler.make { $0.locality = "r1" }.compile(resources).diagnostics
        #expect(!known.contains { $0.code == .fieldNotHonoured })
        let general = Self.resources(
            Self.distribute([("*", ["r2/*": 100])]), places: Self.places, labels: [], detects: true)
        #expect(!Compiler.make().compile(general).diagnostics.contains { $0.code == .fieldNotHonoured })
    }
}
