import COpenSSL

/// A spec made ready to serve: an OpenSSL context for each worker, so that no two threads share one's locks.
///
/// Built off the workers; takes milliseconds. Whoever compiles a configuration keeps the object of an equal spec: then
/// sessions go on being resumed, and nothing is built anew.
package final class TLSServerContexts: @unchecked Sendable {
    // Sendable: immutable after init; OpenSSL's contexts count their references atomically, and each is used by one worker.

    package let spec: TLSServerSpec
    /// Of the server's own certificates, in the spec's order.
    package let certificates: [CertificateFacts]
    /// The callbacks of the contexts read it.
    private let clientRules: TLSClientRules?
    private let material: TLSServerMaterial
    /// What is offered by ALPN, as on the wire.
    private let protocols: [UInt8]
    private let contexts: [OpaquePointer]
    /// What a session must have been begun under to be resumed.
    private let sessionContext: [UInt8]

    /// `workers`: how many threads will serve it.
    package init(_ spec: TLSServerSpec, workers: Int) throws(TLSConfigurationError) {
        precondition(workers > 0, "contexts without a worker")
        guard spec.minVersion <= spec.maxVersion else { throw .noVersion }
        self.spec = spec
        material = try TLSServerMaterial(spec)
        clientRules = try TLSClientRules.make(spec)
        certificates = material.certificates.map { CertificateFacts($0.leaf) }
        protocols = spec.applicationProtocols.flatMap(\.wireName)
        sessionContext = Self.sessionContext(spec)
        var built: [OpaquePointer] = []
        do throws(TLSConfigurationError) {
            for _ in 0..<workers {
                built.append(try TLSServerContextBuilder.build(spec, material))
            }
        } catch {
            for context in built { SSL_CTX_free(context) }
            throw error
        }
        contexts = built
        for context in contexts { setCallbacks(context) }
    }

    deinit {
        // No connection is left: each holds this object.
        for context in contexts { SSL_CTX_free(context) }
    }

    /// The context of one worker; valid while this object lives.
    func context(worker: Int) -> OpaquePointer { contexts[worker % contexts.count] }

    /// Binds the sessions of a connection to this server and to the name it was reached by (RFC 6066 section 3).
    func setSessionContext(_ ssl: OpaquePointer, _ serverName: [UInt8]) {
        var hash = ByteHash(seed: 21)
        serverName.withUnsafeBytes { hash.add($0, folded: true) }
        withUnsafeTemporaryAllocation(byteCount: Self.sessionContextBytes, alignment: 8) { room in
            room.copyBytes(from: sessionContext)
            room.storeBytes(of: hash.value, toByteOffset: sessionContext.count, as: UInt64.self)
            let start = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
            SSL_set_session_id_context(ssl, start, UInt32(room.count))
        }
    }

    /// What OpenSSL has room for.
    private static let sessionContextBytes = 32

    /// Everything that decides who gets in.
    private static func sessionContext(_ spec: TLSServerSpec) -> [UInt8] {
        var text = "\(spec.clientVerification) \(spec.isLenient) \(spec.minVersion) \(spec.maxVersion)"
        for list in [spec.subjectAltNames, spec.publicKeyHashes, spec.certificateHashes, spec.cipherSuites] {
            text += "\n\(list)"
        }
        var digests = CertificateFacts.sha256(Array(text.utf8))
        for bytes in spec.certificates.map(\.chainPEM) + [spec.clientAuthorityPEM, spec.revocationListPEM] {
            digests += CertificateFacts.sha256(bytes)
        }
        return Array(CertificateFacts.sha256(digests).prefix(sessionContextBytes - MemoryLayout<UInt64>.size))
    }

    // MARK: Callbacks

    private func setCallbacks(_ context: OpaquePointer) {
        let own = Unmanaged.passUnretained(self).toOpaque()
        clientRules?.apply(to: context)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { ssl, name, vector, cipher, mac, seals in
            guard let ssl, let name, let vector, let cipher, let mac else { return -1 }
            return TLSSocket.of(ssl: ssl)._withUnsafeGuaranteedRef {
                $0.ticket(name, vector, cipher, mac, seals: seals == 1)
            }
        }
        if !protocols.isEmpty {
            SSL_CTX_set_alpn_select_cb(
                context,
                { _, chosen, length, offered, count, raw in
                    guard let chosen, let length, let raw else { return SSL_TLSEXT_ERR_NOACK }
                    return Unmanaged<TLSServerContexts>.fromOpaque(raw)._withUnsafeGuaranteedRef {
                        $0.choose(chosen, length, offered, count)
                    }
                }, own)
        }
        if material.certificates.contains(where: { $0.ocspResponse != nil }) {
            weir_ssl_ctx_set_status_callback(context) { ssl, raw in
                guard let ssl, let raw else { return SSL_TLSEXT_ERR_NOACK }
                return Unmanaged<TLSServerContexts>.fromOpaque(raw)._withUnsafeGuaranteedRef { $0.staple(ssl) }
            }
            weir_ssl_ctx_set_status_argument(context, own)
        }
    }

    /// The first of ours that the client offers; without one the connection goes on without ALPN, as at Envoy.
    private func choose(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>, _ length: UnsafeMutablePointer<UInt8>,
        _ offered: UnsafePointer<UInt8>?, _ count: UInt32
    ) -> Int32 {
        protocols.withUnsafeBufferPointer { own in
            var name: UnsafeMutablePointer<UInt8>?
            let result = SSL_select_next_proto(
                &name, length, own.baseAddress, UInt32(own.count), offered, count)
            guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_NOACK }
            // Points into the array's own storage, which lives as long as this object.
            chosen.pointee = UnsafePointer(name)
            return SSL_TLSEXT_ERR_OK
        }
    }

    private func staple(_ ssl: OpaquePointer) -> Int32 {
        let used = SSL_get_certificate(ssl)
        guard let response = material.certificates.first(where: { $0.leaf == used })?.ocspResponse,
            let copy = weir_openssl_copy(response, response.count)
        else { return SSL_TLSEXT_ERR_NOACK }
        // The copy is OpenSSL's now.
        weir_ssl_set_ocsp_response(ssl, copy, response.count)
        return SSL_TLSEXT_ERR_OK
    }
}

extension TLSServerSpec.ApplicationProtocol {
    /// Length and name (RFC 7301 section 3.1).
    var wireName: [UInt8] {
        switch self {
        case .http2: [2] + Array("h2".utf8)
        case .http11: [8] + Array("http/1.1".utf8)
        }
    }
}

/// Builds contexts that are alike.
private enum TLSServerContextBuilder {
    private static let tls13Suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    /// The cheapest first; a client's key share for any of them is taken as it is.
    private static let groups = "X25519:P-256:P-384:P-521"

    static func build(
        _ spec: TLSServerSpec, _ material: TLSServerMaterial
    ) throws(TLSConfigurationError) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_server_method()) else { fatalError("out of memory for a TLS context") }
        do throws(TLSConfigurationError) {
            setProtocol(spec, context)
            try setCiphers(spec, context)
            try setCertificates(material, context)
            setSessions(context)
            return context
        } catch {
            SSL_CTX_free(context)
            throw error
        }
    }

    private static func setProtocol(_ spec: TLSServerSpec, _ context: OpaquePointer) {
        // Versions before 1.2 sign with SHA-1, which nothing above level 0 allows.
        SSL_CTX_set_security_level(context, spec.minVersion < .tls12 ? 0 : 2)
        weir_ssl_ctx_set_min_version(context, spec.minVersion.number)
        weir_ssl_ctx_set_max_version(context, spec.maxVersion.number)
        weir_ssl_ctx_set_server_options(context)
        // Buffers only while they are in use; a write that could not be finished may come back from another place.
        weir_ssl_ctx_set_mode(
            context,
            Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN))
        // A record with its header takes one `recv`.
        weir_ssl_ctx_set_read_ahead(context, 1)
        weir_ssl_ctx_set_max_chain(context, TLSLimits.clientChainBytes)
        weir_ssl_ctx_set_groups(context, groups)
    }

    private static func setCiphers(_ spec: TLSServerSpec, _ context: OpaquePointer) throws(TLSConfigurationError) {
        SSL_CTX_set_ciphersuites(context, tls13Suites)
        guard spec.minVersion < .tls13 else { return }
        let names = spec.cipherSuites + ["!aNULL", "!eNULL", "!EXPORT", "!RC4", "!DES"]
        guard SSL_CTX_set_cipher_list(context, names.joined(separator: ":")) == 1 else {
            ERR_clear_error()
            throw .noCipherSuite
        }
    }

    private static func setCertificates(
        _ material: TLSServerMaterial, _ context: OpaquePointer
    ) throws(TLSConfigurationError) {
        for (index, certificate) in material.certificates.enumerated() {
            // A key of its own: one that several threads use makes them wait for each other.
            let own = EVP_PKEY_dup(certificate.key)
            defer { EVP_PKEY_free(own) }
            let key = own ?? certificate.key
            ERR_clear_error()
            // Each connection has a copy of the list, even of an empty one.
            let chain = OPENSSL_sk_num(certificate.chain) > 0 ? certificate.chain : nil
            guard SSL_CTX_use_cert_and_key(context, certificate.leaf, key, chain, 0) == 1 else {
                throw .unusableCertificate(index + 1, OpenSSLText.lastError())
            }
        }
    }

    private static func setSessions(_ context: OpaquePointer) {
        // What resumes a session is with the client alone, so that any worker can take it.
        weir_ssl_ctx_set_session_cache(context, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_timeout(context, TLSLimits.sessionSeconds)
        SSL_CTX_set_num_tickets(context, 1)
    }
}

extension TLSServerSpec.ProtocolVersion {
    /// OpenSSL's number.
    fileprivate var number: Int32 {
        switch self {
        case .tls10: TLS1_VERSION
        case .tls11: TLS1_1_VERSION
        case .tls12: TLS1_2_VERSION
        case .tls13: TLS1_3_VERSION
        }
    }
}
