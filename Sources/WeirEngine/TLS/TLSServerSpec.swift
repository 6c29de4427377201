/// What one TLS server is: its certificates, whom it lets in, which versions it speaks.
///
/// Plain values as the configuration names them; `TLSServerContexts` makes them usable. Equal specs are one set of contexts.
package struct TLSServerSpec: Sendable, Hashable {
    /// A certificate with its key.
    ///
    /// Of several with keys of different kinds the client's abilities choose.
    package struct Certificate: Sendable, Hashable {
        /// The server's certificate, then those between it and its root.
        package var chainPEM: [UInt8]
        package var keyPEM: [UInt8]
        /// DER of an OCSP response, stapled as it is.
        package var ocspResponse: [UInt8]?

        package init(chainPEM: [UInt8], keyPEM: [UInt8], ocspResponse: [UInt8]? = nil) {
            self.chainPEM = chainPEM
            self.keyPEM = keyPEM
            self.ocspResponse = ocspResponse
        }
    }

    /// Whether clients show a certificate (Istio: SIMPLE, OPTIONAL_MUTUAL, MUTUAL).
    package enum ClientVerification: Sendable, Hashable {
        case none
        /// They may; one that is shown must be good.
        case optional
        case required
    }

    package enum ProtocolVersion: Int, Sendable, Hashable, Comparable {
        case tls10, tls11, tls12, tls13

        package static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool {
            left.rawValue < right.rawValue
        }
    }

    /// A protocol a client may ask for in its hello (RFC 7301).
    package enum ApplicationProtocol: Sendable, Hashable {
        case http2
        case http11
    }

    /// Cipher suites of TLS 1.2 and older when none are named (semantics 2.7), dearest to us first.
    package static let standardCipherSuites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ]

    package var certificates: [Certificate]
    package var clientVerification = ClientVerification.none
    /// Roots, or other certificates that are trusted, for clients' certificates.
    package var clientAuthorityPEM: [UInt8] = []
    /// Revocation lists; when there are any, each certificate of a chain needs one of its issuer.
    package var revocationListPEM: [UInt8] = []
    /// Names of which a client's certificate must have one, exactly; empty = any.
    package var subjectAltNames: [String] = []
    /// Base64 SHA-256 of public keys.
    ///
    /// Where these or `certificateHashes` name any, a client's certificate must be among them.
    package var publicKeyHashes: [String] = []
    /// Hex SHA-256 of certificates; colons between the bytes are allowed.
    package var certificateHashes: [String] = []
    /// A client's certificate is looked at, but never a reason to refuse (Istio: `insecureSkipVerify`).
    package var isLenient = false
    package var minVersion = ProtocolVersion.tls12
    package var maxVersion = ProtocolVersion.tls13
    /// OpenSSL's names; for versions up to 1.2 only.
    package var cipherSuites = standardCipherSuites
    /// What is offered, dearest to us first; a client that asks for none of it gets none.
    package var applicationProtocols: [ApplicationProtocol] = [.http2, .http11]

    package init(certificates: [Certificate]) { self.certificates = certificates }

    /// Who was let in by the other's rules for clients is so by these, as far as the rules tell by themselves.
    ///
    /// An authority or a list that was replaced is for handshakes to come.
    func letsIn(thoseOf other: TLSServerSpec) -> Bool {
        clientVerification == .none
            || clientVerification == other.clientVerification && isLenient == other.isLenient
                && subjectAltNames == other.subjectAltNames && publicKeyHashes == other.publicKeyHashes
                && certificateHashes == other.certificateHashes
    }
}

/// Why a spec cannot be served.
package enum TLSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    case noCertificate
    /// The rest of the text says which, counted from 1, and what OpenSSL found.
    case unreadableCertificate(Int, String)
    /// More certificates than are shown; the second number says how many.
    case chainTooLong(Int, Int)
    case unreadableKey(Int, String)
    case keyOfAnotherCertificate(Int)
    /// The certificate is refused, as for a key that is too short.
    case unusableCertificate(Int, String)
    case missingAuthority
    case unreadableAuthority(String)
    case unreadableRevocationList(String)
    case unreadableOCSPResponse(Int)
    /// Not the base64, or hex, of 32 bytes.
    case unreadableHash(String)
    case noVersion
    case noCipherSuite

    package var description: String {
        switch self {
        case .noCertificate: "there is no certificate"
        case .unreadableCertificate(let number, let reason): "certificate \(number) cannot be read: \(reason)"
        case .chainTooLong(let number, let count):
            "certificate \(number) has a chain of \(count) certificates, more than \(TLSLimits.ownChainCertificates)"
        case .unreadableKey(let number, let reason):
            "the private key of certificate \(number) cannot be read: \(reason)"
        case .keyOfAnotherCertificate(let number): "the private key does not belong to certificate \(number)"
        case .unusableCertificate(let number, let reason): "certificate \(number) cannot be used: \(reason)"
        case .missingAuthority: "there is no CA certificate to check clients with"
        case .unreadableAuthority(let reason): "the CA certificate cannot be read: \(reason)"
        case .unreadableRevocationList(let reason): "the revocation list cannot be read: \(reason)"
        case .unreadableOCSPResponse(let number): "the OCSP response of certificate \(number) cannot be read"
        case .unreadableHash(let text): "'\(text)' is not a SHA-256 hash"
        case .noVersion: "the least TLS version is above the greatest"
        case .noCipherSuite: "none of the cipher suites is known"
        }
    }
}
