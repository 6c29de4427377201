import WeirConfig

/// The blocks of traffic policy in force for one cluster (semantics 4.2).
struct EffectivePolicy: Equatable {
    // Blocks that a port may have of its own.
    private(set) var loadBalancer: TrafficPolicy.LoadBalancer?
    private(set) var connectionPool: TrafficPolicy.ConnectionPoolSettings?
    private(set) var outlierDetection: TrafficPolicy.OutlierDetection?
    private(set) var tls: TrafficPolicy.ClientTLS?
    /// Where that is written.
    private(set) var tlsPlace = Place(isInSubset: false)

    private(set) var tunnel: TrafficPolicy.Tunnel?
    private(set) var proxyProtocol: TrafficPolicy.ProxyProtocolVersion?
    private(set) var retryBudget: TrafficPolicy.RetryBudget?

    struct Place: Equatable {
        let isInSubset: Bool
        /// Place among the `portLevelSettings`.
        var entry: Int?
    }

    /// Reduces the rule's policy to the port, then lays the subset's over it, block by block.
    init(_ policy: TrafficPolicy?, subset: TrafficPolicy?, port: Int) {
        for (policy, isSubset) in [(policy, false), (subset, true)] {
            guard let policy else { continue }
            if let index = policy.portLevelSettings.firstIndex(where: { $0.port == port }) {
                // What a port's entry leaves out falls to the defaults, not to the policy around it. What no entry can have
                // is a subset's all the same.
                if isSubset { lay(policy) }
                take(policy.portLevelSettings[index])
                tlsPlace = Place(isInSubset: isSubset, entry: index)
            } else {
                lay(policy)
                if policy.tls != nil { tlsPlace = Place(isInSubset: isSubset) }
            }
        }
    }

    /// Replaces each block that `policy` has, whole.
    private mutating func lay(_ policy: TrafficPolicy) {
        loadBalancer = policy.loadBalancer ?? loadBalancer
        connectionPool = policy.connectionPool ?? connectionPool
        outlierDetection = policy.outlierDetection ?? outlierDetection
        tls = policy.tls ?? tls
        tunnel = policy.tunnel ?? tunnel
        proxyProtocol = policy.proxyProtocol ?? proxyProtocol
        retryBudget = policy.retryBudget ?? retryBudget
    }

    /// Replaces all the blocks that a port may have, also by nothing.
    private mutating func take(_ entry: TrafficPolicy.PortTrafficPolicy) {
        loadBalancer = entry.loadBalancer
        connectionPool = entry.connectionPool
        outlierDetection = entry.outlierDetection
        tls = entry.tls
    }
}

extension TrafficPolicy {
    /// What is written for this port of the Service.
    fileprivate func entry(for port: Int) -> PortTrafficPolicy? {
        portLevelSettings.first { $0.port == port }
    }

    /// The hash a route takes from this policy: that of the port it names, if it names one.
    fileprivate func hash(namedPort: Int?) -> (ofPort: ConsistentHash?, own: ConsistentHash?) {
        (namedPort.flatMap { entry(for: $0) }?.loadBalancer?.consistentHash, loadBalancer?.consistentHash)
    }
}

extension MergedRule {
    /// What a route to one of the rule's destinations makes its keys of (semantics 4.2): unlike a cluster's policy it heeds the
    /// blocks of a port only where the route names the port.
    func hash(subset: String?, namedPort: Int?) -> TrafficPolicy.ConsistentHash? {
        let narrow = subset.flatMap { self.subset(named: $0) }?.trafficPolicy?.hash(namedPort: namedPort)
        let wide = trafficPolicy?.hash(namedPort: namedPort)
        return narrow?.ofPort ?? narrow?.own ?? wide?.ofPort ?? wide?.own
    }
}
