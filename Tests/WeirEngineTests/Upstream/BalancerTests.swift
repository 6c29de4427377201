import Testing

@testable import WeirEngine

@Suite struct BalancerTests {
    private static func endpoints(_ weights: [UInt32]) throws -> (MemoryWorker, [Endpoint]) {
        let worker = try MemoryWorker.serving()
        var spec = ClusterSpec(name: "outbound|80||x")
        spec.endpoints = weights.indices.compactMap { index in
            EndpointTarget("192.0.2.\(index)").map { ClusterSpec.Endpoint($0, port: 80, weight: weights[index]) }
        }
        let plan = ClusterPlan(id: 0, spec: spec)
        let list = weights.indices.map {
            Endpoint(
                pool: worker.makePool(to: plan.endpoints[$0].address, plan), weight: weights[$0], workload: 0)
        }
        return (worker, list)
    }

    private static func counts(
        _ policy: BalancerPolicy, _ weights: [UInt32], picks: Int, seed: UInt64 = 9
    ) throws -> [Int] {
        let (worker, list) = try endpoints(weights)
        defer { withExtendedLifetime(worker) {} }
        var random = FastRandom(seed: seed)
        var balancer = Balancer(policy, weights: weights, random: &random)
        let endpoints = EndpointList(list)
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<picks { counts[balancer.pick(endpoints, &random)] += 1 }
        return counts
    }

    @Test(arguments: [[1, 1, 1], [5, 1, 1], [1, 2, 3, 4], [7], [100, 1]] as [[UInt32]])
    func roundRobinIsExactOverACycle(weights: [UInt32]) throws {
        let sum = Int(weights.reduce(0, +))
        for seed in 0..<20 {
            let counts = try Self.counts(.roundRobin, weights, picks: 10 * sum, seed: UInt64(seed))
            #expect(counts == weights.map { Int($0) * 10 })
        }
    }

    @Test(arguments: [BalancerPolicy.random, .leastRequest])
    func idleEndpointsAreLoadedByWeight(policy: BalancerPolicy) throws {
        let weights: [UInt32] = [1, 2, 5]
        let counts = try Self.counts(policy, weights, picks: 80_000)
        for (count, weight) in zip(counts, weights) {
            let expected = 10_000 * Double(weight)
            // Five standard deviations of the binomial.
            #expect(abs(Double(count) - expected) < 5 * (expected * (1 - Double(weight) / 8)).squareRoot())
        }
    }

    @Test func leastRequestAvoidsTheBusyOne() throws {
        let (worker, list) = try Self.endpoints([1, 1, 1, 1])
        defer { withExtendedLifetime(worker) {} }
        for _ in 0..<50 { list[2].requestBegan() }
        defer { for _ in 0..<50 { list[2].requestEnded() } }
        let endpoints = EndpointList(list)
        var random = FastRandom(seed: 1)
        var balancer = Balancer(.leastRequest, weights: [1, 1, 1, 1], random: &random)
        var busy = 0
        for _ in 0..<16_000 where balancer.pick(endpoints, &random) == 2 { busy += 1 }
        // Only when both draws name it: one in sixteen.
        #expect((700...1300).contains(busy))
    }
}
