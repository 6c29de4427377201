extension Gateway.Server {
    func validateTLS(at path: FieldPath, into findings: inout Findings) {
        let isSecured = port.protocol == .https || port.protocol == .tls
        guard let tls else {
            if isSecured {
                findings.error(path, "A \(port.protocol.rawValue) server needs tls. Write tls with a mode.")
            }
            return
        }
        guard !isPlainHTTP else {
            var others = tls
            others.httpsRedirect = false
            if others != Gateway.TLS() {
                let message = "A plain HTTP server takes no TLS settings. Keep only httpsRedirect, or use HTTPS."
                findings.error(path, message)
            }
            return
        }
        guard isSecured else {
            return findings.error(path, "A \(port.protocol.rawValue) server takes no tls. Remove it, or write TLS.")
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
            || caCrl != nil
    }

    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        validateProtocol(at: path, into: &findings)
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
            validateRevocation(at: path, into: &findings)
            validateClients(at: path, into: &findings)
        }
    }

    private func validateProtocol(at path: FieldPath, into findings: inout Findings) {
        let isOld = minProtocolVersion == .tls10 || minProtocolVersion == .tls11
        if isOld, cipherSuites.isEmpty {
            let message = "No cipher of a version below 1.2 is on. Write TLSV1_2, or cipherSuites as well."
            findings.warning(path["minProtocolVersion"], message)
        }
        let bounds = (minProtocolVersion.order(otherwise: 0), maxProtocolVersion.order(otherwise: .max))
        if bounds.0 > bounds.1 {
            findings.warning(path["maxProtocolVersion"], "No version is left. Write at least minProtocolVersion.")
        }
        var seen = Set<String>()
        for (index, name) in cipherSuites.enumerated() {
            if !Self.cipherNames.contains(name) {
                findings.warning(
                    path["cipherSuites"][index], "\(name) is no cipher known here and is ignored. Remove it.")
            } else if !seen.insert(name).inserted {
                findings.warning(path["cipherSuites"][index], "\(name) is listed twice. Keep one.")
            }
        }
    }

    /// Those of `cipherSuites` that count, each once.
    package var knownCipherSuites: [String] {
        var seen: Set<String> = []
        return cipherSuites.filter { Self.cipherNames.contains($0) && seen.insert($0).inserted }
    }

    /// What Istio takes in `cipherSuites`, which is for TLS 1.2 and below.
    private static let cipherNames: Set<String> = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
    ]

    private func validateCertificates(at path: FieldPath, into findings: inout Findings) {
        let hasBothNames = !(credentialName ?? "").isEmpty && !credentialNames.isEmpty
        let sources = [hasSecret, hasFile, !tlsCertificates.isEmpty].filter(\.self).count
        if sources > 1 || hasBothNames {
            findings.error(path, "The certificates come from more than one place. Keep one, best credentialName.")
        }
        if sources == 0 {
            findings.error(path, "\(mode.rawValue) needs a certificate. Write credentialName with a Secret's name.")
        }
        if credentialNames.count > 2 {
            findings.error(path["credentialNames"], "At most two Secrets are taken (RSA and ECDSA). Remove the others.")
        }
        if tlsCertificates.count > 2 {
            findings.warning(path["tlsCertificates"], "At most two are taken (RSA and ECDSA). Remove the others.")
        }
        if hasFile { findings.checkPair(serverCertificate, privateKey, path) }
        for (index, pair) in tlsCertificates.enumerated() {
            findings.checkPair(pair.serverCertificate, pair.privateKey, path["tlsCertificates"][index])
        }
        let needsCA = mode != .simple && !hasSecret && sources > 0
        let files = [caCertificates] + tlsCertificates.map(\.caCertificates)
        let hasCAFile = files.contains { !($0 ?? "").isEmpty }
        if needsCA, !hasCAFile, (caCertCredentialName ?? "").isEmpty {
            findings.error(path["caCertificates"], "\(mode.rawValue) needs caCertificates. Write their path.")
        }
        if hasSecret, hasCAFile {
            findings.warning(path["caCertificates"], "The CA comes from a Secret. Remove caCertificates.")
        }
    }

    /// What clients' certificates are held to.
    private func validateClients(at path: FieldPath, into findings: inout Findings) {
        // A hash that cannot be read must not let everybody in.
        for (index, hash) in verifyCertificateSpki.enumerated() where Base64.decode(hash)?.count != 32 {
            findings.error(
                path["verifyCertificateSpki"][index], "\(hash) is no SHA-256 of a public key. Write 32 bytes as base64."
            )
        }
        for (index, hash) in verifyCertificateHash.enumerated() where !Self.isHexOfHash(hash) {
            findings.error(
                path["verifyCertificateHash"][index],
                "\(hash) is no SHA-256 of a certificate. Write 32 bytes in hexadecimal digits.")
        }
        guard mode == .simple else { return }
        let unused = [
            ("subjectAltNames", !subjectAltNames.isEmpty), ("verifyCertificateSpki", !verifyCertificateSpki.isEmpty),
            ("verifyCertificateHash", !verifyCertificateHash.isEmpty), ("insecureSkipVerify", insecureSkipVerify),
        ]
        for (field, isWritten) in unused where isWritten {
            findings.warning(path[field], "SIMPLE asks clients for no certificate. Remove \(field), or write MUTUAL.")
        }
    }

    /// 64 digits, maybe with a colon between every two.
    private static func isHexOfHash(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isPaired = parts.count == 32 && parts.allSatisfy { $0.utf8.count == 2 }
        guard isPaired || (parts.count == 1 && text.utf8.count == 64) else { return false }
        return parts.joined().utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"):
                true
            default: false
            }
        }
    }

    private func validateRevocation(at path: FieldPath, into findings: inout Findings) {
        guard !(caCrl ?? "").isEmpty else { return }
        if hasSecret {
            findings.error(path["caCrl"], "A Secret holds its own list of revoked certificates. Remove caCrl.")
        } else if mode == .simple {
            findings.error(path["caCrl"], "SIMPLE asks clients for no certificate. Remove caCrl, or write MUTUAL.")
        }
    }
}

extension Gateway.TLS.ProtocolVersion {
    /// Its place among the versions; TLS_AUTO has none of its own.
    fileprivate func order(otherwise automatic: Int) -> Int {
        self == .auto ? automatic : Self.allCases.firstIndex(of: self) ?? automatic
    }
}

extension Findings {
    fileprivate mutating func checkPair(_ certificate: String?, _ key: String?, _ path: FieldPath) {
        if (certificate ?? "").isEmpty {
            error(path["serverCertificate"], "privateKey needs serverCertificate beside it. Write its path.")
        }
        if (key ?? "").isEmpty {
            error(path["privateKey"], "serverCertificate needs privateKey beside it. Write its path.")
        }
    }
}
