extension ServiceEntry {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        hosts = fields.texts("hosts")
        ports = fields.items("ports").map { ServicePort(entry: $0) }
        endpoints = fields.items("endpoints").map(WorkloadEndpoint.init)
        readResolution(&fields)
        exportTo = ExportTo.read(&fields)
        if let value = fields.take("workloadSelector") {
            value.warn(.fieldNotHonoured, "workloadSelector is not acted on by this version; list endpoints instead.")
            var selector = value.mapping()
            workloadSelector = selector?.textMap("labels") ?? [:]
            selector?.finish()
        }
        fields.isNotHonoured("subjectAltNames", "connections to the endpoints are plain text")
        // VIPs and the mesh boundary mean nothing at an ingress.
        fields.ignore("addresses", "location")
        fields.finish()
    }

    private mutating func readResolution(_ fields: inout FieldReader) {
        resolution = fields.word("resolution", as: Resolution.self) ?? .none
        guard resolution != .none, resolution != .static else { return }
        let consequence = "its names are not looked up and only IP addresses among its endpoints are used"
        fields.isNotHonoured("resolution", "\(resolution.rawValue): \(consequence)")
    }
}

extension ServicePort {
    /// An entry of a ServiceEntry's `ports:`.
    fileprivate init(entry value: FieldValue) {
        guard var fields = value.mapping() else { return }
        number = fields.integer("number", PortNumber.decodable) ?? 0
        name = fields.text("name") ?? ""
        self.protocol = fields.text("protocol") ?? ""
        let target = fields.integer("targetPort", PortNumber.decodable)
        targetPort = target == 0 ? nil : target
        fields.finish()
    }
}

extension WorkloadEndpoint {
    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        address = fields.text("address") ?? ""
        for (name, port) in fields.take("ports")?.entries() ?? [] {
            ports[name] = port.integer(PortNumber.decodable) ?? 0
        }
        labels = fields.textMap("labels")
        let written = fields.integer("weight", 0...Int(UInt32.max)) ?? 1
        weight = written == 0 ? 1 : written
        locality = fields.text("locality")
        fields.ignore("network", "serviceAccount")
        fields.finish()
    }
}
