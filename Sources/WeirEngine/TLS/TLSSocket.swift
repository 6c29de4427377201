import COpenSSL
import Glibc

/// How OpenSSL reaches the sockets of one loop: a single BIO for all its connections, since only one is called at a time.
///
/// So a connection has no BIO of its own, and bytes that were read before OpenSSL was asked come first. Loop thread only.
final class TLSSocket {
    /// Reads in one call of OpenSSL's, which goes on by itself where what came is nothing to hand out; the rest is for the
    /// next wake-up.
    static let readsPerCall = 4

    /// What tells OpenSSL how a call on the BIO went.
    private static let resultFlags = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    // Not Sendable, but only read once it is made.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir") else {
            fatalError("out of memory for a BIO's method")
        }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let bytes, count > 0 else { return -1 }
            return TLSSocket.of(bio)._withUnsafeGuaranteedRef { $0.read(bytes, Int(count)) }
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bytes, count > 0 else { return -1 }
            return TLSSocket.of(bio)._withUnsafeGuaranteedRef { $0.write(bytes, Int(count)) }
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: 1
            case BIO_CTRL_EOF: TLSSocket.of(bio)._withUnsafeGuaranteedRef { $0.isAtEnd ? 1 : 0 }
            default: 0
            }
        }
        return method
    }()

    private let bio: OpaquePointer
    /// Its own view of the keys that all threads share.
    private var tickets = TLSTicketRing()
    /// Owns this.
    private unowned let loop: Loop
    private var descriptor: Int32 = -1
    /// Bytes that come before what the descriptor has.
    private var ahead = UnsafeRawBufferPointer(start: nil, count: 0)
    private var readsLeft = 0
    private var isAtEnd = false
    /// errno of a broken connection; 0 otherwise.
    private(set) var failure: Int32 = 0

    init(loop: Loop) {
        self.loop = loop
        guard let bio = BIO_new(Self.method) else { fatalError("out of memory for a BIO") }
        self.bio = bio
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
    }

    deinit { BIO_free(bio) }

    private static func of(_ bio: OpaquePointer?) -> Unmanaged<TLSSocket> {
        guard let raw = BIO_get_data(bio) else { preconditionFailure("a BIO without its socket") }
        return Unmanaged.fromOpaque(raw)
    }

    /// The socket behind a connection's BIO; for callbacks of OpenSSL's.
    static func of(ssl: OpaquePointer) -> Unmanaged<TLSSocket> { of(SSL_get_rbio(ssl)) }

    /// Gives an `SSL` its way to the socket.
    func attach(to ssl: OpaquePointer) {
        BIO_up_ref(bio)
        // Takes the one reference for both directions.
        SSL_set_bio(ssl, bio, bio)
    }

    /// The calls of OpenSSL's that follow are for this descriptor.
    func begin(_ fd: Int32) {
        descriptor = fd
        readsLeft = Self.readsPerCall
        isAtEnd = false
        failure = 0
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// As `begin`, with bytes that come first, and for now are all there is; returns how many of them `body` took.
    func begin(_ fd: Int32, ahead bytes: UnsafeRawBufferPointer, _ body: () -> Void) -> Int {
        begin(fd)
        readsLeft = 0
        ahead = bytes
        body()
        let taken = bytes.count - ahead.count
        ahead = UnsafeRawBufferPointer(start: nil, count: 0)
        return taken
    }

    // MARK: Session tickets

    /// OpenSSL's callback for a ticket that is to be made (`seals`) or was shown.
    func ticket(
        _ name: UnsafeMutablePointer<UInt8>, _ vector: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer, seals: Bool
    ) -> Int32 {
        let now = loop.now
        if seals { return tickets.seal(name, vector, cipher, mac, now: now) ? 1 : -1 }
        return tickets.open(name, vector, cipher, mac, now: now).rawValue
    }

    // MARK: Bytes

    private func read(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> Int32 {
        BIO_clear_flags(bio, Self.resultFlags)
        if let start = ahead.baseAddress, !ahead.isEmpty {
            let length = min(ahead.count, count)
            memcpy(bytes, start, length)
            ahead = UnsafeRawBufferPointer(rebasing: ahead[length...])
            return Int32(clamping: length)
        }
        guard readsLeft > 0 else { return retry(BIO_FLAGS_READ) }
        readsLeft -= 1
        let room = UnsafeMutableRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
        switch Socket.receive(descriptor, into: room, count: count) {
        case .done(let length): return Int32(clamping: length)
        case .wantRead, .wantWrite: return retry(BIO_FLAGS_READ)
        case .end:
            isAtEnd = true
            return 0
        case .failed(let code):
            failure = code
            return -1
        }
    }

    private func write(_ bytes: UnsafePointer<CChar>, _ count: Int) -> Int32 {
        BIO_clear_flags(bio, Self.resultFlags)
        var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes), iov_len: count)
        switch Socket.send(descriptor, &vector, count: 1) {
        case .done(let length): return Int32(clamping: length)
        case .failed(let code):
            failure = code
            return -1
        case .wantRead, .wantWrite, .end: return retry(BIO_FLAGS_WRITE)
        }
    }

    private func retry(_ direction: Int32) -> Int32 {
        BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY)
        return -1
    }
}
