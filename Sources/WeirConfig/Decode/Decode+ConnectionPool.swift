extension TrafficPolicy.ConnectionPoolSettings {
    init(_ reader: FieldReader) {
        var fields = reader
        tcp = fields.mapping("tcp").map(TCP.init)
        http = fields.mapping("http").map(HTTP.init)
        fields.finish()
    }
}

extension FieldReader {
    /// A limit; 0 means none.
    fileprivate mutating func limit(_ name: String) -> Int? {
        let number = integer(name, 0...Int(Int32.max))
        return number == 0 ? nil : number
    }
}

extension TrafficPolicy.ConnectionPoolSettings.TCP {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        connectTimeoutMilliseconds = fields.milliseconds("connectTimeout")
        idleTimeoutMilliseconds = fields.take("idleTimeout")?.milliseconds(zeroAllowed: true)
        maxConnections = fields.limit("maxConnections")
        tcpKeepalive = fields.mapping("tcpKeepalive").map(TrafficPolicy.ConnectionPoolSettings.Keepalive.init)
        maxConnectionDurationMilliseconds = fields.milliseconds("maxConnectionDuration")
        fields.finish()
    }
}

extension TrafficPolicy.ConnectionPoolSettings.Keepalive {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        probes = fields.integer("probes", 0...Int(UInt32.max))
        timeMilliseconds = fields.milliseconds("time")
        intervalMilliseconds = fields.milliseconds("interval")
        fields.finish()
    }
}

extension TrafficPolicy.ConnectionPoolSettings.HTTP {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        idleTimeoutMilliseconds = fields.milliseconds("idleTimeout")
        http1MaxPendingRequests = fields.limit("http1MaxPendingRequests")
        http2MaxRequests = fields.limit("http2MaxRequests")
        maxRequestsPerConnection = fields.limit("maxRequestsPerConnection")
        maxRetries = fields.limit("maxRetries")
        maxConcurrentStreams = fields.limit("maxConcurrentStreams")
        http2KeepAlive = fields.mapping("http2KeepAlive").map(TrafficPolicy.ConnectionPoolSettings.HTTP2KeepAlive.init)
        h2UpgradePolicy = fields.word("h2UpgradePolicy", as: H2Policy.self) ?? .default
        useClientProtocol = fields.flag("useClientProtocol") ?? false
        fields.finish()
    }

    private typealias H2Policy = TrafficPolicy.ConnectionPoolSettings.H2UpgradePolicy
}

extension TrafficPolicy.ConnectionPoolSettings.HTTP2KeepAlive {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        intervalMilliseconds = fields.milliseconds("interval")
        timeoutMilliseconds = fields.milliseconds("timeout")
        fields.finish()
    }
}

extension TrafficPolicy.OutlierDetection {
    init(_ reader: FieldReader) {
        var fields = reader
        if let value = fields.take("consecutiveErrors") {
            _ = value.integer(Weight.decodable)
            value.warn(.schemaWarning, "consecutiveErrors is deprecated and not looked at. Write consecutive5xxErrors.")
        }
        splitExternalLocalOriginErrors = fields.flag("splitExternalLocalOriginErrors") ?? false
        let count = 0...Int(UInt32.max)
        consecutiveLocalOriginFailures = fields.integer("consecutiveLocalOriginFailures", count)
        consecutiveGatewayErrors = fields.integer("consecutiveGatewayErrors", count)
        consecutive5xxErrors = fields.integer("consecutive5xxErrors", count)
        intervalMilliseconds = fields.milliseconds("interval")
        baseEjectionTimeMilliseconds = fields.milliseconds("baseEjectionTime")
        maxEjectionPercent = fields.integer("maxEjectionPercent", Weight.decodable)
        minHealthPercent = fields.integer("minHealthPercent", Weight.decodable)
        httpErrorCodes = fields.items("outlierDetectionHttpErrorCodes").compactMap { $0.integer(count) }
        fields.finish()
    }
}

extension TrafficPolicy.ClientTLS {
    init(_ reader: FieldReader) {
        var fields = reader
        mode = fields.word("mode", as: Mode.self) ?? .disable
        clientCertificate = fields.filledText("clientCertificate")
        privateKey = fields.filledText("privateKey")
        caCertificates = fields.filledText("caCertificates")
        credentialName = fields.filledText("credentialName")
        subjectAltNames = fields.texts("subjectAltNames")
        sni = fields.filledText("sni")
        insecureSkipVerify = fields.flag("insecureSkipVerify")
        caCrl = fields.filledText("caCrl")
        fields.finish()
    }
}
