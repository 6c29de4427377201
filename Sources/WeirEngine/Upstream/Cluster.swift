/// A `ClusterPlan` alive in one worker: its endpoints with their pools, and the balancer over them.
///
/// Made on the first pick and kept over reloads for as long as a snapshot has its id, so pools and balancer state survive.
/// Loop thread only.
final class Cluster {
    private let host: ServerHost
    private(set) var plan: ClusterPlan
    private var endpoints: [Endpoint] = []
    private var balancer: Balancer

    init(host: ServerHost, plan: ClusterPlan) {
        self.host = host
        self.plan = plan
        balancer = .random(WeightTable([]))
        rebuild(keeping: [:])
    }

    /// An endpoint for one attempt, or `nil` when the cluster has none.
    func pick(_ random: inout FastRandom) -> Endpoint? {
        guard !endpoints.isEmpty else { return nil }
        return endpoints[balancer.pick(endpoints, &random)]
    }

    /// Takes over a newer plan: endpoints that stay keep their connections, those that went finish what they serve.
    func adopt(_ newer: ClusterPlan) {
        guard newer !== plan else { return }
        plan = newer
        var known: [EndpointAddress: Endpoint] = [:]
        for endpoint in endpoints { known[endpoint.pool.address] = endpoint }
        rebuild(keeping: known)
    }

    private func rebuild(keeping known: [EndpointAddress: Endpoint]) {
        var left = known
        endpoints = (0..<plan.endpointCount).map { index in
            let wanted = plan.endpoints[index]
            if let endpoint = left.removeValue(forKey: wanted.address) {
                endpoint.weight = wanted.weight
                endpoint.pool.adopt(plan, wanted.address)
                return endpoint
            }
            return Endpoint(pool: host.makePool(to: wanted.address, plan), weight: wanted.weight)
        }
        for endpoint in left.values { endpoint.pool.drain() }
        balancer = Balancer(plan.balancer, weights: endpoints.map(\.weight), random: &host.random)
    }

    /// The cluster has left the configuration: idle connections close, busy ones end with their requests.
    func drain() {
        for endpoint in endpoints { endpoint.pool.drain() }
        endpoints = []
    }

    var connectionCount: Int { endpoints.reduce(0) { $0 + $1.pool.connectionCount } }

    /// Cuts every connection; only when the worker ends.
    func closeAll() {
        for endpoint in endpoints { endpoint.pool.closeAll() }
    }
}
