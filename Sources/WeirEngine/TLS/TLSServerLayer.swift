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
    private let listener: Int
    /// The routes found last, and in which configuration.
    private var found: Unmanaged<ListenerPlan>?
    private var foundIn = -1
    /// Made when a request first needs it.
    private var forwarded: [UInt8]?
    /// What was told before, by `LogConnectionFact`.
    private var told: [LogConnectionFact: [UInt8]?] = [:]

    init(
        contexts: TLSServerContexts, worker: Int, serverName: [UInt8], listener: Int, loop: Loop,
        ahead: consuming ByteSlice
    ) {
        guard let ssl = SSL_new(contexts.context(worker: worker)) else { fatalError("out of memory for TLS") }
        self.contexts = contexts
        self.serverName = serverName
        self.listener = listener
        SSL_set_accept_state(ssl)
        contexts.setSessionContext(ssl, serverName)
        super.init(ssl: ssl, loop: loop, ahead: ahead)
    }

    // MARK: Where it leads

    /// The routes of this connection's server in the current configuration; `nil` once the server is gone, or asks its
    /// clients for more than it asked this one.
    func routes(_ worker: Worker) -> Unmanaged<ListenerPlan>? {
        if foundIn == worker.listenerEpoch { return found }
        foundIn = worker.listenerEpoch
        found = nil
        let server = serverName.withUnsafeBytes { worker.tlsServer(listener: listener, name: $0) }
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
        if let forwarded { return forwarded }
        let made = SSL_get0_peer_certificate(ssl).map { ForwardedClientCert($0, own: SSL_get_certificate(ssl)).value }
        forwarded = made ?? []
        return made ?? []
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
        if let known = told[fact] { return known }
        let made = makeFact(fact)
        told.updateValue(made, forKey: fact)
        return made
    }

    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        let result = super.handshake(fd)
        guard result == .done, isResumed, hasOutlivedItsCertificate else { return result }
        return .failed(EPROTO)
    }

    /// A session is not resumed with a certificate that has expired since; its other rules are part of the session's context.
    private var hasOutlivedItsCertificate: Bool {
        guard contexts.spec.clientVerification != .none, !contexts.spec.isLenient,
            let certificate = SSL_get0_peer_certificate(ssl)
        else { return false }
        return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0
    }
}
