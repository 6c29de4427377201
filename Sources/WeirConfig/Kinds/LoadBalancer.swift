extension TrafficPolicy {
    /// `loadBalancer`.
    package struct LoadBalancer: Sendable, Hashable {
        /// `simple`, with UNSPECIFIED and LEAST_CONN read as LEAST_REQUEST.
        package enum Simple: Sendable, Hashable {
            case leastRequest
            case roundRobin
            case random
            /// Where the client was going; a gateway's clients were going to the gateway.
            case passthrough
        }

        /// Not looked at when `consistentHash` is there.
        package var simple = Simple.leastRequest
        package var consistentHash: ConsistentHash?
        package var localityLbSetting: LocalityLoadBalancer?
        package var zoneAwareLbSetting: ZoneAwareLoadBalancer?
        /// Also what `warmupDurationSecs` says, when only that is written.
        package var warmup: Warmup?

        package init() {}

        package init(_ simple: Simple) { self.simple = simple }
    }

    /// `loadBalancer.consistentHash`.
    package struct ConsistentHash: Sendable, Hashable {
        package enum Key: Sendable, Hashable {
            /// Lower-cased.
            case httpHeader(String)
            case httpCookie(Cookie)
            case sourceIP
            case httpQueryParameter(String)
        }

        package struct Cookie: Sendable, Hashable {
            package var name = ""
            package var path: String?
            /// `nil` = no cookie is made; 0 = one for the session.
            package var ttlMilliseconds: Int?
            package var attributes: [Attribute] = []
            package init() {}
        }

        package struct Attribute: Sendable, Hashable {
            package var name = ""
            /// Empty = the attribute has no value, such as `Secure`.
            package var value = ""
            package init() {}
        }

        package enum Algorithm: Sendable, Hashable {
            case ringHash(minimumRingSize: Int)
            case maglev(tableSize: Int)
        }

        /// Absent = nothing to hash: any endpoint.
        package var key: Key?
        /// Also what `minimumRingSize` beside the key says.
        package var algorithm = Algorithm.ringHash(minimumRingSize: Self.defaultRingSize)

        package static let defaultRingSize = 1_024
        package static let defaultTableSize = 65_537

        package init() {}
    }

    /// `loadBalancer.localityLbSetting`.
    package struct LocalityLoadBalancer: Sendable, Hashable {
        package struct Distribute: Sendable, Hashable {
            /// `region/zone/subzone`; `*` at the end stands for the rest.
            package var from = ""
            /// Localities to percentages.
            package var to: [String: Int] = [:]
            package init() {}
        }

        package var distribute: [Distribute] = []
        package var failover: [Failover] = []
        /// Label names, or `name=value`.
        package var failoverPriority: [String] = []
        package var enabled: Bool?
        package init() {}
    }

    /// From one region to another.
    package struct Failover: Sendable, Hashable {
        package var from = ""
        package var to = ""
        package init() {}
    }

    /// `loadBalancer.zoneAwareLbSetting`.
    package struct ZoneAwareLoadBalancer: Sendable, Hashable {
        package var enabled: Bool?
        package var failover: [Failover] = []
        package var minClusterSize: Int?
        package init() {}
    }

    /// `loadBalancer.warmup`.
    package struct Warmup: Sendable, Hashable {
        package var durationMilliseconds: Int?
        /// Absent = 10.
        package var minimumPercent: Double?
        /// Absent = 1, which is linear.
        package var aggression: Double?
        package init() {}
    }
}
