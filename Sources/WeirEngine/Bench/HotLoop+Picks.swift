#if WEIR_BENCH
extension HotLoop {
    /// Choosing a destination by weight, and an endpoint of its cluster.
    static func picks() -> [HotLoop] {
        let destinations = [("stable", 90), ("canary", 10)].enumerated().map { id, destination in
            RouteSpec.Destination(clusterID: Int32(id), weight: UInt32(destination.1), clusterName: destination.0)
        }
        let plan = VirtualHostPlan(routes: [RouteSpec(conditions: [], destinations: destinations)])
        let weighted = HotLoop(name: "pick destination, 2 weights") { repetitions in
            var random = FastRandom(seed: 1)
            var sum: UInt64 = 0
            for _ in 0..<repetitions {
                sum &+= UInt64(plan.pick(route: 0, random: random.next())?.pointee.clusterID ?? 0)
            }
            return sum
        }
        let ten = Array(repeating: UInt32(1), count: 10)
        return [
            weighted, endpoint("pick endpoint, 3 of equal weight, least request", .leastRequest, weights: [1, 1, 1]),
            endpoint("pick endpoint, 3 of other weights, least request", .leastRequest, weights: [1, 2, 3]),
            endpoint("pick endpoint, 3 of other weights, round robin", .roundRobin, weights: [1, 2, 3]),
            endpoint("pick endpoint, 10 by key, ring", .ringHash(minimumSize: 1_024), weights: ten),
            endpoint("pick endpoint, 10 by key, Maglev", .maglev(size: 65_537), weights: ten),
            key("key of a request, header and cookie", [.header("x-user"), .cookie(HashPolicy.Cookie(name: "sid"))]),
        ]
    }

    private static func endpoint(_ name: String, _ policy: BalancerPolicy, weights: [UInt32]) -> HotLoop {
        var spec = ClusterSpec(name: "outbound|80||origin.example.com")
        spec.balancer = policy
        spec.endpoints = weights.enumerated().map { index, weight in
            ClusterSpec.Endpoint(.ipv4(UInt32(bigEndian: 0xc000_0201 + UInt32(index))), port: 80, weight: weight)
        }
        let host = ServerHost(loop: Loop())
        let cluster = Cluster(host: host, plan: ClusterPlan(id: 0, spec: spec))
        return HotLoop(name: name) { repetitions in
            withExtendedLifetime(host) {
                var random = FastRandom(seed: 1)
                var sum: UInt64 = 0
                for _ in 0..<repetitions {
                    guard let endpoint = cluster.pick(key: random.next(), &random) else {
                        preconditionFailure("no endpoint was found")
                    }
                    sum &+= UInt64(endpoint._withUnsafeGuaranteedRef { $0.weight })
                }
                return sum
            }
        }
    }
    /// What the hash policies of a route make of a request.
    private static func key(_ name: String, _ policies: [HashPolicy]) -> HotLoop {
        let table = HashPolicyTable([policies])
        let head = RequestHead()
        let received = pinnedBytes(
            "GET /cart HTTP/1.1\r\nhost: shop.example.com\r\nx-user: 0a1b2c3d-alice\r\n"
                + "cookie: a=b; sid=0123456789abcdef\r\n\r\n")
        var parser = H1Parser()
        let result = parser.parseRequest(received.baseAddress!, count: received.count, into: head)
        precondition(result == .complete(consumed: received.count), "a request head was refused")
        guard let peer = SocketAddress(numericHost: "192.0.2.10", port: 40_000) else {
            preconditionFailure("an address was not understood")
        }
        let downstream = DownstreamInfo(peer: peer, listener: 0, scheme: .http).placed()
        let list = HotLoopPolicies(table)
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            for _ in 0..<repetitions {
                for policy in list.policies { sum &+= policy.hash(head, downstream) ?? 0 }
            }
            return sum
        }
    }
}

/// Keeps a table for a loop, whose closure cannot hold what is not copied.
private final class HotLoopPolicies {
    private let table: HashPolicyTable
    let policies: HashPolicies

    init(_ table: consuming HashPolicyTable) {
        self.table = table
        policies = self.table[0]
    }
}
#endif
