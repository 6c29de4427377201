extension TrafficPolicy.LoadBalancer {
    /// `loadBalancer.simple` as written.
    private enum SimpleName: String, CaseIterable {
        case unspecified = "UNSPECIFIED"
        case leastConnection = "LEAST_CONN"
        case random = "RANDOM"
        case passthrough = "PASSTHROUGH"
        case roundRobin = "ROUND_ROBIN"
        case leastRequest = "LEAST_REQUEST"
    }

    init(_ reader: FieldReader) {
        var fields = reader
        readSimple(&fields)
        if let hash = fields.take("consistentHash") {
            fields.take("simple")?.refuse("A load balancer is either simple or consistentHash. Keep one of them.")
            consistentHash = hash.mapping().map(TrafficPolicy.ConsistentHash.init)
        }
        localityLbSetting = fields.mapping("localityLbSetting").map(TrafficPolicy.LocalityLoadBalancer.init)
        zoneAwareLbSetting = fields.unserved(
            "zoneAwareLbSetting", "zones have no shares of their own")?.mapping().map(
                TrafficPolicy.ZoneAwareLoadBalancer.init)
        readWarmup(&fields)
        fields.finish()
    }

    private mutating func readSimple(_ fields: inout FieldReader) {
        guard let value = fields.take("simple") else { return }
        switch value.word(of: "simple", as: SimpleName.self) {
        case .roundRobin: simple = .roundRobin
        case .random: simple = .random
        case .passthrough:
            simple = .passthrough
            value.warn(
                .notApplicable,
                "PASSTHROUGH sends a request where its client was going, which is the gateway: every request is answered with 503. "
                    + "Write another algorithm.")
        case .leastConnection:
            value.warn(.deprecated, "LEAST_CONN is deprecated. Write LEAST_REQUEST, which is the same.")
        case nil, .unspecified, .leastRequest: break
        }
    }

    private mutating func readWarmup(_ fields: inout FieldReader) {
        if let value = fields.take("warmupDurationSecs") {
            value.warn(.deprecated, "warmupDurationSecs is deprecated. Write warmup: {duration: ...}.")
            warmup = TrafficPolicy.Warmup()
            warmup?.durationMilliseconds = value.milliseconds()
        }
        if let block = fields.mapping("warmup") { warmup = TrafficPolicy.Warmup(block) }
    }
}

extension TrafficPolicy.Warmup {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        durationMilliseconds = fields.milliseconds("duration")
        minimumPercent = fields.take("minimumPercent")?.number()
        aggression = fields.take("aggression")?.number()
        fields.finish()
    }
}

extension TrafficPolicy.ConsistentHash {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        readKey(&fields)
        readAlgorithm(&fields)
        fields.finish()
    }

    private mutating func readKey(_ fields: inout FieldReader) {
        let path = fields.path
        var keys: [Key] = []
        if let name = fields.filledText("httpHeaderName") { keys.append(.httpHeader(name.lowercased())) }
        if let cookie = fields.mapping("httpCookie") { keys.append(.httpCookie(Cookie(cookie))) }
        if fields.flag("useSourceIp") == true { keys.append(.sourceIP) }
        if let name = fields.filledText("httpQueryParameterName") { keys.append(.httpQueryParameter(name)) }
        if keys.count > 1 {
            fields.session.error(
                path, line: fields.line,
                "A hash has one key. Keep one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName.")
        }
        key = keys.first
    }

    private mutating func readAlgorithm(_ fields: inout FieldReader) {
        let ring = fields.take("ringHash")
        let maglev = fields.take("maglev")
        if let ring, maglev != nil { ring.refuse("A hash has one of ringHash and maglev. Keep one of them.") }
        if let legacy = fields.take("minimumRingSize"), let size = legacy.integer(0...Int.max), size > 0 {
            let message = "minimumRingSize is deprecated here. Write ringHash: {minimumRingSize: \(size)}."
            legacy.warn(.schemaWarning, message)
            algorithm = .ringHash(minimumRingSize: size)
            if ring != nil || maglev != nil {
                legacy.refuse("minimumRingSize excludes ringHash and maglev. Remove it.")
            }
        }
        if var ring = ring?.mapping() {
            let size = ring.integer("minimumRingSize", 0...Int.max) ?? 0
            algorithm = .ringHash(minimumRingSize: size == 0 ? Self.defaultRingSize : size)
            ring.finish()
        }
        if var maglev = maglev?.mapping() {
            algorithm = .maglev(tableSize: maglev.integer("tableSize", 0...Int.max) ?? 0)
            maglev.finish()
        }
    }
}

extension TrafficPolicy.ConsistentHash.Cookie {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        name = fields.text("name") ?? ""
        path = fields.filledText("path")
        ttlMilliseconds = fields.take("ttl")?.milliseconds(zeroAllowed: true)
        attributes = fields.items("attributes").map(TrafficPolicy.ConsistentHash.Attribute.init)
        fields.finish()
    }
}

extension TrafficPolicy.ConsistentHash.Attribute {
    fileprivate init(_ value: FieldValue) {
        guard var fields = value.mapping() else { return }
        name = fields.text("name") ?? ""
        self.value = fields.text("value") ?? ""
        fields.finish()
    }
}

extension TrafficPolicy.LocalityLoadBalancer {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        distribute = fields.items("distribute").map(Distribute.init)
        failover = fields.items("failover").map(TrafficPolicy.Failover.init)
        failoverPriority = fields.texts("failoverPriority")
        enabled = fields.flag("enabled")
        fields.finish()
    }
}

extension TrafficPolicy.LocalityLoadBalancer.Distribute {
    fileprivate init(_ value: FieldValue) {
        guard var fields = value.mapping() else { return }
        from = fields.text("from") ?? ""
        for (locality, share) in fields.take("to")?.entries() ?? [] {
            to[locality] = share.integer(0...Int(UInt32.max)) ?? 0
        }
        fields.finish()
    }
}

extension TrafficPolicy.Failover {
    fileprivate init(_ value: FieldValue) {
        guard var fields = value.mapping() else { return }
        from = fields.text("from") ?? ""
        to = fields.text("to") ?? ""
        fields.finish()
    }
}

extension TrafficPolicy.ZoneAwareLoadBalancer {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        enabled = fields.flag("enabled")
        failover = fields.items("failover").map(TrafficPolicy.Failover.init)
        minClusterSize = fields.integer("minClusterSize", 0...Int.max)
        fields.finish()
    }
}
