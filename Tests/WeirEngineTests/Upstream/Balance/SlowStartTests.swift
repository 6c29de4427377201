import Testing

@testable import WeirEngine

/// New endpoints begin with less than their share.
@Suite struct SlowStartTests {
    private static let second: UInt64 = 1_000_000_000

    private static func spec(_ least: Double = 10, aggression: Double = 1) -> WarmupSpec {
        var spec = WarmupSpec(milliseconds: 100_000)
        spec.leastPercent = least
        spec.aggression = aggression
        return spec
    }

    @Test func theShareGrowsFromTheLeastToAll() {
        let spec = Self.spec()
        #expect(spec.factor(afterNanoseconds: 0) == 0.1)
        #expect(spec.factor(afterNanoseconds: 5 * Self.second) == 0.1)
        #expect(spec.factor(afterNanoseconds: 50 * Self.second) == 0.5)
        #expect(spec.factor(afterNanoseconds: 100 * Self.second) == 1)
        #expect(spec.factor(afterNanoseconds: .max) == 1)
    }

    @Test func aggressionMakesItGrowFasterAtFirst() {
        #expect(abs(Self.spec(aggression: 2).factor(afterNanoseconds: 25 * Self.second) - 0.5) < 1e-9)
        #expect(abs(Self.spec(aggression: 0.5).factor(afterNanoseconds: 50 * Self.second) - 0.25) < 1e-9)
    }

    @Test func withoutALeastShareItBeginsWithTheFirstMillisecond() {
        #expect(abs(Self.spec(0).factor(afterNanoseconds: 0) - 1e-5) < 1e-12)
    }

    /// Picks of each endpoint, which have joined so many seconds before the pick.
    private static func picks(
        _ ages: [UInt64], _ balancer: BalancerPolicy, _ warmup: WarmupSpec, weights: [UInt32]? = nil, rounds: Int
    ) throws -> [Int] {
        let host = ServerHost(loop: Loop())
        host.loop.holdTime()
        // A machine may have been up for less than the endpoints.
        host.loop.advance(milliseconds: 2_000_000)
        let now = host.loop.now
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.balancer = balancer
        spec.warmup = warmup
        var plan: ClusterPlan?
        // Each joins with a plan of its own, the oldest first.
        for (index, age) in ages.enumerated() {
            let target = try #require(EndpointTarget("192.0.2.\(index)"))
            spec.endpoints.append(ClusterSpec.Endpoint(target, port: 80, weight: weights?[index] ?? 1))
            plan = ClusterPlan(id: 0, spec: spec, replacing: plan, now: now - age * second)
        }
        let cluster = Cluster(host: host, plan: try #require(plan))
        var random = FastRandom(seed: 4)
        var counts = [Int](repeating: 0, count: ages.count)
        for _ in 0..<rounds {
            let picked = try #require(cluster.pick(key: 0, &random)).takeUnretainedValue()
            let index = (0..<ages.count).first { spec.endpoints[$0].target == Self.target(picked) }
            counts[try #require(index)] += 1
        }
        return counts
    }

    private static func target(_ endpoint: Endpoint) -> EndpointTarget? {
        EndpointTarget(String(endpoint.pool.address.text.prefix { $0 != ":" }))
    }

    @Test(arguments: [BalancerPolicy.roundRobin, .leastRequest])
    func aNewEndpointGetsItsPartOfAShare(balancer: BalancerPolicy) throws {
        // Of 1 + 1 + 0.5 shares 0.5.
        let counts = try Self.picks([1000, 500, 50], balancer, Self.spec(), rounds: 10_000)
        #expect(abs(counts[2] - 2_000) < 200 && abs(counts[0] - 4_000) < 250)
        let cold = try Self.picks([1000, 500, 0], balancer, Self.spec(), rounds: 10_000)
        #expect(abs(cold[2] - 476) < 100)
    }

    @Test(arguments: [BalancerPolicy.roundRobin, .leastRequest])
    func itsWeightCountsAsWell(balancer: BalancerPolicy) throws {
        // 1 and 6 × 0.5.
        let counts = try Self.picks([1000, 50], balancer, Self.spec(), weights: [1, 6], rounds: 10_000)
        #expect(abs(counts[1] - 7_500) < 300)
    }

    @Test func endpointsThatAreNewTogetherArePickedAsEver() throws {
        #expect(try Self.picks([0, 0, 0], .roundRobin, Self.spec(), rounds: 300) == [100, 100, 100])
    }

    @Test func whoeverGoesByChanceIsNotHeldBack() throws {
        let counts = try Self.picks([1000, 0], .random, Self.spec(), rounds: 10_000)
        #expect(abs(counts[1] - 5_000) < 300)
    }

    @Test func amongManyColdEndpointsTheWarmOneGetsWhatNoneIsAdmittedFor() throws {
        let counts = try Self.picks([1000] + Array(repeating: 0, count: 99), .leastRequest, Self.spec(0), rounds: 1_000)
        // Its share would be 99.9 %.
        #expect(counts[0] > 900)
    }
}
