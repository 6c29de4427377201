extension TrafficPolicy.ConnectionPoolSettings {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if tcp == nil, http == nil {
            findings.error(path, "connectionPool is empty. Remove it, or write tcp or http.")
        }
        guard let http else { return }
        let place = path["http"]
        if http.h2UpgradePolicy == .upgrade, http.useClientProtocol {
            let message = "UPGRADE and useClientProtocol exclude each other. Keep one of them."
            findings.error(place["useClientProtocol"], message)
        }
        if let keepAlive = http.http2KeepAlive {
            let fields = [("interval", keepAlive.intervalMilliseconds), ("timeout", keepAlive.timeoutMilliseconds)]
            for (field, value) in fields where value == nil {
                findings.error(place["http2KeepAlive"][field], "\(field) is missing. Write both interval and timeout.")
            }
        }
    }
}

extension TrafficPolicy.OutlierDetection {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if !splitExternalLocalOriginErrors, let failures = consecutiveLocalOriginFailures, failures > 0 {
            let message = "Local failures are not counted apart. Write splitExternalLocalOriginErrors: true as well."
            findings.error(path["consecutiveLocalOriginFailures"], message)
        }
        for (field, percent) in [("maxEjectionPercent", maxEjectionPercent), ("minHealthPercent", minHealthPercent)] {
            guard let percent, !(0...100).contains(percent) else { continue }
            findings.error(path[field], "\(percent) is no percentage. Write a number from 0 to 100.")
        }
        for (index, code) in httpErrorCodes.enumerated() where !(100...599).contains(code) {
            let place = path["outlierDetectionHttpErrorCodes"][index]
            findings.error(place, "\(code) is no status of a response. Write a number from 100 to 599.")
        }
    }
}

extension TrafficPolicy.ClientTLS {
    func validate(at path: FieldPath, into findings: inout Findings) {
        validateVerification(at: path, into: &findings)
        guard mode == .simple || mode == .mutual else {
            if mode == .istioMutual { validateMeshCertificates(at: path, into: &findings) }
            return
        }
        if credentialName != nil {
            for (field, text) in files where text != nil {
                findings.error(path[field], "credentialName brings all certificates. Remove \(field).")
            }
        } else if mode == .mutual {
            for (field, text) in files.prefix(2) where text == nil {
                findings.error(path[field], "MUTUAL needs \(field). Write its path, or credentialName.")
            }
        }
    }

    /// The client's own certificate and key come first.
    private var files: [(field: String, text: String?)] {
        [
            ("clientCertificate", clientCertificate), ("privateKey", privateKey), ("caCertificates", caCertificates),
            ("caCrl", caCrl),
        ]
    }

    private func validateVerification(at path: FieldPath, into findings: inout Findings) {
        guard insecureSkipVerify == true else { return }
        var written: [(field: String, isWritten: Bool)] = []
        if mode == .simple || mode == .mutual {
            written = [("caCertificates", caCertificates != nil), ("subjectAltNames", !subjectAltNames.isEmpty)]
        }
        // With MUTUAL the Secret may hold nothing but the client's own certificate.
        if mode == .simple { written.append(("credentialName", credentialName != nil)) }
        for (field, isWritten) in written where isWritten {
            findings.error(path[field], "insecureSkipVerify looks at no certificate. Remove \(field), or it.")
        }
    }

    private func validateMeshCertificates(at path: FieldPath, into findings: inout Findings) {
        findings.warning(
            path["mode"],
            "ISTIO_MUTUAL uses certificates that a mesh hands out, and there is no mesh here: requests are answered with 503. "
                + "Write MUTUAL with certificates of your own, or SIMPLE.", code: .notApplicable)
        let fields = files + [("credentialName", credentialName)]
        for (field, text) in fields where text != nil {
            findings.warning(path[field], "ISTIO_MUTUAL brings its own certificates. Remove \(field).")
        }
    }
}
