import WeirConfig

extension Analyzer {
    /// The Secrets that TLS servers name.
    static let gatewayCredentials = Analyzer(
        "gateway.Credentials", "Secrets of TLS servers that are missing, lack a key or hold no valid certificate",
        inputs: [.gateway, .pod, .secret], codes: [.referenceNotFound, .invalidCredential]
    ) { context, findings in
        var options = context.options
        options.guessesSecretNamespaces = true
        for (resource, gateway) in context.gateways {
            let namespaces = options.secretNamespaces(of: resource, context.pods)
            for (index, server) in gateway.servers.enumerated() {
                guard let tls = server.tls, tls.endsTLS else { continue }
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

extension Gateway.TLS {
    /// Plain names with the field that has them; names with a scheme (`sds://` and its kin) are no Secrets.
    fileprivate var secretNames: [(name: String, field: String)] {
        writtenSecrets.filter { !$0.name.contains("://") }
    }
}

extension Secret {
    /// Why its key pair cannot be served, if so (semantics 2.7).
    fileprivate func problem(at unixSeconds: Double) -> String? {
        guard let pair = keyPair else {
            return "it needs tls.crt and tls.key (or cert and key). Add what is missing."
        }
        guard let dates = CertificateDates(pem: pair.certificate) else {
            return
                "\(pair.certificateKey) holds no certificate that can be read. Write PEM text that begins with a certificate."
        }
        guard PEMBlock.first(in: pair.key, whoseLabelEndsIn: "PRIVATE KEY") != nil else {
            return "\(pair.keyKey) holds no private key. Write PEM text with one."
        }
        if unixSeconds >= dates.notAfter { return "its certificate has expired. Renew it." }
        if unixSeconds < dates.notBefore { return "its certificate is not valid yet. Check its dates." }
        return nil
    }
}
