/// The load balancing of one cluster in one worker: a closed set of algorithms, so that a pick is a switch and no call through a table.
struct Balancer: ~Copyable {
    private let policy: BalancerPolicy
    private let table: WeightTable
    private var roundRobin: RoundRobin?

    init(_ policy: BalancerPolicy, weights: [UInt32], random: inout FastRandom) {
        self.policy = policy
        table = WeightTable(weights)
        roundRobin = policy == .roundRobin ? RoundRobin(weights: weights, random: &random) : nil
    }

    /// Index of the endpoint for one attempt.
    ///
    /// There must be at least one endpoint.
    mutating func pick(_ endpoints: borrowing EndpointList, _ random: inout FastRandom) -> Int {
        switch policy {
        case .leastRequest: LeastRequest.pick(endpoints, table, &random)
        case .random: table.pick(&random)
        case .roundRobin: roundRobin?.pick() ?? 0
        }
    }
}
