/// A `ClusterPlan` alive in one worker: its endpoints with their pools, and the balancer over them.
///
/// Made on the first pick and kept over reloads for as long as a snapshot has its id, so pools and balancer state survive.
/// Loop thread only.
final class Cluster {
    private let host: ServerHost
    private(set) var plan: ClusterPlan
    /// As its plan's, whichever plan that is.
    let id: Int32
    private var endpoints = EndpointList([])
    private var balancer: Balancer
    /// Instead of the balancer where endpoints are not all alike.
    private var picks: PickSet?
    private var isSelective = false
    /// What workers share of the endpoints' health, and what was seen of it last; the plan keeps it.
    private var health: Unmanaged<ClusterHealth>?
    private var seenEpoch: UInt32 = 0
    /// `nil` where the cluster never had limits.
    private(set) var breaker: CircuitBreaker?

    init(host: ServerHost, plan: ClusterPlan) {
        self.host = host
        self.plan = plan
        id = plan.id
        balancer = Balancer(plan, random: &host.random)
        rebuild(keeping: [:])
    }

    /// Requests go by the key their route makes of them (see `Affinity`).
    private(set) var usesKeys = false

    /// An endpoint for one attempt, or `nil` when the cluster has none; `key` counts where the cluster `usesKeys`.
    ///
    /// `passing`: where the key leads to has been passed over so many times, so what comes after it is wanted.
    /// `excluded`: priorities that are not wanted, a bit each, as long as others can take the request.
    /// Borrowed; whoever sends it a request says so with `requestBegan`.
    func pick(
        key: UInt64, passing: Int = 0, excluded: UInt64 = 0, _ random: inout FastRandom
    ) -> Unmanaged<Endpoint>? {
        if isSelective { return select(key: key, passing: passing, excluded: excluded, &random) }
        return switch endpoints.count {
        case 0: nil
        case 1: endpoints[0]
        default: endpoints[balancer.pick(endpoints, key: key, passing: passing, &random)]
        }
    }

    private func select(
        key: UInt64, passing: Int, excluded: UInt64, _ random: inout FastRandom
    ) -> Unmanaged<Endpoint>? {
        guard endpoints.count > 0 else { return nil }
        if let health, health._withUnsafeGuaranteedRef({ $0.epoch }) != seenEpoch { lookAgain(&random) }
        return picks?.pick(
            key: key, usesKeys: usesKeys, passing: passing, excluded: excluded, now: host.loop.now, &random) ?? nil
    }

    /// Whether there are endpoints for a request besides those of these priorities, a bit each.
    func serves(without excluded: UInt64) -> Bool { picks?.serves(without: excluded) ?? false }

    /// An endpoint was taken out or put back, by whichever worker.
    ///
    /// `random` is the host's, which a pick holds already.
    private func lookAgain(_ random: inout FastRandom) {
        // First: what changes meanwhile is seen next time.
        if let health { seenEpoch = health._withUnsafeGuaranteedRef { $0.epoch } }
        picks = PickSet(plan, endpoints.all, random: &random)
    }

    /// Takes over a newer plan: endpoints that stay keep their connections, those that went finish what they serve.
    func adopt(_ newer: ClusterPlan) {
        guard newer !== plan else { return }
        let formerName = plan.spec.logicalName
        plan = newer
        var known: [EndpointAddress: Endpoint] = [:]
        for endpoint in endpoints.all {
            // Two of one address: requests that borrow the one that is dropped must still find it.
            if let twin = known.updateValue(endpoint, forKey: endpoint.pool.address) { twin.leave() }
        }
        if let formerName, let endpoint = known.values.first {
            known = [:]
            if newer.spec.logicalName == formerName, newer.endpointCount == 1 {
                known[newer.endpoints[0].address] = endpoint
            } else {
                // Its connections may lead to addresses it had before.
                endpoint.leave()
            }
        }
        rebuild(keeping: known)
    }

    private func rebuild(keeping known: [EndpointAddress: Endpoint]) {
        var left = known
        let wanted = (0..<plan.endpointCount).map { plan.endpoints[$0] }
        let list = wanted.enumerated().map { index, wanted in
            let known = left.removeValue(forKey: wanted.address)
            let endpoint = known ?? Endpoint(pool: host.makePool(to: wanted.address, plan))
            if known != nil { endpoint.pool.adopt(plan, wanted.address) }
            endpoint.adopt(plan, at: index)
            return endpoint
        }
        for endpoint in left.values { endpoint.leave() }
        endpoints = EndpointList(list)
        balancer = Balancer(plan, random: &host.random)
        usesKeys = plan.affinity != nil
        isSelective = plan.isSelective
        health = plan.health.map { Unmanaged.passUnretained($0.shared) }
        picks = nil
        if isSelective { lookAgain(&host.random) }
        breaker = host.circuitBreaker(for: plan)
        guard let breaker else { return }
        for endpoint in endpoints.all { endpoint.pool.join(breaker) }
        breaker.adopt(plan.spec.limits, of: self)
    }

    /// The cluster has left the configuration: idle connections close, busy ones end with their requests.
    func drain() {
        for endpoint in endpoints.all { endpoint.leave() }
        endpoints = EndpointList([])
        picks = nil
        breaker?.clusterLeft()
    }

    /// Closes one connection that waits for a request; `false` when none does.
    func closeIdle() -> Bool { endpoints.all.contains { $0.pool.closeIdle() } }

    var connectionCount: Int { endpoints.all.reduce(0) { $0 + $1.pool.connectionCount } }
    var idleCount: Int { endpoints.all.reduce(0) { $0 + $1.pool.idleCount } }

    /// What some of its endpoints are doing, in the order of its plan.
    func loads(from first: Int, most: Int) -> ClusterLoads {
        let loads = endpoints.all.dropFirst(first).prefix(most).map { endpoint in
            var load = EndpointLoad()
            load.activeRequests = endpoint.active
            load.connections = endpoint.pool.connectionCount
            load.idleConnections = endpoint.pool.idleCount
            return load
        }
        return ClusterLoads(plan: plan, first: first, loads: loads)
    }

    /// Cuts every connection; only when the worker ends.
    func closeAll() {
        for endpoint in endpoints.all { endpoint.pool.closeAll() }
    }
}
