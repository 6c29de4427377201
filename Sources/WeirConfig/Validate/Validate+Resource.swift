extension Resource {
    /// Applies the rules that one object can break alone (what Istio's webhook refuses).
    func validate(at root: FieldPath, into findings: inout Findings) {
        validateMetadata(root["metadata"], &findings)
        let path = root["spec"]
        switch spec {
        case .gateway(let gateway): gateway.validate(at: path, into: &findings)
        case .virtualService(let service): service.validate(at: path, metadata, into: &findings)
        case .destinationRule(let rule): rule.validate(at: path, metadata, into: &findings)
        case .serviceEntry(let entry): entry.validate(at: path, metadata, into: &findings)
        case .service(let service): service.validate(at: path, into: &findings)
        case .endpointSlice(let slice): slice.validate(at: root, into: &findings)
        case .workloadEntry(let entry): entry.validate(at: path, into: &findings)
        case .pod, .secret, .namespace: break
        }
    }

    private func validateMetadata(_ path: FieldPath, _ findings: inout Findings) {
        let syntax = "Use lower-case letters, digits and hyphens"
        if id.kind == .gateway, !NameSyntax.isNamespace(id.name) {
            findings.error(path["name"], "\(id.name) is no name for a Gateway. \(syntax), at most 63.")
        } else if !NameSyntax.isObjectName(id.name) {
            findings.error(path["name"], "\(id.name) is no name for a \(id.kind.rawValue). \(syntax), or dots between.")
        }
        if !id.kind.isClusterScoped, !NameSyntax.isNamespace(id.namespace) {
            findings.error(path["namespace"], "\(id.namespace) is no namespace. \(syntax), at most 63.")
        }
    }
}
