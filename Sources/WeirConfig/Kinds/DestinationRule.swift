/// Istio `DestinationRule` (networking.istio.io): subsets of a host and how traffic to it is treated.
package struct DestinationRule: Sendable, Hashable {
    package var host = ""
    package var trafficPolicy: TrafficPolicy?
    package var subsets: [Subset] = []
    package var exportTo: [String] = []

    package init() {}

    package struct Subset: Sendable, Hashable {
        package var name = ""
        package var labels: [String: String] = [:]
        package var trafficPolicy: TrafficPolicy?
        package var line = 0
        package init() {}
    }
}

/// The blocks of `trafficPolicy` that Weir acts on.
///
/// A block is replaced whole by a more specific one (semantics 4.2).
package struct TrafficPolicy: Sendable, Hashable {
    package var loadBalancer: LoadBalancer?
    package var connectionPool: ConnectionPoolSettings?
    package var portLevelSettings: [PortTrafficPolicy] = []

    package init() {}

    package struct PortTrafficPolicy: Sendable, Hashable {
        package var port = 0
        package var loadBalancer: LoadBalancer?
        package var connectionPool: ConnectionPoolSettings?
        package init() {}
    }

    /// `loadBalancer.simple`; LEAST_CONN is read as LEAST_REQUEST.
    package enum LoadBalancer: Sendable, Hashable {
        case leastRequest
        case roundRobin
        case random
        /// Written, but not served by this version (consistentHash, PASSTHROUGH); reported, LEAST_REQUEST is used.
        case other
    }

    package struct ConnectionPoolSettings: Sendable, Hashable {
        /// `tcp.connectTimeout` in milliseconds; `nil` = 10 s.
        package var connectTimeoutMilliseconds: Int?
        /// `http.idleTimeout`, else `tcp.idleTimeout`, in milliseconds; `nil` = 1 h, 0 = never.
        package var idleTimeoutMilliseconds: Int?
        package init() {}
    }
}
