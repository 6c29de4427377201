import COpenSSL
import Glibc

/// The client's end of TLS to an endpoint: asks for a name, looks at the certificate, resumes sessions.
///
/// Loop thread only.
final class TLSClientLayer: TLSLayer {
    private let contexts: TLSClientContexts
    /// What the connection asks for: a name, or an address as text; `nil` = nothing, since what it carries names nothing.
    private let serverName: [UInt8]?
    private let sessions: TLSSessionSlot
    /// See `refusal`.
    private var verification = ""

    /// `offering`: the protocols of which the endpoint is to choose (RFC 7301), each behind its length.
    init(
        contexts: TLSClientContexts, worker: Int, serverName: [UInt8]?, offering protocols: StaticString,
        sessions: TLSSessionSlot, loop: Loop
    ) {
        guard let ssl = SSL_new(contexts.context(worker: worker)) else { fatalError("out of memory for TLS") }
        self.contexts = contexts
        self.serverName = serverName
        self.sessions = sessions
        SSL_set_connect_state(ssl)
        SSL_set_alpn_protos(ssl, protocols.utf8Start, UInt32(protocols.utf8CodeUnitCount))
        // An address is nothing to ask for (RFC 6066 section 3).
        if let serverName, !serverName.isEmpty, !ServerNames.isAddress(serverName) {
            _ = (serverName + [0]).withUnsafeBufferPointer { raw in
                raw.withMemoryRebound(to: CChar.self) { weir_ssl_set_server_name(ssl, $0.baseAddress) }
            }
        }
        sessions.offer(to: ssl)
        super.init(ssl: ssl, loop: loop)
        // Callbacks find their layer by it; the layer frees the `SSL`, so it is there for as long as they come.
        weir_ssl_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
    }

    override var refusal: String { verification }

    /// The endpoint took up a session that an earlier connection left.
    var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        let result = super.handshake(fd)
        // A session that led to a failure is not offered again.
        if case .failed = result { sessions.clear() }
        return result
    }

    // MARK: From OpenSSL

    /// The layer behind an `SSL`; valid during the callback.
    private static func owner(of ssl: OpaquePointer?) -> TLSClientLayer? {
        guard let ssl, let owner = weir_ssl_owner(ssl) else { return nil }
        return Unmanaged<TLSClientLayer>.fromOpaque(owner).takeUnretainedValue()
    }

    /// Takes over a session that the endpoint offers for later; 1 = it is kept.
    static func keep(_ session: OpaquePointer?, of ssl: OpaquePointer?) -> Int32 {
        guard let session, let layer = owner(of: ssl) else { return 0 }
        layer.sessions.keep(session)
        return 1
    }

    /// Checks the endpoint's certificate; 1 = it is good.
    static func verify(_ store: OpaquePointer?) -> Int32 {
        guard let store, let raw = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let layer = owner(of: OpaquePointer(raw))
        else { return 0 }
        return layer.verify(store)
    }

    private func verify(_ store: OpaquePointer) -> Int32 {
        guard X509_verify_cert(store) == 1 else {
            let code = X509_STORE_CTX_get_error(store)
            verification = X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "\(code)"
            return 0
        }
        guard let certificate = X509_STORE_CTX_get0_cert(store), isExpected(certificate) else {
            X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
            verification = "no subject alternative name is the expected one"
            return 0
        }
        return 1
    }

    private func isExpected(_ certificate: OpaquePointer) -> Bool {
        switch contexts.spec.expectedNames {
        case .any: true
        case .oneOf(let names):
            ServerNames.matches(CertificateNames(certificate), anyOf: names)
        case .requested:
            serverName.map {
                ServerNames.matches(CertificateNames(certificate), anyOf: [String(decoding: $0, as: UTF8.self)])
            } ?? true
        }
    }
}

/// The session of the last connection to one endpoint under one name, for the next one.
final class TLSSessionSlot {
    private var session: OpaquePointer?

    deinit { SSL_SESSION_free(session) }

    /// Takes over the reference.
    func keep(_ newer: OpaquePointer) {
        SSL_SESSION_free(session)
        session = newer
    }

    func offer(to ssl: OpaquePointer) {
        guard let session, SSL_SESSION_is_resumable(session) == 1 else { return }
        SSL_set_session(ssl, session)
    }

    func clear() {
        SSL_SESSION_free(session)
        session = nil
    }
}

/// Names in certificates against names that are wanted.
enum ServerNames {
    /// Longest name that can be asked for (RFC 1035 section 2.3.4).
    static let maxBytes = 255

    /// Calls `body` with the name that a request asks an endpoint for: its host in lower case, without port; empty when that
    /// cannot be one.
    static func withRequested<Result>(_ head: RequestHead, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var host = head.host
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            host = UnsafeRawBufferPointer(rebasing: host.dropFirst().dropLast())
        } else if host.last == UInt8(ascii: ".") {
            host = UnsafeRawBufferPointer(rebasing: host.dropLast())
        }
        if host.count > maxBytes { host = UnsafeRawBufferPointer(start: nil, count: 0) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxBytes) { room in
            for index in 0..<host.count { room[index] = ASCII.lowered(host[index]) }
            return body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<host.count]))
        }
    }

    /// Whether this is an IP address as text.
    static func isAddress(_ name: [UInt8]) -> Bool {
        canonicalAddress(String(decoding: name, as: UTF8.self)) != nil
    }

    /// Whether a certificate has one of the names, as its own or by a wildcard in the first label (RFC 6125 section 6.4.3).
    static func matches(_ certificate: CertificateNames, anyOf wanted: [String]) -> Bool {
        wanted.contains { name in
            if certificate.uris.contains(name) || certificate.emails.contains(name) { return true }
            if let address = canonicalAddress(name) {
                return certificate.addresses.contains { canonicalAddress($0) == address }
            }
            return certificate.dns.contains { covers($0, name) }
        }
    }

    private static func covers(_ pattern: String, _ name: String) -> Bool {
        let (pattern, name) = (pattern.lowercased(), name.lowercased())
        if pattern == name { return true }
        guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: "."), dot != name.startIndex else { return false }
        let rest = pattern.dropFirst()
        // A star for a whole top-level domain is nobody's.
        return rest.dropFirst().contains(".") && name[dot...] == rest
    }

    /// The bytes of an address; `nil` for what is none.
    private static func canonicalAddress(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        if inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
        return nil
    }
}
