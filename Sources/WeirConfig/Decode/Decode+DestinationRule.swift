extension DestinationRule {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        host = fields.text("host") ?? ""
        trafficPolicy = fields.mapping("trafficPolicy").map(TrafficPolicy.init)
        subsets = fields.items("subsets").map(Subset.init)
        exportTo = ExportTo.read(&fields)
        if var selector = fields.mapping("workloadSelector") {
            workloadSelector = selector.textMap("matchLabels")
            selector.finish()
        }
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

/// The blocks that a policy and a port's policy share.
private struct PolicyBlocks {
    let loadBalancer: TrafficPolicy.LoadBalancer?
    let connectionPool: TrafficPolicy.ConnectionPoolSettings?
    let outlierDetection: TrafficPolicy.OutlierDetection?
    let tls: TrafficPolicy.ClientTLS?

    init(_ fields: inout FieldReader) {
        loadBalancer = fields.mapping("loadBalancer").map(TrafficPolicy.LoadBalancer.init)
        connectionPool = fields.mapping("connectionPool").map(TrafficPolicy.ConnectionPoolSettings.init)
        outlierDetection = fields.mapping("outlierDetection").map(TrafficPolicy.OutlierDetection.init)
        tls = fields.mapping("tls").map(TrafficPolicy.ClientTLS.init)
    }
}

extension TrafficPolicy {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        let blocks = PolicyBlocks(&fields)
        loadBalancer = blocks.loadBalancer
        connectionPool = blocks.connectionPool
        outlierDetection = blocks.outlierDetection
        tls = blocks.tls
        portLevelSettings = fields.items("portLevelSettings").map(PortTrafficPolicy.init)
        tunnel = fields.unserved("tunnel", "connections are not tunnelled")?.mapping().map(Tunnel.init)
        if var proxy = fields.mapping("proxyProtocol") {
            proxyProtocol = proxy.word("version", as: ProxyProtocolVersion.self) ?? .v1
            proxy.finish()
        }
        retryBudget = fields.mapping("retryBudget").map(RetryBudget.init)
        fields.finish()
    }
}

extension TrafficPolicy.PortTrafficPolicy {
    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        port = PortSelector.read(&fields) ?? 0
        let blocks = PolicyBlocks(&fields)
        loadBalancer = blocks.loadBalancer
        connectionPool = blocks.connectionPool
        outlierDetection = blocks.outlierDetection
        tls = blocks.tls
        fields.finish()
    }
}

extension TrafficPolicy.Tunnel {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        self.protocol = fields.text("protocol") ?? ""
        targetHost = fields.text("targetHost") ?? ""
        targetPort = fields.integer("targetPort", PortNumber.decodable) ?? 0
        fields.finish()
    }
}

extension TrafficPolicy.RetryBudget {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        percent = fields.readPercent("percent")
        minRetryConcurrency = fields.integer("minRetryConcurrency", 0...Int(UInt32.max))
        let interval = fields.take("budgetInterval")
        budgetIntervalMilliseconds = interval?.milliseconds(zeroAllowed: true)
        if let interval, budgetIntervalMilliseconds ?? 0 > 0 {
            let consequence = "the budget is a share of the requests under way at each moment"
            interval.warn(.fieldNotHonoured, "budgetInterval is not acted on by this version; \(consequence).")
        }
        fields.finish()
    }
}

extension FieldReader {
    /// A number meant as a percentage; Istio's API has both the number and `{value: ...}`.
    fileprivate mutating func readPercent(_ name: String) -> Double? {
        guard let value = take(name) else { return nil }
        return value.scalar == nil ? value.percent()?.value : value.number()
    }
}
