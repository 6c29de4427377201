import Testing

@testable import WeirEngine

@Suite struct BalancerTests {
    private static func endpoints(
        _ weights: [UInt32], _ policy: BalancerPolicy
    ) throws -> (MemoryWorker, ClusterPlan, [Endpoint]) {
        let worker = try MemoryWorker.serving()
        var spec = ClusterSpec(name: "outbound|80||x")
        spec.endpoints = weights.indices.compactMap { index in
            EndpointTarget("192.0.2.\(index)").map { ClusterSpec.Endpoint($0, port: 80, weight: weights[index]) }
        }
        spec.balancer = policy
        let plan = ClusterPlan(id: 0, spec: spec)
        let list = weights.indices.map {
            Endpoint(
                pool: worker.makePool(to: plan.endpoints[$0].address, plan), weight: weights[$0], workload: 0)
        }
        return (worker, plan, list)
    }

    private static func counts(
        _ policy: BalancerPolicy, _ weights: [UInt32], picks: Int, seed: UInt64 = 9
    ) throws -> [Int] {
        let (worker, plan, list) = try endpoints(weights, policy)
        defer { withExtendedLifetime((worker, plan)) {} }
        var random = FastRandom(seed: seed)
        var balancer = Balancer(plan, random: &random)
        let endpoints = EndpointList(list)
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<picks { counts[balancer.pick(endpoints, key: random.next(), &random)] += 1 }
        return counts
    }

    // MARK: Round robin

    @Test(
        arguments: [[1, 1, 1], [5, 1, 1], [1, 2, 3, 4], [7], [100, 1], [3, 3, 6], [997, 1, 500, 2]] as [[UInt32]])
    func roundRobinIsExactOverAnyRunAsLongAsTheSumOfTheWeights(weights: [UInt32]) throws {
        let sum = Int(weights.reduce(0, +))
        for seed in 0..<20 {
            let counts = try Self.counts(.roundRobin, weights, picks: 3 * sum, seed: UInt64(seed))
            #expect(counts == weights.map { Int($0) * 3 })
        }
    }

    @Test func roundRobinSpreadsAHeavyEndpointsPicks() {
        var random = FastRandom(seed: 3)
        var balancer = RoundRobin([4, 1, 1], random: &random)
        var last = [0, 0, 0]
        for pick in 1...600 {
            let index = balancer.pick()
            // Never two of the light ones' places away from its even share.
            if index == 0, last[0] > 0 { #expect(pick - last[0] <= 3) }
            if index > 0, last[index] > 0 { #expect(pick - last[index] == 6) }
            last[index] = pick
        }
    }

    @Test func roundRobinStartsAnywhere() {
        for weights: [UInt32] in [[1, 1, 1, 1], [4, 3, 2, 1]] {
            var firsts: Set<Int> = []
            for seed in 0..<60 {
                var random = FastRandom(seed: UInt64(seed))
                var balancer = RoundRobin(weights, random: &random)
                firsts.insert(balancer.pick())
            }
            #expect(firsts.count >= 3)
        }
    }

    @Test func roundRobinBearsTheLargestWeights() {
        var random = FastRandom(seed: 1)
        var balancer = RoundRobin([.max, .max - 1, 1], random: &random)
        var counts = [0, 0, 0]
        for _ in 0..<100_000 { counts[balancer.pick()] += 1 }
        #expect(abs(counts[0] - counts[1]) <= 2 && counts[2] <= 1)
    }

    // MARK: Others

    @Test func randomChoicesHeedNoWeights() throws {
        let counts = try Self.counts(.random, [1, 2, 5], picks: 60_000)
        // Five standard deviations of the binomial.
        for count in counts { #expect(abs(Double(count) - 20_000) < 5 * (20_000.0 * 2 / 3).squareRoot()) }
    }

    @Test func leastRequestSpreadsOverIdleEndpointsOfEqualWeight() throws {
        let counts = try Self.counts(.leastRequest, [3, 3, 3, 3], picks: 40_000)
        for count in counts { #expect(abs(count - 10_000) < 450) }
    }

    @Test func leastRequestLoadsIdleEndpointsExactlyByWeight() throws {
        let counts = try Self.counts(.leastRequest, [1, 2, 5], picks: 80_000)
        #expect(zip(counts, [10_000, 20_000, 50_000]).allSatisfy { abs($0 - $1) <= 2 })
    }

    @Test func leastRequestAvoidsTheBusyOne() throws {
        let (worker, plan, list) = try Self.endpoints([1, 1, 1, 1], .leastRequest)
        defer { withExtendedLifetime((worker, plan)) {} }
        for _ in 0..<50 { list[2].requestBegan() }
        defer { for _ in 0..<50 { list[2].requestEnded() } }
        let endpoints = EndpointList(list)
        var random = FastRandom(seed: 1)
        var balancer = Balancer(plan, random: &random)
        var busy = 0
        for _ in 0..<16_000 where balancer.pick(endpoints, key: 0, &random) == 2 { busy += 1 }
        // Only when both draws name it: one in sixteen.
        #expect((700...1300).contains(busy))
    }

    @Test func requestsInFlightDivideAnEndpointsWeight() throws {
        let (worker, plan, list) = try Self.endpoints([6, 2, 1], .leastRequest)
        defer { withExtendedLifetime((worker, plan)) {} }
        list[0].requestBegan()
        list[0].requestBegan()
        defer { for _ in 0..<2 { list[0].requestEnded() } }
        let endpoints = EndpointList(list)
        var random = FastRandom(seed: 4)
        var balancer = Balancer(plan, random: &random)
        var counts = [0, 0, 0]
        for _ in 0..<5_000 { counts[balancer.pick(endpoints, key: 0, &random)] += 1 }
        // 6 / (2 + 1) : 2 : 1, but for where the schedule began.
        #expect(zip(counts, [2_000, 2_000, 1_000]).allSatisfy { abs($0 - $1) <= 2 })
    }

    @Test func aScheduleThatRunsForLongKeepsItsWeights() throws {
        let (worker, plan, list) = try Self.endpoints([1, 3], .leastRequest)
        defer { withExtendedLifetime((worker, plan)) {} }
        // A busy endpoint is put off far: the deadlines pass the point where they are counted anew many times.
        for _ in 0..<999_999 { list[0].requestBegan() }
        for _ in 0..<999_999 { list[1].requestBegan() }
        defer { for endpoint in list { for _ in 0..<999_999 { endpoint.requestEnded() } } }
        let endpoints = EndpointList(list)
        var random = FastRandom(seed: 4)
        var balancer = Balancer(plan, random: &random)
        var counts = [0, 0]
        for _ in 0..<8_000 { counts[balancer.pick(endpoints, key: 0, &random)] += 1 }
        #expect(abs(counts[0] - 2_000) <= 2)
    }

    @Test func keysLeadToOneEndpointEach() throws {
        for policy: BalancerPolicy in [.ringHash(minimumSize: 1024), .maglev(size: 65_537)] {
            let (worker, plan, list) = try Self.endpoints([1, 1, 1, 1], policy)
            defer { withExtendedLifetime((worker, plan)) {} }
            let endpoints = EndpointList(list)
            var random = FastRandom(seed: 2)
            var balancer = Balancer(plan, random: &random)
            var seen: Set<Int> = []
            for _ in 0..<200 {
                let key = random.next()
                let index = balancer.pick(endpoints, key: key, &random)
                seen.insert(index)
                for _ in 0..<3 { #expect(balancer.pick(endpoints, key: key, &random) == index) }
            }
            #expect(seen.count == 4)
        }
    }

    @Test func passthroughHasNoEndpoint() throws {
        let (worker, plan, _) = try Self.endpoints([1], .random)
        var spec = plan.spec
        spec.balancer = .passthrough
        let cluster = Cluster(host: worker, plan: ClusterPlan(id: 0, spec: spec))
        var random = FastRandom(seed: 1)
        let picked = cluster.pick(key: 0, &random)
        #expect(picked == nil)
    }
}
