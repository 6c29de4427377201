import COpenSSL

/// What clients' certificates are held to at one server.
///
/// Immutable after init.
final class TLSClientRules {
    private let names: [String]
    private let keyHashes: Set<[UInt8]>
    private let certificateHashes: Set<[UInt8]>
    private let isRequired: Bool
    private let isLenient: Bool
    private let authorities: [OpaquePointer]
    private let revocationLists: [OpaquePointer]

    /// `nil` when the spec asks for no certificate.
    static func make(_ spec: TLSServerSpec) throws(TLSConfigurationError) -> TLSClientRules? {
        spec.clientVerification == .none ? nil : try TLSClientRules(spec)
    }

    private init(_ spec: TLSServerSpec) throws(TLSConfigurationError) {
        isRequired = spec.clientVerification == .required
        isLenient = spec.isLenient
        names = spec.subjectAltNames
        keyHashes = try Self.hashes(spec.publicKeyHashes, Self.base64)
        certificateHashes = try Self.hashes(spec.certificateHashes, Self.hexadecimal)
        guard !spec.clientAuthorityPEM.isEmpty else { throw .missingAuthority }
        switch OpenSSLText.certificates(spec.clientAuthorityPEM) {
        case .success(let found): authorities = found
        case .failure(let failure): throw .unreadableAuthority(failure.reason)
        }
        if spec.revocationListPEM.isEmpty {
            revocationLists = []
        } else {
            switch OpenSSLText.revocationLists(spec.revocationListPEM) {
            case .success(let found):
                revocationLists = found
            case .failure(let failure):
                for authority in authorities { X509_free(authority) }
                throw .unreadableRevocationList(failure.reason)
            }
        }
    }

    deinit {
        for authority in authorities { X509_free(authority) }
        for list in revocationLists { X509_CRL_free(list) }
    }

    // MARK: Contexts

    /// Makes a context ask for certificates and hold them to these rules, which must outlive it.
    func apply(to context: OpaquePointer) {
        let store = SSL_CTX_get_cert_store(context)
        for authority in authorities {
            X509_STORE_add_cert(store, authority)
            SSL_CTX_add_client_CA(context, authority)
        }
        for list in revocationLists { X509_STORE_add_crl(store, list) }
        // What the configuration trusts is trusted, root or not.
        var flags = UInt(X509_V_FLAG_PARTIAL_CHAIN)
        if !revocationLists.isEmpty { flags |= UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) }
        X509_STORE_set_flags(store, flags)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nil)
        SSL_CTX_set_cert_verify_callback(
            context,
            { store, rules in
                guard let store, let rules else { return 0 }
                return Unmanaged<TLSClientRules>.fromOpaque(rules)._withUnsafeGuaranteedRef { $0.verify(store) }
            },
            Unmanaged.passUnretained(self).toOpaque())
    }

    /// One for a certificate that may pass; the store's error says what is wrong with it even then.
    private func verify(_ store: OpaquePointer) -> Int32 {
        if X509_verify_cert(store) == 1 {
            let isAllowed = X509_STORE_CTX_get0_cert(store).map(allows) ?? false
            X509_STORE_CTX_set_error(store, isAllowed ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION)
            if isAllowed { return 1 }
        } else if X509_STORE_CTX_get_error(store) == X509_V_OK {
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
        }
        ERR_clear_error()
        return isLenient ? 1 : 0
    }

    // MARK: Rules of ours

    /// Whether a certificate that its issuers vouch for is one of those meant.
    func allows(_ certificate: OpaquePointer) -> Bool {
        hasWantedName(certificate) && hasWantedHash(certificate)
    }

    private func hasWantedName(_ certificate: OpaquePointer) -> Bool {
        if names.isEmpty { return true }
        let own = CertificateNames(certificate)
        return names.contains { wanted in
            own.uris.contains(wanted) || own.emails.contains(wanted) || own.addresses.contains(wanted)
                || own.dns.contains { HostName.matches(pattern: $0, wanted) }
        }
    }

    private func hasWantedHash(_ certificate: OpaquePointer) -> Bool {
        if keyHashes.isEmpty, certificateHashes.isEmpty { return true }
        return certificateHashes.contains(CertificateFacts.digest(certificate))
            || keyHashes.contains(CertificateFacts.keyDigest(certificate))
    }

    private static func hashes(
        _ texts: [String], _ decode: (String) -> [UInt8]?
    ) throws(TLSConfigurationError) -> Set<[UInt8]> {
        var hashes: Set<[UInt8]> = []
        for text in texts {
            guard let bytes = decode(text), bytes.count == 32 else { throw .unreadableHash(text) }
            hashes.insert(bytes)
        }
        return hashes
    }

    private static func base64(_ text: String) -> [UInt8]? {
        let source = Array(text.utf8)
        // 32 bytes are 43 digits and one sign that fills up.
        guard source.count == 44, source.last == UInt8(ascii: "="), source[42] != UInt8(ascii: "=") else { return nil }
        var bytes = [UInt8](repeating: 0, count: 33)
        guard EVP_DecodeBlock(&bytes, source, Int32(source.count)) == 33 else { return nil }
        return Array(bytes.prefix(32))
    }

    private static func hexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.filter { $0 != ":" }.map(\.hexDigitValue)
        guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
        let values = digits.compactMap(\.self)
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

/// Names in certificates (RFC 6125 section 6.4).
enum HostName {
    /// Whether a certificate's name, which may begin with `*.`, is this host's; without regard to case.
    static func matches(pattern: String, _ host: String) -> Bool {
        let pattern = pattern.lowercased()
        let host = host.lowercased()
        guard pattern.hasPrefix("*.") else { return pattern == host }
        // The star stands for one whole label.
        guard let dot = host.firstIndex(of: "."), dot > host.startIndex else { return false }
        return host[dot...] == pattern.dropFirst(1)
    }
}
