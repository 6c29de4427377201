import COpenSSL
import Glibc

/// What is worth knowing of an X.509 certificate, for people and for metrics.
package struct CertificateFacts: Sendable, Hashable {
    /// As in RFC 2253: `CN=api.example.com,O=Example`.
    package let subject: String
    package let issuer: String
    /// In the certificate's order.
    package let dnsNames: [String]
    package let uris: [String]
    package let ipAddresses: [String]
    package let emails: [String]
    /// Seconds since 1970.
    package let notBefore: Int64
    package let notAfter: Int64
    /// Hexadecimal, lower case.
    package let serialNumber: String
    /// Of the whole certificate; hexadecimal, lower case.
    package let sha256: String
    /// Such as `RSA 2048` or `ECDSA P-256`.
    package let keyType: String
    /// It may sign other certificates.
    package let isAuthority: Bool

    /// Of every certificate of a PEM text, in its order.
    package static func all(inPEM pem: [UInt8]) throws(TLSConfigurationError) -> [CertificateFacts] {
        switch OpenSSLText.certificates(pem) {
        case .failure(let failure): throw .unreadableCertificate(1, failure.reason)
        case .success(let certificates):
            defer { for certificate in certificates { X509_free(certificate) } }
            return certificates.map { CertificateFacts($0) }
        }
    }

    /// Why the lists of revoked certificates in a PEM text cannot be read; `nil` when they can.
    package static func revocationListProblem(inPEM pem: [UInt8]) -> String? {
        switch OpenSSLText.revocationLists(pem) {
        case .failure(let failure): return failure.reason
        case .success(let lists):
            for list in lists { X509_CRL_free(list) }
            return nil
        }
    }

    init(_ certificate: OpaquePointer) {
        subject = Self.text(of: X509_get_subject_name(certificate))
        issuer = Self.text(of: X509_get_issuer_name(certificate))
        let names = CertificateNames(certificate)
        dnsNames = names.dns
        uris = names.uris
        ipAddresses = names.addresses
        emails = names.emails
        notBefore = Self.seconds(X509_get0_notBefore(certificate))
        notAfter = Self.seconds(X509_get0_notAfter(certificate))
        serialNumber = Self.serialNumber(certificate)
        sha256 = Self.hex(Self.digest(certificate))
        keyType = Self.keyType(X509_get0_pubkey(certificate))
        isAuthority = X509_check_ca(certificate) == 1
    }

    static func text(of name: OpaquePointer?) -> String {
        let bytes = OpenSSLText.printed { X509_NAME_print_ex($0, name, 0, weir_name_rfc2253()) }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }

    static func serialNumber(_ certificate: OpaquePointer) -> String {
        guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { weir_openssl_free(text) }
        return String(cString: text).lowercased()
    }

    /// A digest of the certificate's DER.
    static func digest(_ certificate: OpaquePointer, _ kind: OpaquePointer? = EVP_sha256()) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(certificate, kind, &digest, &count) == 1 else { return [] }
        return Array(digest.prefix(Int(count)))
    }

    /// SHA-256 of the public key with its kind (SubjectPublicKeyInfo in DER).
    static func keyDigest(_ certificate: OpaquePointer) -> [UInt8] {
        let der = OpenSSLText.printed { bio in i2d_PUBKEY_bio(bio, X509_get0_pubkey(certificate)) }
        return sha256(der)
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1 else { return [] }
        return digest
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func keyType(_ key: OpaquePointer?) -> String {
        guard let key else { return "unknown" }
        let bits = EVP_PKEY_get_bits(key)
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA: return "RSA \(bits)"
        case EVP_PKEY_EC: return "ECDSA P-\(bits)"
        case EVP_PKEY_ED25519: return "Ed25519"
        case EVP_PKEY_ED448: return "Ed448"
        default: return "unknown \(bits)"
        }
    }
}

/// The subject alternative names of a certificate, by kind.
struct CertificateNames {
    private(set) var dns: [String] = []
    private(set) var uris: [String] = []
    private(set) var addresses: [String] = []
    private(set) var emails: [String] = []

    init(_ certificate: OpaquePointer) {
        guard let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return }
        let stack = OpaquePointer(names)
        defer { GENERAL_NAMES_free(stack) }
        for index in 0..<max(OPENSSL_sk_num(stack), 0) {
            guard let entry = OPENSSL_sk_value(stack, index) else { continue }
            add(UnsafeMutablePointer<GENERAL_NAME>(OpaquePointer(entry)))
        }
    }

    private mutating func add(_ name: UnsafeMutablePointer<GENERAL_NAME>) {
        var kind: Int32 = -1
        guard let value = GENERAL_NAME_get0_value(name, &kind) else { return }
        let string = UnsafePointer<ASN1_STRING>(OpaquePointer(value))
        switch kind {
        case GEN_DNS: dns.append(Self.text(string))
        case GEN_URI: uris.append(Self.text(string))
        case GEN_EMAIL: emails.append(Self.text(string))
        case GEN_IPADD: if let text = Self.address(Self.bytes(string)) { addresses.append(text) }
        default: break
        }
    }

    private static func bytes(_ string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
        let count = max(Int(ASN1_STRING_length(string)), 0)
        return [UInt8](UnsafeRawBufferPointer(start: ASN1_STRING_get0_data(string), count: count))
    }

    private static func text(_ string: UnsafePointer<ASN1_STRING>) -> String {
        String(decoding: bytes(string), as: UTF8.self)
    }

    private static func address(_ bytes: [UInt8]) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var room = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &room, socklen_t(room.count)) != nil else {
            return nil
        }
        return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
