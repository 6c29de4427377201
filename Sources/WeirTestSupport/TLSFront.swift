import COpenSSL
import CWeir
import Glibc
import WeirEngine

/// A port that takes TLS for an origin behind it, which sees the plain bytes; remembers what its peers asked for.
package final class TLSFront: Sendable {
    /// What one connection came to.
    package struct Handshake: Sendable {
        /// Empty when the peer asked for no name.
        package var serverName = ""
        /// The protocol agreed on; empty without one.
        package var chosenProtocol = ""
        package var isResumed = false
        /// The peer showed a certificate.
        package var hasCertificate = false
        package var version = ""
    }

    package struct Options: Sendable {
        /// Of which the peer's offer is taken, dearest first, each behind its length.
        package var protocols = ""
        /// Path of a CA's certificate: peers must show one of its.
        package var clientAuthority: String?
        /// The connection ends without TLS saying so.
        package var endsByCut = false
        /// The newest version that is spoken.
        package var maxVersion = TLS1_3_VERSION
        package init() {}
    }

    private struct State {
        var handshakes: [Handshake] = []
        var failures = 0
        var descriptors: Set<Int32> = []
        var isStopped = false
    }

    package let port: Int
    private let listener: Int32
    private let origin: Int
    private let options: Options
    /// Used by many threads, as OpenSSL allows.
    nonisolated(unsafe) private let context: OpaquePointer
    private let state = Guarded(State())

    /// `origin`: the port of what is behind.
    package init(_ identity: TestAuthority.Identity, origin: Int, _ options: Options = Options()) throws {
        self.origin = origin
        self.options = options
        guard let context = SSL_CTX_new(TLS_server_method()),
            SSL_CTX_use_certificate_chain_file(context, identity.certificate) == 1,
            SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM) == 1
        else { throw TestSocketError(description: "no TLS for a test origin") }
        self.context = context
        _ = weir_ssl_ctx_set_max_version(context, options.maxVersion)
        if let authority = options.clientAuthority {
            SSL_CTX_load_verify_locations(context, authority, nil)
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
            SSL_CTX_set_session_id_context(context, "test", 4)
        }
        // OpenSSL writes without a flag that says so for one call.
        signal(SIGPIPE, SIG_IGN)
        (listener, port) = try Self.listen()
        select(context, options.protocols)
        TestThread { [self] in acceptAll() }.start()
    }

    deinit { SSL_CTX_free(context) }

    /// What the connections so far came to, in the order in which they were agreed on.
    package var handshakes: [Handshake] { state.withLock { $0.handshakes } }
    /// Connections on which nothing was agreed.
    package var failures: Int { state.withLock { $0.failures } }

    /// Refuses new connections and takes the open ones down.
    package func stop() {
        let open = state.withLock { state -> Set<Int32> in
            state.isStopped = true
            return state.descriptors
        }
        shutdown(listener, Int32(SHUT_RDWR))
        for fd in open { shutdown(fd, Int32(SHUT_RDWR)) }
    }

    private static func listen() throws -> (Int32, Int) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw -> Int32 in
                guard bind(fd, raw, length) == 0, Glibc.listen(fd, 64) == 0 else { return -1 }
                return getsockname(fd, raw, &length)
            }
        }
        guard status == 0 else { throw TestSocketError(description: "no port for a test origin") }
        return (fd, Int(UInt16(bigEndian: address.sin_port)))
    }

    private func acceptAll() {
        while true {
            let fd = accept(listener, nil, nil)
            guard fd >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                break
            }
            let isWanted = state.withLock { state -> Bool in
                if !state.isStopped { state.descriptors.insert(fd) }
                return !state.isStopped
            }
            guard isWanted else {
                close(fd)
                continue
            }
            TestThread { [self] in
                serve(fd)
                _ = state.withLock { $0.descriptors.remove(fd) }
                close(fd)
            }.start()
        }
        close(listener)
    }

    private func serve(_ fd: Int32) {
        guard let ssl = SSL_new(context) else { return }
        defer { SSL_free(ssl) }
        SSL_set_fd(ssl, fd)
        guard SSL_accept(ssl) == 1 else {
            ERR_clear_error()
            return state.withLock { $0.failures += 1 }
        }
        note(ssl)
        guard let behind = try? TestSocket(port: origin) else { return }
        relay(ssl, fd, behind)
        if !options.endsByCut { SSL_shutdown(ssl) }
    }

    private func note(_ ssl: OpaquePointer) {
        var handshake = Handshake()
        if let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) {
            handshake.serverName = String(cString: name)
        }
        var chosen: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &chosen, &count)
        handshake.chosenProtocol = String(
            decoding: UnsafeBufferPointer(start: chosen, count: Int(count)), as: UTF8.self)
        handshake.isResumed = SSL_session_reused(ssl) == 1
        handshake.hasCertificate = SSL_get0_peer_certificate(ssl) != nil
        handshake.version = String(cString: SSL_get_version(ssl))
        state.withLock { $0.handshakes.append(handshake) }
    }

    /// Passes bytes both ways until one side ends.
    private func relay(_ ssl: OpaquePointer, _ fd: Int32, _ behind: TestSocket) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            var ends = [
                pollfd(fd: fd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: behind.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            if SSL_pending(ssl) == 0 {
                guard poll(&ends, 2, Int32(TestSocket.deadlineSeconds) * 1000) > 0 else { return }
            }
            if SSL_pending(ssl) > 0 || ends[0].revents != 0 {
                let length = SSL_read(ssl, &buffer, Int32(buffer.count))
                guard length > 0 else {
                    ERR_clear_error()
                    return
                }
                guard (try? behind.send(Array(buffer[..<Int(length)]))) != nil else { return }
            }
            if ends[1].revents != 0 {
                guard let bytes = try? behind.receive(), !bytes.isEmpty,
                    SSL_write(ssl, bytes, Int32(bytes.count)) > 0
                else {
                    ERR_clear_error()
                    return
                }
            }
        }
    }
}

/// Takes the first of these protocols that a peer offers.
private func select(_ context: OpaquePointer, _ protocols: String) {
    guard !protocols.isEmpty else { return }
    // Lives as long as the process: a handful of bytes a test.
    let list = strdup(protocols)
    SSL_CTX_set_alpn_select_cb(
        context,
        { _, chosen, length, offered, offeredCount, list in
            let own = list!.assumingMemoryBound(to: CChar.self)
            let status = UnsafeMutablePointer(mutating: chosen!).withMemoryRebound(
                to: UnsafeMutablePointer<UInt8>?.self, capacity: 1
            ) {
                SSL_select_next_proto(
                    $0, length, UnsafeRawPointer(own).assumingMemoryBound(to: UInt8.self), UInt32(strlen(own)), offered,
                    offeredCount)
            }
            return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK
        }, UnsafeMutableRawPointer(list))
}
