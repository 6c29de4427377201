import COpenSSL
import Glibc

/// What can be told of a client's TLS connection: for lines of the log and for values of headers.
extension TLSServerLayer {
    /// `nil` when there is nothing of the kind; made when first asked for.
    func makeFact(_ fact: LogConnectionFact) -> [UInt8]? {
        switch fact {
        case .serverName: Self.present(serverName)
        case .version: Self.text(SSL_get_version(ssl))
        case .cipher: Self.text(SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)))
        case .sessionID: sessionID
        case .ownSubject, .ownURINames, .ownDNSNames: SSL_get_certificate(ssl).flatMap { Self.own(fact, $0) }
        default: SSL_get0_peer_certificate(ssl).flatMap { Self.peers(fact, $0) }
        }
    }

    private var sessionID: [UInt8]? {
        guard let session = SSL_get_session(ssl) else { return nil }
        var count: UInt32 = 0
        let bytes = SSL_SESSION_get_id(session, &count)
        return Self.present(Self.hex(Array(UnsafeBufferPointer(start: bytes, count: Int(count)))))
    }

    private static func own(_ fact: LogConnectionFact, _ certificate: OpaquePointer) -> [UInt8]? {
        switch fact {
        case .ownSubject: present(CertificateFacts.text(of: X509_get_subject_name(certificate)))
        case .ownURINames: list(CertificateNames(certificate).uris)
        default: list(CertificateNames(certificate).dns)
        }
    }

    private static func peers(_ fact: LogConnectionFact, _ certificate: OpaquePointer) -> [UInt8]? {
        switch fact {
        case .subject: present(CertificateFacts.text(of: X509_get_subject_name(certificate)))
        case .issuer: present(CertificateFacts.text(of: X509_get_issuer_name(certificate)))
        case .serial: present(CertificateFacts.serialNumber(certificate))
        case .fingerprint1: hex(CertificateFacts.digest(certificate, EVP_sha1()))
        case .fingerprint256: hex(CertificateFacts.digest(certificate))
        case .uriNames: list(CertificateNames(certificate).uris)
        case .dnsNames: list(CertificateNames(certificate).dns)
        case .addresses: list(CertificateNames(certificate).addresses)
        case .certificate: ForwardedClientCert.encoded(certificate)
        case .validFrom: time(X509_get0_notBefore(certificate))
        case .validUntil: time(X509_get0_notAfter(certificate))
        default: nil
        }
    }

    // MARK: Texts

    private static func present(_ bytes: [UInt8]) -> [UInt8]? { bytes.isEmpty ? nil : bytes }
    private static func present(_ text: String) -> [UInt8]? { present(Array(text.utf8)) }
    private static func list(_ names: [String]) -> [UInt8]? { present(names.joined(separator: ",")) }
    private static func hex(_ bytes: [UInt8]) -> [UInt8] { Array(CertificateFacts.hex(bytes).utf8) }

    private static func text(_ name: UnsafePointer<CChar>?) -> [UInt8]? {
        name.flatMap { present(String(cString: $0)) }
    }

    /// `2026-11-21T03:02:05.000Z`, as Envoy prints it.
    private static func time(_ moment: UnsafePointer<ASN1_TIME>?) -> [UInt8] {
        let seconds = UInt64(clamping: CertificateFacts.seconds(moment))
        var clock = LogClock()
        return [UInt8](unsafeUninitializedCapacity: LogClock.length) { room, count in
            guard let start = room.baseAddress else { return }
            clock.write(seconds * 1_000_000_000, into: start)
            count = LogClock.length
        }
    }
}
