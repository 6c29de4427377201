import WeirConfig
import WeirEngine

/// The values of a Secret that TLS reads, under the names Istio knows (semantics 2.7); its type does not count.
extension Secret {
    /// A certificate chain with its key.
    struct KeyPair: Hashable {
        /// The keys they were found under.
        let certificateKey: String
        let keyKey: String
        let certificate: [UInt8]
        let key: [UInt8]
        let staple: [UInt8]?

        /// As it is served.
        var served: TLSServerSpec.Certificate {
            TLSServerSpec.Certificate(chainPEM: certificate, keyPEM: key, ocspResponse: staple)
        }
    }

    /// Certificates that are trusted.
    struct Authority: Hashable {
        /// The key they were found under.
        let certificateKey: String
        let certificate: [UInt8]
        let revocationList: [UInt8]?

        /// The key that a list of revoked certificates is found under.
        var revocationKey: String { certificateKey == "cacert" ? "crl" : "ca.crl" }
    }

    /// An empty value is a missing one.
    func filled(_ key: String) -> [UInt8]? { data[key].flatMap { $0.isEmpty ? nil : $0 } }

    /// `cert` and `key` first, then `tls.crt` and `tls.key`.
    var keyPair: KeyPair? {
        if let certificate = filled("cert"), let key = filled("key") {
            return KeyPair(
                certificateKey: "cert", keyKey: "key", certificate: certificate, key: key, staple: nil)
        }
        guard let certificate = filled("tls.crt"), let key = filled("tls.key") else { return nil }
        return KeyPair(
            certificateKey: "tls.crt", keyKey: "tls.key", certificate: certificate, key: key,
            staple: filled("tls.ocsp-staple"))
    }

    /// What is missing for a key pair.
    var keyPairGap: String {
        for (certificate, key) in [("cert", "key"), ("tls.crt", "tls.key")] {
            if filled(certificate) != nil { return "\(certificate) has no \(key) beside it" }
            if filled(key) != nil { return "\(key) has no \(certificate) beside it" }
        }
        return "it has neither tls.crt and tls.key nor cert and key"
    }

    /// `cacert` first, then `ca.crt`, each with its list of revoked certificates.
    var authority: Authority? {
        if let certificate = filled("cacert") {
            return Authority(certificateKey: "cacert", certificate: certificate, revocationList: filled("crl"))
        }
        guard let certificate = filled("ca.crt") else { return nil }
        return Authority(certificateKey: "ca.crt", certificate: certificate, revocationList: filled("ca.crl"))
    }
}

/// How a Gateway or DestinationRule names a Secret.
enum CredentialName {
    case secret(namespace: String, name: String)
    /// Why it names none.
    case refused(String)

    /// A Secret's name, maybe with the namespace in which it would be looked for anyway (semantics 2.7).
    init(_ written: String, namespace: String) {
        var name = written[...]
        if let scheme = written.firstRange(of: "://") {
            guard written[..<scheme.lowerBound] == "kubernetes" else {
                self = .refused(
                    "\(written[..<scheme.upperBound]) is not for users. Write the name of a Secret alone.")
                return
            }
            name = written[scheme.upperBound...]
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: self = .secret(namespace: namespace, name: String(name))
        case 2 where parts[0] == namespace: self = .secret(namespace: namespace, name: String(parts[1]))
        case 2:
            self = .refused(
                "Secrets are read from namespace \(namespace) alone. Write the name without \(parts[0])/, and put the Secret "
                    + "there.")
        default: self = .refused("\(written) is no name of a Secret. Write its name alone.")
        }
    }
}
