extension Metadata {
    /// Name and namespace only, with nothing reported: the diagnostics of the rest shall name the resource.
    init?(identity fields: inout FieldReader?, of kind: Kind, defaultNamespace: String) {
        guard let name = fields?.take("name")?.scalar, !name.isEmpty else { return nil }
        let namespace = fields?.take("namespace")?.scalar ?? ""
        self.init(name: name, namespace: kind.namespace(written: namespace, otherwise: defaultNamespace))
    }

    /// The other fields, of which anything unknown is passed over in silence.
    mutating func readDetails(_ fields: inout FieldReader?) {
        _ = fields?.text("name")
        _ = fields?.text("namespace")
        labels = fields?.textMap("labels") ?? [:]
        annotations = fields?.textMap("annotations") ?? [:]
        creationTimestamp = fields?.take("creationTimestamp")?.scalar
        for value in fields?.items("ownerReferences") ?? [] {
            guard var owner = value.mapping(), owner.flag("controller") == true else { continue }
            controller = Owner(kind: owner.text("kind") ?? "", name: owner.text("name") ?? "")
        }
    }
}

extension Resource.Spec {
    /// The part of a document that says what is wanted; for Istio's kinds, unknown fields beside it are reported.
    init(_ kind: Kind, _ envelope: inout FieldReader, _ metadata: Metadata) {
        switch kind {
        case .service: self = .service(Service(envelope.mapping("spec")))
        case .pod: self = .pod(Pod(envelope.mapping("spec"), envelope.mapping("status")))
        case .endpointSlice: self = .endpointSlice(EndpointSlice(&envelope, metadata))
        case .secret: self = .secret(Secret(&envelope))
        case .namespace: self = .namespace(Namespace())
        case .gateway, .virtualService, .destinationRule, .serviceEntry, .workloadEntry:
            let spec = envelope.mapping("spec")
            envelope.ignore("apiVersion", "kind", "metadata", "status")
            envelope.finish()
            self.init(istio: kind, spec, line: envelope.line)
        }
    }

    private init(istio kind: Kind, _ spec: FieldReader?, line: Int) {
        switch kind {
        case .gateway: self = .gateway(Gateway(spec))
        case .virtualService: self = .virtualService(VirtualService(spec))
        case .destinationRule: self = .destinationRule(DestinationRule(spec))
        case .workloadEntry: self = .workloadEntry(WorkloadEndpoint(spec, line: line))
        default: self = .serviceEntry(ServiceEntry(spec))
        }
    }
}

extension Kind {
    /// The namespace of an object; what is written in one that lives in none means nothing.
    func namespace(written: String, otherwise standard: String) -> String {
        if isClusterScoped { return "" }
        return written.isEmpty ? standard : written
    }
}
