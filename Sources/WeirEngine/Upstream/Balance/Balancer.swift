/// The load balancing of one cluster in one worker: a closed set of algorithms, so that a pick is a switch and no call through a table.
enum Balancer {
    case leastRequest(LeastRequest)
    case roundRobin(RoundRobin)
    case random(WeightTable)
    /// Only while a pick changes the payload in place.
    case changing

    init(_ policy: BalancerPolicy, weights: [UInt32], random: inout FastRandom) {
        switch policy {
        case .leastRequest: self = .leastRequest(LeastRequest(weights: weights))
        case .roundRobin: self = .roundRobin(RoundRobin(weights: weights, random: &random))
        case .random: self = .random(WeightTable(weights))
        }
    }

    /// Index of the endpoint for one attempt.
    ///
    /// There must be at least one endpoint.
    mutating func pick(_ endpoints: borrowing [Endpoint], _ random: inout FastRandom) -> Int {
        switch self {
        case .leastRequest(let balancer): return balancer.pick(endpoints, &random)
        case .random(let table): return table.pick(&random)
        case .roundRobin(var balancer):
            // Leave the case first: the payload's arrays stay unique and are changed in place.
            self = .changing
            let index = balancer.pick()
            self = .roundRobin(balancer)
            return index
        case .changing: preconditionFailure("a pick inside a pick")
        }
    }
}
