extension VirtualService {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        hosts = fields.texts("hosts")
        gateways = fields.texts("gateways")
        http = fields.items("http").map(HTTPRoute.init)
        tlsRouteCount = Self.count(&fields, "tls")
        tcpRouteCount = Self.count(&fields, "tcp")
        exportTo = ExportTo.read(&fields)
        fields.finish()
    }

    private static func count(_ fields: inout FieldReader, _ name: String) -> Int {
        guard let value = fields.take(name) else { return 0 }
        let count = value.items().count
        if count > 0 {
            value.warn(
                .fieldNotHonoured, "\(name) routes are not acted on by this version; only http routes are served.")
        }
        return count
    }
}

extension HTTPRoute {
    /// Fields read but not acted on, with what happens instead.
    private static let notHonouredFields = [
        ("redirect", "requests of this entry get no redirect"),
        ("directResponse", "requests of this entry get no such response"),
        ("delegate", "no routes are taken from the other VirtualService"),
        ("rewrite", "requests are forwarded with path and host unchanged"),
        ("timeout", "requests of this entry have no time limit"),
        ("retries", "failed requests are not retried"),
        ("fault", "no fault is injected"),
        ("mirror", "no copy of the requests is sent"),
        ("mirrors", "no copy of the requests is sent"),
        ("mirrorPercentage", "no copy of the requests is sent"),
        ("mirrorPercent", "no copy of the requests is sent"),
        ("corsPolicy", "no CORS headers are handled"),
        ("headers", "headers are forwarded unchanged"),
    ]

    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        name = fields.text("name")
        match = fields.items("match").map(HTTPMatchRequest.init)
        route = fields.items("route").map { HTTPRouteDestination($0, notHonoured: &notHonoured) }
        for (field, consequence) in Self.notHonouredFields where fields.isNotHonoured(field, consequence) {
            if !notHonoured.contains(field) { notHonoured.append(field) }
        }
        fields.finish()
    }
}

extension HTTPRouteDestination {
    fileprivate init(_ value: FieldValue, notHonoured: inout [String]) {
        self.init(destination: Destination(host: ""))
        line = value.line
        guard var fields = value.mapping() else { return }
        destination = Destination(fields.mapping("destination"))
        weight = fields.integer("weight", Int(Int32.min)...Int(Int32.max))
        if fields.isNotHonoured("headers", "headers are forwarded unchanged"), !notHonoured.contains("headers") {
            notHonoured.append("headers")
        }
        fields.finish()
    }
}

extension Destination {
    fileprivate init(_ reader: FieldReader?) {
        self.init(host: "")
        guard var fields = reader else { return }
        host = fields.text("host") ?? ""
        subset = fields.text("subset")
        port = PortSelector.read(&fields)
        fields.finish()
    }
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
        guard let value = fields.take("exportTo") else { return [] }
        let names = value.texts()
        if !names.isEmpty, names != ["*"] {
            value.warn(.fieldNotHonoured, "exportTo is not acted on by this version; the resource is seen everywhere.")
        }
        return names
    }
}
