extension VirtualService {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        hosts = fields.texts("hosts")
        gateways = fields.texts("gateways")
        http = fields.items("http").map(HTTPRoute.init)
        tls = fields.items("tls").map(TLSRoute.init)
        tcp = fields.items("tcp").map(TCPRoute.init)
        exportTo = ExportTo.read(&fields)
        fields.finish()
    }
}

extension HTTPRoute {
    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        name = fields.text("name")
        match = fields.items("match").map(HTTPMatchRequest.init)
        route = fields.items("route").map(HTTPRouteDestination.init)
        readActions(&fields)
        readPolicies(&fields)
        fields.finish()
    }

    private mutating func readActions(_ fields: inout FieldReader) {
        redirect = fields.mapping("redirect").map(HTTPRedirect.init)
        directResponse = fields.mapping("directResponse").map(HTTPDirectResponse.init)
        delegate = fields.mapping("delegate").map(Delegate.init)
        rewrite = fields.mapping("rewrite").map(HTTPRewrite.init)
        corsPolicy = fields.mapping("corsPolicy").map(CorsPolicy.init)
        headers = fields.mapping("headers").map(Headers.init)
    }

    private mutating func readPolicies(_ fields: inout FieldReader) {
        timeoutMilliseconds = fields.take("timeout")?.routeTimeout()
        retries = fields.mapping("retries").map(HTTPRetry.init)
        fault = fields.mapping("fault").map(HTTPFaultInjection.init)
        mirror = fields.mapping("mirror").map { Destination($0) }
        mirrors = fields.items("mirrors").map(HTTPMirrorPolicy.init)
        mirrorPercent = fields.take("mirrorPercent")?.mirrorPercent()
        mirrorPercentage = fields.take("mirrorPercentage")?.percent()
    }
}

extension FieldValue {
    /// A route's `timeout`, of which Istio refuses zero; here it means what those who write it mean.
    fileprivate func routeTimeout() -> Int? {
        let milliseconds = milliseconds(zeroAllowed: true)
        if milliseconds == 0 {
            warn(.schemaWarning, "A timeout of 0 is read as no timeout, but Istio refuses it. Remove the field.")
        }
        return milliseconds
    }

    fileprivate func mirrorPercent() -> Percent? {
        warn(.schemaWarning, "mirrorPercent is deprecated. Write mirrorPercentage: {value: ...}.")
        return integer(0...100).map { Percent(Double($0)) }
    }
}

extension HTTPMirrorPolicy {
    fileprivate init(_ value: FieldValue) {
        self.init(destination: Destination(host: ""))
        line = value.line
        guard var fields = value.mapping() else { return }
        destination = Destination(fields.mapping("destination"))
        percentage = fields.take("percentage")?.percent()
        fields.finish()
    }
}

extension HTTPRouteDestination {
    fileprivate init(_ value: FieldValue) {
        self.init(destination: Destination(host: ""))
        line = value.line
        guard var fields = value.mapping() else { return }
        destination = Destination(fields.mapping("destination"))
        weight = fields.integer("weight", Weight.decodable)
        headers = fields.mapping("headers").map(Headers.init)
        fields.finish()
    }
}

extension Destination {
    init(_ reader: FieldReader?) {
        self.init(host: "")
        guard var fields = reader else { return }
        host = fields.text("host") ?? ""
        subset = fields.text("subset")
        port = PortSelector.read(&fields)
        fields.finish()
    }
}

/// What a weight may be when read; the validator narrows it.
enum Weight {
    static let decodable = Int(Int32.min)...Int(Int32.max)
}

/// `port: {number: 80}`.
enum PortSelector {
    static func read(_ fields: inout FieldReader) -> Int? {
        guard var port = fields.mapping("port") else { return nil }
        // An empty selector selects port 0, which the validator refuses.
        let number = port.integer("number", PortNumber.decodable) ?? 0
        port.finish()
        return number
    }
}

/// What a port may be when read.
///
/// The validator narrows it to 1-65535, so that the message fits ports.
enum PortNumber {
    static let decodable = 0...Int(UInt32.max)
}

/// `exportTo:`.
enum ExportTo {
    static func read(_ fields: inout FieldReader) -> [String] {
        fields.texts("exportTo")
    }
}
