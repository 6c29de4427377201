import COpenSSL
import Glibc

/// The server's end of TLS to a client: what the connection asked for, and who the client has shown to be.
///
/// Loop thread only.
final class TLSServerLayer: TLSLayer {
    /// Held for as long as the connection lives, as callbacks of its context read it.
    private let contexts: TLSServerContexts
    /// The name the client asks for, as it wrote it; empty without one.
    let serverName: [UInt8]
    private let listener: Int32
    /// The configuration that `found` is of.
    private var foundIn: Int32 = -1
    /// The routes found last.
    private var found: Unmanaged<ListenerPlan>?
    /// Made when a request or the log first needs something of it.
    private var told: Told?

    /// What was told before.
    private final class Told {
        var facts: [LogConnectionFact: [UInt8]?] = [:]
        /// See `clientCertificate`.
        var forwarded: [UInt8]?
    }

    init(
        contexts: TLSServerContexts, worker: Int, serverName: [UInt8], listener: Int, loop: Loop,
        ahead: consuming ByteSlice
    ) {
        guard let ssl = SSL_new(contexts.context(worker: worker)) else { fatalError("out of memory for TLS") }
        self.contexts = contexts
        self.serverName = serverName
        self.listener = Int32(listener)
        SSL_set_accept_state(ssl)
        contexts.setSessionContext(ssl, serverName)
        super.init(ssl: ssl, loop: loop, ahead: ahead)
    }

    // MARK: Where it leads

    /// The routes of this connection's server in the current configuration; `nil` once the server is gone, or asks its
    /// clients for more than it asked this one.
    func routes(_ worker: Worker) -> Unmanaged<ListenerPlan>? {
        let epoch = Int32(truncatingIfNeeded: worker.listenerEpoch)
        if foundIn == epoch { return found }
        foundIn = epoch
        found = nil
        let server = serverName.withUnsafeBytes { worker.tlsServer(listener: Int(listener), name: $0) }
        guard let server, case .http(let plan) = server.content else { return nil }
        // A server whose certificate is missing by now goes on with the connections it has.
        if let other = server.contexts, other !== contexts, !other.spec.letsIn(thoseOf: contexts.spec) { return nil }
        found = Unmanaged.passUnretained(plan)
        return found
    }

    // MARK: What was agreed on

    /// The client goes on in HTTP/2.
    var speaksHTTP2: Bool {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        return count == 2 && name?[0] == UInt8(ascii: "h") && name?[1] == UInt8(ascii: "2")
    }

    /// The value of `x-forwarded-client-cert`; empty where the client has shown no certificate.
    var clientCertificate: [UInt8] {
        if let forwarded = told?.forwarded { return forwarded }
        guard let shown = SSL_get0_peer_certificate(ssl) else { return [] }
        let made = ForwardedClientCert(shown, own: SSL_get_certificate(ssl)).value
        remember { $0.forwarded = made }
        return made
    }

    private func remember(_ change: (Told) -> Void) {
        let told = self.told ?? Told()
        self.told = told
        change(told)
    }

    /// One of the certificates it may have shown is for this host.
    func covers(_ host: UnsafeRawBufferPointer) -> Bool {
        let name = String(decoding: HostTable.withoutPort(host), as: UTF8.self)
        return contexts.certificates.contains { certificate in
            certificate.dnsNames.contains { HostName.matches(pattern: $0, name) }
                || certificate.ipAddresses.contains(name)
        }
    }

    override func fact(_ fact: LogConnectionFact) -> [UInt8]? {
        // In every line of Istio's format.
        if fact == .serverName { return serverName.isEmpty ? nil : serverName }
        if let known = told?.facts[fact] { return known }
        let made = makeFact(fact)
        remember { $0.facts.updateValue(made, forKey: fact) }
        return made
    }

    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        let result = super.handshake(fd)
        guard result == .done else { return result }
        weir_ssl_forget_names(ssl)
        return isResumed && hasOutlivedItsCertificate ? .failed(EPROTO) : .done
    }

    /// A session is not resumed with a certificate that has expired since; its other rules are part of the session's context.
    private var hasOutlivedItsCertificate: Bool {
        guard contexts.spec.clientVerification != .none, !contexts.spec.isLenient,
            let certificate = SSL_get0_peer_certificate(ssl)
        else { return false }
        return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0
    }
}
