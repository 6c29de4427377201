import COpenSSL

/// What a `TLSClientSpec` becomes: a context for each worker, so that workers share no counter.
///
/// Made off the workers.
package final class TLSClientContexts: @unchecked Sendable {
    // Sendable: immutable after init. Each context is used by one worker; what they share, OpenSSL locks itself.

    package let spec: TLSClientSpec
    private let contexts: [OpaquePointer]
    /// What is trusted; `nil` where no certificate is looked at.
    private let store: OpaquePointer?

    /// `other`: contexts with the same trust, which then is read but once.
    package init(
        _ spec: TLSClientSpec, workers: Int, sharingTrustWith other: TLSClientContexts? = nil
    ) throws(TLSConfigurationError) {
        self.spec = spec
        let parts = try Parts(spec, store: other?.store)
        store = parts.store
        var made: [OpaquePointer] = []
        for _ in 0..<max(workers, 1) {
            switch parts.context() {
            case .success(let context): made.append(context)
            case .failure(let error):
                for context in made { SSL_CTX_free(context) }
                parts.free()
                X509_STORE_free(store)
                throw error
            }
        }
        parts.free()
        contexts = made
    }

    deinit {
        for context in contexts { SSL_CTX_free(context) }
        X509_STORE_free(store)
    }

    /// Lives as long as this.
    func context(worker: Int) -> OpaquePointer { contexts[worker % contexts.count] }
}

/// What the contexts of all workers have in common.
private struct Parts {
    private let spec: TLSClientSpec
    /// The caller's to free.
    let store: OpaquePointer?
    /// The client's own certificate first.
    private let chain: [OpaquePointer]
    private let key: OpaquePointer?

    init(_ spec: TLSClientSpec, store known: OpaquePointer?) throws(TLSConfigurationError) {
        self.spec = spec
        if let known {
            X509_STORE_up_ref(known)
            store = known
        } else {
            store = try Self.store(spec)
        }
        do throws(TLSConfigurationError) {
            (chain, key) = try Self.identity(spec)
        } catch {
            X509_STORE_free(store)
            throw error
        }
    }

    func free() {
        for certificate in chain { X509_free(certificate) }
        EVP_PKEY_free(key)
    }

    /// `nil` where no certificate is looked at.
    private static func store(_ spec: TLSClientSpec) throws(TLSConfigurationError) -> OpaquePointer? {
        guard case .authorities(let pem) = spec.trust else { return nil }
        let authorities: [OpaquePointer]
        switch OpenSSLText.certificates(pem.bytes) {
        case .success(let found): authorities = found
        case .failure(let failure): throw .unreadableAuthority(failure.reason)
        }
        guard let store = X509_STORE_new() else { fatalError("out of memory for a certificate store") }
        for certificate in authorities {
            X509_STORE_add_cert(store, certificate)
            X509_free(certificate)
        }
        // As in Envoy: what is trusted need not be a root.
        var flags = UInt(X509_V_FLAG_PARTIAL_CHAIN)
        if let lists = spec.revocationLists {
            switch OpenSSLText.revocationLists(lists.bytes) {
            case .success(let found):
                for list in found {
                    X509_STORE_add_crl(store, list)
                    X509_CRL_free(list)
                }
            case .failure(let failure):
                X509_STORE_free(store)
                throw .unreadableRevocationList(failure.reason)
            }
            flags |= UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)
        }
        X509_STORE_set_flags(store, flags)
        // A certificate that is in the text twice is no error.
        ERR_clear_error()
        return store
    }

    private static func identity(
        _ spec: TLSClientSpec
    ) throws(TLSConfigurationError) -> (chain: [OpaquePointer], key: OpaquePointer?) {
        guard let certificate = spec.certificate else { return ([], nil) }
        let chain: [OpaquePointer]
        switch OpenSSLText.certificates(certificate.bytes) {
        case .success(let found): chain = found
        case .failure(let failure): throw .unreadableCertificate(1, failure.reason)
        }
        guard let key = OpenSSLText.privateKey(spec.privateKey?.bytes ?? []) else {
            for certificate in chain { X509_free(certificate) }
            throw .unreadableKey(1, OpenSSLText.lastError())
        }
        return (chain, key)
    }

    func context() -> Result<OpaquePointer, TLSConfigurationError> {
        guard let context = SSL_CTX_new(TLS_client_method()) else { fatalError("out of memory for a TLS context") }
        _ = weir_ssl_ctx_set_min_version(context, TLS1_2_VERSION)
        _ = weir_ssl_ctx_set_max_version(context, TLS1_3_VERSION)
        _ = weir_ssl_ctx_set_mode(
            context,
            Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS))
        _ = weir_ssl_ctx_set_read_ahead(context, 1)
        weir_ssl_ctx_set_client_options(context)
        // Sessions are kept by the pools, which know what they are good for.
        _ = weir_ssl_ctx_set_session_cache(
            context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(context) { ssl, session in TLSClientLayer.keep(session, of: ssl) }
        if let store {
            SSL_CTX_set1_cert_store(context, store)
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            SSL_CTX_set_cert_verify_callback(context, { store, _ in TLSClientLayer.verify(store) }, nil)
        } else {
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        }
        if let error = identify(context) {
            SSL_CTX_free(context)
            return .failure(error)
        }
        return .success(context)
    }

    private func identify(_ context: OpaquePointer) -> TLSConfigurationError? {
        guard let own = chain.first, let key else { return nil }
        ERR_clear_error()
        guard SSL_CTX_use_certificate(context, own) == 1 else {
            return .unusableCertificate(1, OpenSSLText.lastError())
        }
        for certificate in chain.dropFirst() { _ = weir_ssl_ctx_add_chain(context, certificate) }
        guard SSL_CTX_use_PrivateKey(context, key) == 1, SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            return .keyOfAnotherCertificate(1)
        }
        return nil
    }
}
