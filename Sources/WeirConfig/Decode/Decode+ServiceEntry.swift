extension ServiceEntry {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        hosts = fields.texts("hosts")
        ports = fields.items("ports").map { ServicePort(entry: $0) }
        endpoints = fields.items("endpoints").map { WorkloadEndpoint($0.mapping(), line: $0.line) }
        resolution = fields.word("resolution", as: Resolution.self) ?? .none
        exportTo = ExportTo.read(&fields)
        if var selector = fields.mapping("workloadSelector") {
            workloadSelector = selector.textMap("labels")
            selector.finish()
        }
        subjectAltNames = fields.texts("subjectAltNames")
        addresses = fields.inapplicable("addresses", "only a mesh's sidecars see virtual addresses")?.texts() ?? []
        let place = fields.inapplicable("location", "it decides on a mesh's own TLS")
        location = place?.word(of: "location", as: Location.self) ?? .meshExternal
        fields.finish()
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
    /// Decodes the `spec:` of a WorkloadEntry or an item of `endpoints:`, which starts at `line`.
    init(_ reader: FieldReader?, line: Int) {
        self.line = line
        guard var fields = reader else { return }
        address = fields.text("address") ?? ""
        for (name, port) in fields.take("ports")?.entries() ?? [] {
            ports[name] = port.integer(PortNumber.decodable) ?? 0
        }
        labels = fields.textMap("labels")
        let written = fields.integer("weight", 0...Int(UInt32.max)) ?? 1
        weight = written == 0 ? 1 : written
        locality = fields.filledText("locality")
        network = fields.inapplicable("network", "there is one network")?.text()
        serviceAccount = fields.inapplicable("serviceAccount", "it is for a mesh's own TLS")?.text()
        fields.finish()
    }
}
