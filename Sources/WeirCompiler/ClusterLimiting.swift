import WeirConfig
import WeirEngine

extension ClusterSpec {
    /// Settles how much of the cluster may be used, and for how long each connection is (semantics 4.4, 3.11).
    mutating func limit(_ policy: EffectivePolicy) {
        let pool = policy.connectionPool
        limits.connections = pool?.tcp?.maxConnections ?? .max
        limits.pending = pool?.http?.http1MaxPendingRequests ?? .max
        limits.requests = pool?.http?.http2MaxRequests ?? .max
        limits.retries = pool?.http?.maxRetries ?? .max
        limits.retryBudget = policy.retryBudget.map { budget in
            var limit = ClusterLimits.RetryBudget()
            if let percent = budget.percent { limit.percent = percent }
            if let least = budget.minRetryConcurrency { limit.least = least }
            return limit
        }
        life.maxRequests = pool?.http?.maxRequestsPerConnection ?? 0
        life.maxMilliseconds = pool?.tcp?.maxConnectionDurationMilliseconds ?? 0
        life.keepAlive = pool?.tcp?.tcpKeepalive.map { settings in
            SocketKeepAlive(
                probes: settings.probes.flatMap { $0 == 0 ? nil : $0 },
                idleSeconds: settings.timeMilliseconds.map(Self.wholeSeconds),
                intervalSeconds: settings.intervalMilliseconds.map(Self.wholeSeconds))
        }
    }

    /// Rounded up: the system counts in seconds, and takes no zero.
    private static func wholeSeconds(_ milliseconds: Int) -> Int { (milliseconds + 999) / 1000 }
}
