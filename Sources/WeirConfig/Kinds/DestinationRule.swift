/// Istio `DestinationRule` (networking.istio.io): subsets of a host and how traffic to it is treated.
package struct DestinationRule: Sendable, Hashable {
    package var host = ""
    @Boxed package var trafficPolicy: TrafficPolicy?
    package var subsets: [Subset] = []
    package var exportTo: [String] = []
    /// `workloadSelector.matchLabels`: labels of the clients, here the gateway, that the rule is for.
    package var workloadSelector: [String: String]?

    package init() {}

    package struct Subset: Sendable, Hashable {
        package var name = ""
        package var labels: [String: String] = [:]
        @Boxed package var trafficPolicy: TrafficPolicy?
        package var line = 0
        package init() {}
    }
}

/// `trafficPolicy`, and one entry of its `portLevelSettings`.
///
/// A block is replaced whole by a more specific one (semantics 4.2).
package struct TrafficPolicy: Sendable, Hashable {
    @Boxed package var loadBalancer: LoadBalancer?
    @Boxed package var connectionPool: ConnectionPoolSettings?
    @Boxed package var outlierDetection: OutlierDetection?
    @Boxed package var tls: ClientTLS?
    package var portLevelSettings: [PortTrafficPolicy] = []
    @Boxed package var tunnel: Tunnel?
    package var proxyProtocol: ProxyProtocolVersion?
    package var retryBudget: RetryBudget?

    package init() {}

    /// The policy of one port of the Service; what it leaves out falls to the defaults.
    package struct PortTrafficPolicy: Sendable, Hashable {
        package var port = 0
        @Boxed package var loadBalancer: LoadBalancer?
        @Boxed package var connectionPool: ConnectionPoolSettings?
        @Boxed package var outlierDetection: OutlierDetection?
        @Boxed package var tls: ClientTLS?
        package var line = 0
        package init() {}
    }

    /// `tunnel`: TCP through HTTP; Istio has it for TCP and TLS routes only.
    package struct Tunnel: Sendable, Hashable {
        /// `CONNECT` or `POST`; empty = CONNECT.
        package var `protocol` = ""
        package var targetHost = ""
        package var targetPort = 0
        package init() {}
    }

    /// `proxyProtocol.version`.
    package enum ProxyProtocolVersion: String, Sendable, Hashable, CaseIterable {
        case v1 = "V1"
        case v2 = "V2"
    }

    /// `retryBudget`: how many retries may be under way at once.
    package struct RetryBudget: Sendable, Hashable {
        /// Share of the active requests; absent = 20.
        package var percent: Double?
        /// Absent = 3.
        package var minRetryConcurrency: Int?
        /// Absent or 0 = of the requests active now.
        package var budgetIntervalMilliseconds: Int?
        package init() {}
    }
}
