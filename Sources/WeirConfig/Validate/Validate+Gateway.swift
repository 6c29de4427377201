extension Gateway {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if servers.isEmpty { findings.error(path["servers"], "The Gateway has no servers. Write at least one.") }
        findings.checkLabels(selector, path["selector"])
        var portNames = Set<String>()
        for (index, server) in servers.enumerated() {
            let place = path["servers"][index]
            server.validate(at: place, into: &findings)
            let name = server.port.name
            if name.isEmpty {
                findings.error(place["port"]["name"], "The port has no name. Write one that no other server has.")
            } else if !portNames.insert(name).inserted {
                findings.error(place["port"]["name"], "Two servers name their port \(name). Give each its own name.")
            }
        }
    }
}

extension Gateway.Server {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        let isSocket = bind.map { NameSyntax.unixPath($0) != nil } ?? false
        // A unix socket has no port; any number is a placeholder.
        if !(isSocket && port.number == 0) { findings.checkPort(port.number, path["port"]["number"]) }
        if let bind, !isSocket, !IPAddressSyntax.isAddress(bind) {
            findings.error(path["bind"], "\(bind) is no address to listen on. Write an IP address or unix:///path.")
        }
        if hosts.isEmpty {
            findings.error(path["hosts"], "The server has no hosts. Write some, or \"*\" for all.")
        }
        for (index, host) in hosts.enumerated() {
            guard let problem = Self.problem(withHost: host) else { continue }
            findings.error(path["hosts"][index], problem)
        }
        validateTLS(at: path["tls"], into: &findings)
    }

    /// `host` or `namespace/host`; a host is a name with a dot, a `*.` wildcard, or `*`.
    private static func problem(withHost text: String) -> String? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let host = parts[parts.count - 1]
        if parts.count == 2, parts[0] != ".", parts[0] != "*", !NameSyntax.isDNSLabel(parts[0]) {
            return "\(parts[0]) is no namespace. Write a name, \".\" or \"*\" before the slash."
        }
        if host == "*" || IPAddressSyntax.isAddress(String(host)) { return nil }
        guard NameSyntax.isWildcardDomain(host) else {
            return "\(host) is no host. Write a domain name; a wildcard replaces the first label only (*.example.com)."
        }
        return host.contains(".") ? nil : "\(host) has no dot. Write the whole domain name, or \"*\" for all."
    }

    private func validateTLS(at path: FieldPath, into findings: inout Findings) {
        guard let tls else {
            if port.protocol == .https || port.protocol == .tls {
                findings.error(path, "A \(port.protocol.rawValue) server needs tls. Write tls with a mode.")
            }
            return
        }
        guard !isPlainHTTP else {
            if tls.mode != .passthrough || tls.hasCertificate {
                let message = "A plain HTTP server takes no certificates. Keep only httpsRedirect, or use HTTPS."
                findings.error(path, message)
            }
            return
        }
        if tls.httpsRedirect {
            findings.warning(
                path["httpsRedirect"], "httpsRedirect does nothing here. Write it on the plain HTTP server.")
        }
        tls.validate(at: path, into: &findings)
    }
}

extension Gateway.TLS {
    private var hasSecret: Bool { !(credentialName ?? "").isEmpty || !credentialNames.isEmpty }

    private var hasFile: Bool { serverCertificate != nil || privateKey != nil }

    fileprivate var hasCertificate: Bool {
        hasSecret || hasFile || !tlsCertificates.isEmpty || caCertificates != nil || caCertCredentialName != nil
    }

    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        switch mode {
        case .passthrough, .autoPassthrough:
            if hasCertificate {
                findings.warning(path, "The certificates are not used in mode \(mode.rawValue). Remove them.")
            }
        case .istioMutual:
            if hasCertificate {
                findings.error(path, "ISTIO_MUTUAL brings its own certificates. Remove those written here.")
            }
        case .simple, .mutual, .optionalMutual:
            validateCertificates(at: path, into: &findings)
        }
    }

    private func validateCertificates(at path: FieldPath, into findings: inout Findings) {
        let hasBothNames = !(credentialName ?? "").isEmpty && !credentialNames.isEmpty
        let sources = [hasSecret, hasFile, !tlsCertificates.isEmpty].filter(\.self).count
        if sources > 1 || hasBothNames {
            findings.error(path, "The certificates come from more than one place. Keep one, best credentialName.")
        }
        if sources == 0 {
            findings.error(path, "\(mode.rawValue) needs a certificate. Write credentialName with a Secret's name.")
        }
        if hasFile, (serverCertificate ?? "").isEmpty {
            findings.error(path["serverCertificate"], "privateKey needs serverCertificate beside it. Write its path.")
        }
        if hasFile, (privateKey ?? "").isEmpty {
            findings.error(path["privateKey"], "serverCertificate needs privateKey beside it. Write its path.")
        }
        let needsCA = mode != .simple && !hasSecret && sources > 0
        if needsCA, (caCertificates ?? "").isEmpty, (caCertCredentialName ?? "").isEmpty {
            findings.error(path["caCertificates"], "\(mode.rawValue) needs caCertificates. Write their path.")
        }
        if credentialNames.count > 2 {
            findings.error(path["credentialNames"], "At most two Secrets are taken (RSA and ECDSA). Remove the others.")
        }
    }
}
