// Kubernetes' own objects hold much that routing never reads: their unknown fields are no finding.

extension Service {
    /// Decodes `spec:`.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        ports = fields.items("ports").map { ServicePort(service: $0) }
        selector = fields.textMap("selector")
        type = fields.text("type") ?? "ClusterIP"
        externalName = fields.filledText("externalName")
        isHeadless = fields.text("clusterIP") == "None"
        if let policy = fields.take("internalTrafficPolicy"), policy.scalar == "Local" {
            policy.warn(.fieldNotHonoured, "internalTrafficPolicy is not acted on; endpoints on every node are used.")
        }
        fields.take("trafficDistribution")?.warn(
            .fieldNotHonoured, "trafficDistribution is not acted on; endpoints are chosen whatever their locality is.")
    }
}

extension ServicePort {
    fileprivate init(service value: FieldValue) {
        guard var fields = value.mapping() else { return }
        number = fields.integer("port", PortNumber.decodable) ?? 0
        name = fields.text("name") ?? ""
        self.protocol = fields.text("protocol") ?? "TCP"
        // A named targetPort is resolved by the endpoint slices, which hold numbers.
        let target = fields.take("targetPort")?.scalar
        targetPort = target.flatMap(WholeNumber.parse)
        if targetPort == nil { targetPortName = target }
        appProtocol = fields.text("appProtocol")
    }
}

extension Pod {
    /// Decodes `spec:` and `status:`.
    init(_ spec: FieldReader?, _ status: FieldReader?) {
        var spec = spec
        nodeName = spec?.text("nodeName")
        guard var fields = status else { return }
        podIP = fields.text("podIP")
        isReady = !["Succeeded", "Failed"].contains(fields.text("phase") ?? "")
        for item in fields.items("conditions") {
            guard var condition = item.mapping(), condition.text("type") == "Ready" else { continue }
            isReady = isReady && condition.text("status") == "True"
        }
    }
}

extension EndpointSlice {
    /// Decodes the object itself: it has no `spec:`.
    init(_ fields: inout FieldReader, _ metadata: Metadata) {
        serviceName = metadata.labels["kubernetes.io/service-name"] ?? ""
        addressType = fields.text("addressType") ?? "IPv4"
        ports = fields.items("ports").compactMap(Port.init)
        endpoints = fields.items("endpoints").map { Endpoint($0, namespace: metadata.namespace) }
    }
}

extension EndpointSlice.Port {
    /// `nil` for a port without a number, which means "all ports" and tells a router nothing.
    fileprivate init?(_ value: FieldValue) {
        guard var fields = value.mapping(), let number = fields.integer("port", PortNumber.decodable) else {
            return nil
        }
        port = number
        name = fields.text("name") ?? ""
    }
}

extension EndpointSlice.Endpoint {
    fileprivate init(_ value: FieldValue, namespace: String) {
        guard var fields = value.mapping() else { return }
        addresses = fields.texts("addresses")
        var conditions = fields.mapping("conditions")
        ready = conditions?.flag("ready") ?? true
        serving = conditions?.flag("serving") ?? ready
        terminating = conditions?.flag("terminating")
        zone = fields.text("zone")
        nodeName = fields.text("nodeName")
        guard var target = fields.mapping("targetRef"), target.text("kind") == "Pod" else { return }
        podName = target.text("name")
        podNamespace = target.text("namespace") ?? namespace
    }
}

extension Secret {
    /// Decodes the object itself: it has no `spec:`.
    ///
    /// No message holds a value.
    init(_ fields: inout FieldReader) {
        type = fields.text("type") ?? "Opaque"
        for (key, value) in fields.take("data")?.entries() ?? [] {
            guard !value.isNull else {
                data[key] = []
                continue
            }
            guard let text = value.text() else { continue }
            guard let bytes = Base64.decode(text) else {
                value.refuse("The value is no base64. Encode it, or write it as it is under stringData.")
                continue
            }
            data[key] = bytes
        }
        for (key, value) in fields.take("stringData")?.entries() ?? [] {
            if let text = value.text() { data[key] = Array(text.utf8) }
        }
    }
}
