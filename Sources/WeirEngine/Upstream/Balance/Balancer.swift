/// The load balancing of one cluster in one worker: a closed set of algorithms, so that a pick is a switch and no call through a table.
struct Balancer: ~Copyable {
    private enum Algorithm {
        case leastRequest
        case roundRobin
        case random
        /// Borrowed from the plan.
        case ring(HashRing)
        case maglev(MaglevTable)
    }
    private let algorithm: Algorithm
    private let count: Int
    private var leastRequest: LeastRequest
    private var roundRobin: RoundRobin

    /// `plan` must outlive the balancer.
    init(_ plan: ClusterPlan, random: inout FastRandom) {
        let weights = (0..<plan.endpointCount).map { plan.endpoints[$0].weight }
        switch (plan.balancer, plan.affinity?.lookup) {
        case (_, .ring(let ring)): algorithm = .ring(ring)
        case (_, .maglev(let table)): algorithm = .maglev(table)
        case (.roundRobin, nil): algorithm = .roundRobin
        case (.random, nil): algorithm = .random
        case (_, nil): algorithm = .leastRequest
        }
        count = plan.endpointCount
        leastRequest = LeastRequest(plan.balancer == .leastRequest ? weights : [], random: &random)
        roundRobin = RoundRobin(plan.balancer == .roundRobin ? weights : [], random: &random)
    }

    /// Index of the endpoint for one attempt; `key` decides where the policy goes by keys, and is not looked at elsewhere.
    ///
    /// `passing`: as for `Cluster.pick`.
    /// There must be at least one endpoint.
    mutating func pick(
        _ endpoints: borrowing EndpointList, key: UInt64, passing: Int = 0, _ random: inout FastRandom
    ) -> Int {
        switch algorithm {
        case .leastRequest: leastRequest.pick(endpoints, &random)
        case .roundRobin: roundRobin.pick()
        // As Envoy does: here weights do not count.
        case .random: Int(random.below(UInt32(truncatingIfNeeded: count)))
        case .ring(let ring): ring.endpoint(for: key, passing: passing)
        case .maglev(let table): table.endpoint(for: key, passing: passing)
        }
    }
}
