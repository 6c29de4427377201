import WeirCompiler
import WeirEngine

/// The metrics of what servers of TLS show and trust.
struct CertificateMetrics {
    let certificates: [CertificateStatus]

    func write(into text: inout MetricText) {
        text.family(
            "weir_certificates", .gauge,
            "Certificate chains and CAs that servers and rules name, by the status of their present edition.")
        for state in CertificateStatus.State.allCases {
            let count = certificates.count { $0.state == state }
            text.sample("weir_certificates", [("status", state.rawValue.lowercased())], Double(count))
        }
        guard certificates.contains(where: { !$0.certificates.isEmpty }) else { return }
        text.family(
            "weir_certificate_expiry_timestamp_seconds", .gauge,
            "When a certificate in use expires, in seconds since 1970; of several from one place the first to do so.")
        for status in certificates {
            guard let first = status.certificates.min(by: { $0.notAfter < $1.notAfter }) else { continue }
            text.sample(
                "weir_certificate_expiry_timestamp_seconds",
                [
                    ("name", status.source.name), ("serial", first.serialNumber),
                    ("type", status.source.kind.label),
                ], Double(first.notAfter))
        }
    }
}

extension CredentialSource.Kind {
    fileprivate var label: String {
        switch self {
        case .certificateChain: "cert_chain"
        case .authority: "ca"
        }
    }
}
