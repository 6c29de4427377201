/// The load balancing of one cluster in one worker: a closed set of algorithms, so that a pick is a switch and no call through a table.
struct Balancer: ~Copyable {
    private enum Algorithm {
        case leastRequest
        case roundRobin
        case random
        /// Borrowed from the plan.
        case ring(HashRing)
        case maglev(MaglevTable)
        /// The same, of which some endpoints alone are wanted.
        case partOfRing(HashRing, UnsafeMutablePointer<Int32>)
        case partOfMaglev(MaglevTable, UnsafeMutablePointer<Int32>)
    }
    private let algorithm: Algorithm
    private let count: Int
    private var leastRequest: LeastRequest
    private var roundRobin: RoundRobin

    /// Among the endpoints at these places of the plan; `nil` = among all of them.
    ///
    /// `plan` must outlive the balancer.
    init(_ plan: ClusterPlan, members: [Int]? = nil, random: inout FastRandom) {
        let places = members ?? Array(0..<plan.endpointCount)
        let weights = places.map { plan.endpoints[$0].weight }
        // Who all the endpoints are, no table has to be told.
        let part = places.count < plan.endpointCount ? places : nil
        switch (plan.balancer, plan.affinity?.lookup) {
        case (_, .ring(let ring)):
            algorithm = part.map { .partOfRing(ring, Self.table($0, plan)) } ?? .ring(ring)
        case (_, .maglev(let table)):
            algorithm = part.map { .partOfMaglev(table, Self.table($0, plan)) } ?? .maglev(table)
        case (.roundRobin, nil): algorithm = .roundRobin
        case (.random, nil): algorithm = .random
        case (_, nil): algorithm = .leastRequest
        }
        count = places.count
        leastRequest = LeastRequest(plan.balancer == .leastRequest ? weights : [], random: &random)
        roundRobin = RoundRobin(plan.balancer == .roundRobin ? weights : [], random: &random)
    }

    deinit {
        switch algorithm {
        case .partOfRing(_, let members), .partOfMaglev(_, let members): members.deallocate()
        case .leastRequest, .roundRobin, .random, .ring, .maglev: break
        }
    }

    /// By place in the plan: the place among the members, or -1.
    private static func table(_ members: [Int], _ plan: ClusterPlan) -> UnsafeMutablePointer<Int32> {
        let table = UnsafeMutablePointer<Int32>.allocate(capacity: plan.endpointCount)
        table.initialize(repeating: -1, count: plan.endpointCount)
        for (place, index) in members.enumerated() { table[index] = Int32(truncatingIfNeeded: place) }
        return table
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
        case .partOfRing(let ring, let members): ring.member(for: key, passing: passing, among: members) ?? 0
        case .partOfMaglev(let table, let members): table.member(for: key, passing: passing, among: members) ?? 0
        }
    }
}
