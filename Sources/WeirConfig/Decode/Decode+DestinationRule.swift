extension DestinationRule {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        host = fields.text("host") ?? ""
        trafficPolicy = fields.mapping("trafficPolicy").map(TrafficPolicy.init)
        subsets = fields.items("subsets").map(Subset.init)
        exportTo = ExportTo.read(&fields)
        fields.isNotHonoured("workloadSelector", "the rule applies whatever the gateway's labels are")
        fields.finish()
    }
}

extension DestinationRule.Subset {
    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        name = fields.text("name") ?? ""
        labels = fields.textMap("labels")
        trafficPolicy = fields.mapping("trafficPolicy").map(TrafficPolicy.init)
        fields.finish()
    }
}

extension TrafficPolicy {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        if fields.isEmpty {
            fields.session.error(
                fields.path, line: fields.line, "trafficPolicy is empty. Remove it, or write a policy.")
        }
        (loadBalancer, connectionPool) = Self.readBlocks(&fields)
        portLevelSettings = fields.items("portLevelSettings").map(PortTrafficPolicy.init)
        fields.isNotHonoured("tunnel", "connections are not tunnelled")
        fields.isNotHonoured("proxyProtocol", "no PROXY header is sent")
        fields.isNotHonoured("retryBudget", "retries have no budget")
        fields.finish()
    }

    /// The blocks a port's policy has as well.
    fileprivate static func readBlocks(_ fields: inout FieldReader) -> (LoadBalancer?, ConnectionPoolSettings?) {
        let loadBalancer = fields.mapping("loadBalancer").map(LoadBalancer.init)
        let connectionPool = fields.mapping("connectionPool").map(ConnectionPoolSettings.init)
        fields.isNotHonoured("outlierDetection", "failing endpoints are not ejected")
        fields.isNotHonoured("tls", "connections to the endpoints are plain text")
        return (loadBalancer, connectionPool)
    }
}

extension TrafficPolicy.PortTrafficPolicy {
    fileprivate init(_ value: FieldValue) {
        guard var fields = value.mapping() else { return }
        port = PortSelector.read(&fields) ?? 0
        (loadBalancer, connectionPool) = TrafficPolicy.readBlocks(&fields)
        fields.finish()
    }
}

extension TrafficPolicy.LoadBalancer {
    /// `loadBalancer.simple` as written.
    private enum Simple: String, CaseIterable {
        case unspecified = "UNSPECIFIED"
        case leastRequest = "LEAST_REQUEST"
        case leastConnection = "LEAST_CONN"
        case roundRobin = "ROUND_ROBIN"
        case random = "RANDOM"
        case passthrough = "PASSTHROUGH"
    }

    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        let simple = fields.take("simple")
        let word = fields.word("simple", as: Simple.self)
        let hash = fields.take("consistentHash")
        for field in ["localityLbSetting", "zoneAwareLbSetting"] {
            fields.isNotHonoured(field, "endpoints are chosen whatever their locality is")
        }
        for field in ["warmup", "warmupDurationSecs"] {
            fields.isNotHonoured(field, "new endpoints get their full share at once")
        }
        fields.finish()
        if let simple, hash != nil {
            simple.refuse("A load balancer is either simple or consistentHash. Keep one of them.")
        }
        hash?.warn(.fieldNotHonoured, "consistentHash is not acted on by this version; LEAST_REQUEST is used instead.")
        if hash != nil {
            self = .other
            return
        }
        switch word {
        case .roundRobin: self = .roundRobin
        case .random: self = .random
        case .passthrough:
            simple?.warn(
                .fieldNotHonoured, "PASSTHROUGH is not acted on by this version; LEAST_REQUEST is used instead.")
            self = .other
        case nil, .unspecified, .leastRequest, .leastConnection: self = .leastRequest
        }
    }
}

extension TrafficPolicy.ConnectionPoolSettings {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        if fields.isEmpty {
            fields.session.error(
                fields.path, line: fields.line, "connectionPool is empty. Remove it, or write tcp or http.")
        }
        let tcpIdle = fields.mapping("tcp").flatMap { readTCP($0) }
        let httpIdle = fields.mapping("http").flatMap { Self.readHTTP($0) }
        fields.finish()
        idleTimeoutMilliseconds = httpIdle ?? tcpIdle
    }

    /// Returns the idle timeout.
    private mutating func readTCP(_ reader: FieldReader) -> Int? {
        var fields = reader
        connectTimeoutMilliseconds = fields.take("connectTimeout")?.milliseconds()
        let idle = fields.take("idleTimeout")?.milliseconds(zeroAllowed: true)
        fields.isNotHonoured("maxConnections", "the number of connections is not limited")
        fields.isNotHonoured("tcpKeepalive", "the system's own settings hold")
        fields.isNotHonoured("maxConnectionDuration", "connections have no age limit")
        fields.finish()
        return idle
    }

    private static func readHTTP(_ reader: FieldReader) -> Int? {
        var fields = reader
        let idle = fields.take("idleTimeout")?.milliseconds()
        for field in ["http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries"] {
            fields.isNotHonoured(field, "there is no such limit")
        }
        for field in ["maxConcurrentStreams", "http2KeepAlive", "h2UpgradePolicy", "useClientProtocol"] {
            fields.isNotHonoured(field, "requests go out as HTTP/1.1")
        }
        fields.finish()
        return idle
    }
}

extension FieldValue {
    /// A duration of whole milliseconds, at least one (Istio's rule); zero only where it means "never".
    func milliseconds(zeroAllowed: Bool = false) -> Int? {
        guard let text = text() else { return nil }
        guard let nanoseconds = DurationText.nanoseconds(text) else {
            refuse("\(text) is no duration. Write a number with a unit, such as 250ms, 1.5s or 1h30m.")
            return nil
        }
        if zeroAllowed, nanoseconds == 0 { return 0 }
        guard nanoseconds >= 1_000_000, nanoseconds % 1_000_000 == 0 else {
            refuse("\(text) is not a whole number of milliseconds from 1ms up. Write 1ms or a multiple of it.")
            return nil
        }
        return nanoseconds / 1_000_000
    }
}
