import WeirConfig

extension Analyzer {
    /// The Secrets that TLS servers name.
    static let gatewayCredentials = Analyzer(
        "gateway.Credentials", "Secrets of TLS servers that are missing, lack a key or hold no valid certificate",
        inputs: [.gateway, .pod, .secret], codes: [.referenceNotFound, .invalidCredential]
    ) { context, findings in
        for (resource, gateway) in context.gateways {
            let namespaces = context.secretNamespaces(of: gateway, resource)
            for (index, server) in gateway.servers.enumerated() {
                guard let tls = server.tls, tls.mode.servesCertificate else { continue }
                let path = "spec.servers[\(index)].tls"
                for (name, field) in tls.secretNames {
                    guard let secret = namespaces.lazy.compactMap({ context.secret(name, in: $0) }).first else {
                        let places = namespaces.joined(separator: " or ")
                        findings.report(
                            .referenceNotFound, resource, path: "\(path).\(field)", line: server.line,
                            "There is no Secret \(name) in namespace \(places), so TLS connections to this server fail. Create it "
                                + "there with tls.crt and tls.key, or correct the name.")
                        continue
                    }
                    guard field == "credentialName", let problem = secret.problem(at: context.unixSeconds) else {
                        continue
                    }
                    findings.report(
                        .invalidCredential, resource, path: "\(path).\(field)", line: server.line,
                        "Secret \(name): \(problem)")
                }
            }
        }
    }
}

extension AnalysisContext {
    /// Where a Gateway's Secrets may lie: with the pods it selects, else where Weir and Istio look for them.
    fileprivate func secretNamespaces(of gateway: Gateway, _ resource: Resource) -> [String] {
        var namespaces = pods.carrying(gateway.selector).map(\.id.namespace)
        if namespaces.isEmpty {
            namespaces = [resource.id.namespace, options.gatewayNamespace]
            // Istio's own gateway lives there.
            if gateway.selector.isCarried(by: gatewayLabels) { namespaces.append(options.rootNamespace) }
        }
        var seen: Set<String> = []
        return namespaces.filter { seen.insert($0).inserted }
    }
}

extension Gateway.TLS.Mode {
    fileprivate var servesCertificate: Bool {
        switch self {
        case .simple, .mutual, .optionalMutual: true
        case .passthrough, .autoPassthrough, .istioMutual: false
        }
    }
}

extension Gateway.TLS {
    /// Plain names with the field that has them; names with a scheme (`sds://` and its kin) are no Secrets.
    fileprivate var secretNames: [(name: String, field: String)] {
        var names = (credentialName.map { [($0, "credentialName")] } ?? [])
        names += credentialNames.enumerated().map { ($1, "credentialNames[\($0)]") }
        return names.filter { !$0.0.isEmpty && !$0.0.contains("://") }
    }
}

extension Secret {
    /// Why its key pair cannot be served, if so (semantics 2.7).
    fileprivate func problem(at unixSeconds: Double) -> String? {
        func value(_ name: String) -> [UInt8]? { data[name].flatMap { $0.isEmpty ? nil : $0 } }
        let pairs = [("cert", "key"), ("tls.crt", "tls.key")]
        guard let names = pairs.first(where: { value($0.0) != nil && value($0.1) != nil }),
            let certificate = value(names.0), let key = value(names.1)
        else { return "it needs tls.crt and tls.key (or cert and key). Add what is missing." }
        guard let dates = CertificateDates(pem: certificate) else {
            return "\(names.0) holds no certificate that can be read. Write PEM text that begins with a certificate."
        }
        guard PEMBlock.first(in: key, whoseLabelEndsIn: "PRIVATE KEY") != nil else {
            return "\(names.1) holds no private key. Write PEM text with one."
        }
        if unixSeconds >= dates.notAfter { return "its certificate has expired. Renew it." }
        if unixSeconds < dates.notBefore { return "its certificate is not valid yet. Check its dates." }
        return nil
    }
}
