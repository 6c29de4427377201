import COpenSSL

/// The certificates and keys of a spec, read and found to belong together.
final class TLSServerMaterial {
    struct Certificate {
        let leaf: OpaquePointer
        /// A stack of what stands between the leaf and its root.
        let chain: OpaquePointer
        let key: OpaquePointer
        let ocspResponse: [UInt8]?
    }

    private(set) var certificates: [Certificate] = []

    init(_ spec: TLSServerSpec) throws(TLSConfigurationError) {
        guard !spec.certificates.isEmpty else { throw .noCertificate }
        for (index, source) in spec.certificates.enumerated() {
            certificates.append(try Self.read(source, number: index + 1))
        }
        var kinds: Set<Int32> = []
        for (index, certificate) in certificates.enumerated() {
            guard kinds.insert(EVP_PKEY_get_base_id(certificate.key)).inserted else {
                throw .unusableCertificate(index + 1, "an earlier one has a key of the same kind")
            }
        }
    }

    deinit {
        for certificate in certificates { Self.free(certificate) }
    }

    private static func free(_ certificate: Certificate) {
        X509_free(certificate.leaf)
        OPENSSL_sk_pop_free(certificate.chain) { X509_free(OpaquePointer($0)) }
        EVP_PKEY_free(certificate.key)
    }

    private static func read(
        _ source: TLSServerSpec.Certificate, number: Int
    ) throws(TLSConfigurationError) -> Certificate {
        if let response = source.ocspResponse, !isOCSPResponse(response) { throw .unreadableOCSPResponse(number) }
        let read: [OpaquePointer]
        switch OpenSSLText.certificates(source.chainPEM) {
        case .success(let found): read = found
        case .failure(let failure): throw .unreadableCertificate(number, failure.reason)
        }
        guard read.count <= TLSLimits.ownChainCertificates else {
            for certificate in read { X509_free(certificate) }
            throw .chainTooLong(number, read.count)
        }
        guard let chain = OPENSSL_sk_new_null() else { fatalError("out of memory for a certificate chain") }
        for other in read.dropFirst() { OPENSSL_sk_push(chain, UnsafeRawPointer(other)) }
        guard let key = OpenSSLText.privateKey(source.keyPEM) else {
            X509_free(read[0])
            OPENSSL_sk_pop_free(chain) { X509_free(OpaquePointer($0)) }
            throw .unreadableKey(number, OpenSSLText.lastError())
        }
        let certificate = Certificate(leaf: read[0], chain: chain, key: key, ocspResponse: source.ocspResponse)
        guard X509_check_private_key(certificate.leaf, key) == 1 else {
            ERR_clear_error()
            free(certificate)
            throw .keyOfAnotherCertificate(number)
        }
        return certificate
    }

    private static func isOCSPResponse(_ bytes: [UInt8]) -> Bool {
        let response = bytes.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_OCSP_RESPONSE(nil, &start, buffer.count)
        }
        ERR_clear_error()
        guard let response else { return false }
        OCSP_RESPONSE_free(response)
        return true
    }
}
