/// What is used of one of a cluster's limits, by all workers together.
package struct LimitUse: Sendable, Equatable {
    /// `connections`, `pending_requests`, `requests` or `retries`.
    package var name: String
    /// `nil` = there is none.
    package var limit: Int?
    package var used: Int
    /// Times it was met.
    package var overflows: Int
}

extension ClusterPlan {
    /// Its limits; `nil` when it has none.
    package var limitUses: [LimitUse]? {
        guard let counters = shared?.limits, spec.limits.isActive else { return nil }
        let limits = spec.limits
        let retries = limits.retries(beside: counters.requestsUnderWay)
        let counts = counters.overflows
        return [
            .of("connections", limits.connections, counters.connections.now, counts[.connection]),
            .of("pending_requests", limits.pending, counters.pending.now, counts[.pending]),
            .of("requests", limits.requests, counters.requests.now, counts[.request]),
            .of("retries", retries, counters.retries.now, counts[.retry]),
        ]
    }
}

extension LimitUse {
    fileprivate static func of(_ name: String, _ limit: Int, _ used: Int, _ overflows: Int) -> LimitUse {
        LimitUse(name: name, limit: limit == .max ? nil : limit, used: used, overflows: overflows)
    }
}
