import Testing

@testable import WeirEngine

/// Where requests for a cluster go of which some endpoints are out, or come after others.
@Suite struct ClusterHealthTests {
    private static let policies: [BalancerPolicy] = [
        .leastRequest, .roundRobin, .random, .ringHash(minimumSize: 1024), .maglev(size: 1021),
    ]

    /// Endpoints 0 to `count` - 1 of one cluster, as one worker or several see them.
    private final class Fixture {
        let hosts: [ServerHost]
        let clusters: [Cluster]
        var spec: ClusterSpec
        private(set) var plan: ClusterPlan

        init(
            _ count: Int, _ balancer: BalancerPolicy = .roundRobin, workers: Int = 1,
            _ adjust: (inout ClusterSpec) -> Void = { _ in }
        ) {
            var spec = ClusterSpec(name: "outbound|80||a")
            spec.balancer = balancer
            spec.endpoints = HealthTableTests.endpoints(count)
            var outlier = OutlierSpec()
            outlier.mostEjectedPercent = 100
            spec.outlier = outlier
            adjust(&spec)
            self.spec = spec
            let plan = ClusterPlan(id: 0, spec: spec)
            self.plan = plan
            hosts = (0..<workers).map { _ in ServerHost(loop: Loop()) }
            clusters = hosts.map { Cluster(host: $0, plan: plan) }
        }

        func reload(_ adjust: (inout ClusterSpec) -> Void) {
            adjust(&spec)
            plan = ClusterPlan(id: 0, spec: spec, replacing: plan)
            for cluster in clusters { cluster.adopt(plan) }
        }

        func eject(_ indices: Int...) {
            let rules = OutlierPlan(OutlierSpec())
            for index in indices {
                for _ in 0..<5 { plan.cells[index].failed(isGatewayError: false, rules, now: 0) }
                #expect(plan.cells[index].isEjected)
            }
        }

        func pick(_ key: UInt64, worker: Int = 0, excluded: UInt64 = 0) -> Int? {
            let picked = clusters[worker].pick(key: key, excluded: excluded, &hosts[worker].random)
            guard let address = picked?.takeUnretainedValue().pool.address else { return nil }
            return (0..<plan.endpointCount).first { plan.endpoints[$0].address == address }
        }

        func counts(_ picks: Int, worker: Int = 0, excluded: UInt64 = 0) -> [Int] {
            var counts = [Int](repeating: 0, count: plan.endpointCount)
            var random = FastRandom(seed: 11)
            for _ in 0..<picks {
                guard let index = pick(random.next(), worker: worker, excluded: excluded) else { continue }
                counts[index] += 1
            }
            return counts
        }
    }

    // MARK: Ejection

    @Test(arguments: policies)
    func anEndpointThatIsOutGetsNothingAndTheOthersAll(policy: BalancerPolicy) {
        let fixture = Fixture(4, policy)
        #expect(fixture.counts(400).allSatisfy { $0 > 0 })
        fixture.eject(1)
        let counts = fixture.counts(400)
        #expect(counts[1] == 0 && counts.reduce(0, +) == 400 && counts.count { $0 > 0 } == 3)
        fixture.plan.health?.sweep(now: 60_000_000_000)
        #expect(fixture.counts(400)[1] > 0)
    }

    @Test(arguments: policies)
    func allWorkersSeeItWithTheirNextPick(policy: BalancerPolicy) {
        let fixture = Fixture(3, policy, workers: 3)
        for worker in 0..<3 { #expect(fixture.counts(100, worker: worker)[0] > 0) }
        fixture.eject(0)
        for worker in 0..<3 { #expect(fixture.counts(100, worker: worker)[0] == 0) }
    }

    @Test(arguments: policies)
    func withEveryEndpointOutThereIsNone(policy: BalancerPolicy) {
        let fixture = Fixture(2, policy)
        fixture.eject(0, 1)
        #expect(fixture.pick(1) == nil)
        let one = Fixture(1, policy)
        one.eject(0)
        #expect(one.pick(1) == nil)
    }

    @Test(arguments: policies)
    func withTooFewInServiceAllAreUsed(policy: BalancerPolicy) {
        let fixture = Fixture(4, policy) { $0.panicPercent = 50 }
        fixture.eject(0, 1)
        #expect(fixture.counts(400)[0] == 0)
        fixture.eject(2)
        #expect(fixture.counts(400).allSatisfy { $0 > 0 })
        fixture.eject(3)
        #expect(fixture.counts(400).allSatisfy { $0 > 0 })
    }

    @Test(arguments: [BalancerPolicy.ringHash(minimumSize: 1024), .maglev(size: 65_537)])
    func onlyTheKeysOfAnEndpointThatIsOutMove(policy: BalancerPolicy) {
        let fixture = Fixture(10, policy, workers: 2)
        let keys = (0..<2_000).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 }
        let before = keys.map { fixture.pick($0) }
        fixture.eject(3)
        let during = keys.map { fixture.pick($0) }
        #expect(keys.indices.allSatisfy { before[$0] == 3 ? during[$0] != 3 : during[$0] == before[$0] })
        #expect(
            Set(keys.indices.filter { before[$0] == 3 }.map { during[$0] }).count > 5, "its keys went to few others")
        // Whichever worker is asked.
        #expect(keys.map { fixture.pick($0, worker: 1) } == during)
        fixture.plan.health?.sweep(now: 60_000_000_000)
        #expect(keys.map { fixture.pick($0) } == before)
    }

    @Test func aRingGoesOnToTheNextEndpointAsOneWithoutTheOneThatIsOut() {
        let fixture = Fixture(8, .ringHash(minimumSize: 1024))
        let keys = (0..<1_000).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 }
        fixture.eject(7)
        let other = Fixture(7, .ringHash(minimumSize: 1024))
        #expect(keys.map { fixture.pick($0) } == keys.map { other.pick($0) })
    }

    @Test func twoMaglevEndpointsAmongManyAreFound() {
        let fixture = Fixture(300, .maglev(size: 1021), workers: 2) { spec in
            for index in 0..<298 { spec.endpoints[index].priority = 1 }
        }
        let picked = (0..<100).map { fixture.pick(UInt64($0)) }
        #expect(Set(picked) == [298, 299] && picked == (0..<100).map { fixture.pick(UInt64($0), worker: 1) })
    }

    // MARK: Reload

    @Test func anEndpointStaysOutOverAReload() {
        let fixture = Fixture(3)
        fixture.eject(1)
        fixture.reload { $0.balancer = .leastRequest }
        #expect(fixture.counts(100)[1] == 0)
        // Others come and go.
        fixture.reload { $0.endpoints = HealthTableTests.endpoints(3, from: 1) }
        #expect(fixture.counts(100)[0] == 0)
        fixture.reload { $0.outlier = nil }
        #expect(fixture.counts(100)[0] > 0)
    }

    @Test func limitsChangeInPlace() {
        let fixture = Fixture(2)
        let rules = OutlierPlan(fixture.spec.outlier ?? OutlierSpec())
        for _ in 0..<4 { fixture.plan.cells[0].failed(isGatewayError: false, rules, now: 0) }
        fixture.reload { $0.outlier?.serverErrors = 3 }
        let picked = fixture.clusters[0].pick(key: 0, &fixture.hosts[0].random)
        #expect(picked != nil)
        let lower = OutlierPlan(fixture.spec.outlier ?? OutlierSpec())
        fixture.plan.cells[0].failed(isGatewayError: false, lower, now: 0)
        #expect(fixture.plan.cells[0].isEjected)
    }

    @Test func aSubsetMayEmptyAndFillAgain() {
        let fixture = Fixture(2)
        fixture.eject(0)
        fixture.reload { $0.endpoints = [] }
        #expect(fixture.pick(0) == nil)
        fixture.reload { $0.endpoints = HealthTableTests.endpoints(2) }
        #expect(fixture.counts(100).allSatisfy { $0 > 0 })
    }

    // MARK: Priorities

    private static func prioritized(_ policy: BalancerPolicy) -> Fixture {
        Fixture(6, policy) { spec in
            for index in 3..<6 { spec.endpoints[index].priority = 1 }
        }
    }

    @Test(arguments: policies)
    func theFirstPriorityServesAloneWhileItCan(policy: BalancerPolicy) {
        let fixture = Self.prioritized(policy)
        #expect(fixture.counts(300)[3...].allSatisfy { $0 == 0 })
        fixture.eject(0)
        // Two thirds of it can take 93 %.
        let counts = fixture.counts(10_000)
        #expect(abs(counts[3...].reduce(0, +) - 700) < 150 && counts[0] == 0)
        fixture.eject(1, 2)
        #expect(fixture.counts(300)[..<3].allSatisfy { $0 == 0 })
        #expect(fixture.counts(300).reduce(0, +) == 300)
    }

    @Test func aFurtherTryMayAskForAnotherPriority() {
        let fixture = Self.prioritized(.roundRobin)
        #expect(fixture.counts(300, excluded: 0b01) == [0, 0, 0, 100, 100, 100])
        #expect(fixture.counts(300, excluded: 0b11) == [100, 100, 100, 0, 0, 0])
    }

    @Test func prioritiesNeedNoOutlierDetection() {
        let fixture = Fixture(2) { spec in
            spec.outlier = nil
            spec.endpoints[0].priority = 1
        }
        #expect(fixture.counts(10) == [0, 10])
    }

    // MARK: Localities

    private static func distributed(_ adjust: (inout ClusterSpec) -> Void = { _ in }) -> Fixture {
        Fixture(5) { spec in
            for index in 0..<5 { spec.endpoints[index].locality = index < 2 ? "a" : "b" }
            spec.localityShares = ["a": 8_000, "b": 2_000]
            adjust(&spec)
        }
    }

    @Test func localitiesHaveTheirSharesWhateverTheNumberOfTheirEndpoints() {
        let counts = Self.distributed().counts(3_000)
        #expect(abs(counts[..<2].reduce(0, +) - 2_400) <= 5)
        #expect(abs(counts[0] - counts[1]) <= 1)
    }

    @Test func aLocalityOfWhichTooMuchIsOutHasLess() {
        let fixture = Self.distributed()
        fixture.eject(0)
        // 80 × 0.7 against 20.
        #expect(abs(fixture.counts(3_800)[1] - 2_800) <= 20)
        fixture.eject(1)
        #expect(fixture.counts(300)[2...].reduce(0, +) == 300)
    }

    @Test func inPanicLocalitiesDoNotCount() {
        let fixture = Self.distributed { $0.panicPercent = 70 }
        fixture.eject(0, 1)
        #expect(fixture.counts(500) == [100, 100, 100, 100, 100])
    }

    @Test func keysAreSpreadWhateverTheLocalities() {
        let fixture = Self.distributed { $0.balancer = .ringHash(minimumSize: 1024) }
        let counts = fixture.counts(5_000)
        #expect(counts[2...].reduce(0, +) > 2_000)
    }
}
