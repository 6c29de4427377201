/// How keys are spread over the endpoints of one cluster, so that a key keeps its endpoint while others come and go
/// (Istio: `consistentHash`).
///
/// Built off the workers and shared by all of them.
package final class AffinityTable: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    /// An endpoint as the tables see it.
    struct Place {
        /// `ip:port`, or a unix socket's path.
        let key: String
        /// At least 1.
        let weight: UInt32
        /// Its place in the cluster.
        let index: UInt32
    }

    /// Where keys are looked up; borrows from the table.
    enum Lookup {
        case ring(HashRing)
        case maglev(MaglevTable)
    }

    let lookup: Lookup

    /// `nil` for a policy without keys, or a cluster without endpoints.
    init?(_ policy: BalancerPolicy, _ places: [Place]) {
        guard !places.isEmpty else { return nil }
        // In an order of their own: the same endpoints in another order are the same table.
        let places = places.sorted { ($0.key, $0.index) < ($1.key, $1.index) }
        switch policy {
        case .ringHash(let minimumSize): lookup = .ring(HashRing(places, minimumSize: minimumSize))
        case .maglev(let size): lookup = .maglev(MaglevTable(places, size: size))
        case .leastRequest, .roundRobin, .random, .passthrough: return nil
        }
    }

    deinit {
        switch lookup {
        case .ring(let ring): ring.free()
        case .maglev(let table): table.free()
        }
    }
}
