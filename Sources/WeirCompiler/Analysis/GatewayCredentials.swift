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
                    guard field == "credentialName", let problem = secret.problem(name, at: context.unixSeconds) else {
                        continue
                    }
                    findings.report(
                        .invalidCredential, resource, path: "\(path).\(field)", line: server.line,
                        problem)
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
    /// Why its key pair cannot be served, or should not be, if so (semantics 2.7); as sentences.
    fileprivate func problem(_ name: String, at unixSeconds: Double) -> String? {
        guard let pair = keyPair else { return "Secret \(name) is no use: \(keyPairGap). Add what is missing." }
        let checked = CredentialStore.check(
            pair.served, in: "\(pair.certificateKey) of Secret \(name)", "\(pair.keyKey) of Secret \(name)")
        switch checked {
        case .bad(let problem), .good(_, _, .some(let problem)): return problem.text
        case .good(_, let certificates, nil):
            let dates = certificates.lazy.compactMap { $0.problem(atUnix: unixSeconds) }.first
            return dates.map { "The certificate of Secret \(name) \($0). Renew it." }
        }
    }
}

extension CredentialProblem {
    /// In whole sentences.
    fileprivate var text: String { "\(reason.prefix(1).uppercased())\(reason.dropFirst()). \(advice)" }
}
