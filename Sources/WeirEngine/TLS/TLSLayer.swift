import COpenSSL
import Glibc

/// TLS between a connection and its socket, on either side: what the ends have in common.
///
/// Owns its `SSL`. Loop thread only.
class TLSLayer: TransportLayer {
    /// Plain bytes of one record at most; what is queued in small pieces goes out as records of up to this size.
    static let recordBytes = Loop.recordBytes

    final let ssl: OpaquePointer
    private let loop: Loop
    private let socket: TLSSocket
    /// Bytes that were read before there was an `SSL`; OpenSSL takes them first.
    private var ahead: ByteSlice?
    private(set) final var isEstablished = false
    /// The last call found nothing more to read: what is buffered is part of a record.
    private var isStarved = false
    /// Why the handshake failed, for logs; empty when the connection below broke.
    private var failure: [UInt8] = []

    override var failureText: [UInt8] { failure }

    /// Takes over the `ssl`, whose side has been chosen, and what the peer has sent so far.
    init(ssl: OpaquePointer, loop: Loop, ahead: consuming ByteSlice? = nil) {
        self.ssl = ssl
        self.loop = loop
        self.ahead = ahead
        socket = loop.tlsSocket
        super.init()
        socket.attach(to: ssl)
    }

    deinit {
        // A connection that was simply closed is no reason to distrust its session.
        if isEstablished { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        SSL_free(ssl)
    }

    /// Why the peer's certificate is refused, where OpenSSL's own words do not say it.
    var refusal: String { "" }

    // MARK: TransportLayer

    override var needsHandshake: Bool { true }

    override var hasPendingInput: Bool { !isStarved && SSL_has_pending(ssl) != 0 }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        let status = goOn(fd)
        if status == 1 {
            isEstablished = true
            // What went well may have left remarks behind.
            ERR_clear_error()
            return .done
        }
        switch result(of: status, explain: true) {
        case .wantRead: return .wantRead
        case .wantWrite: return .wantWrite
        case .failed(let code): return .failed(code)
        case .done, .end: return .failed(ECONNRESET)
        }
    }

    private func goOn(_ fd: Int32) -> Int32 {
        guard let bytes = ahead.take() else {
            socket.begin(fd)
            return SSL_do_handshake(ssl)
        }
        var status: Int32 = 0
        let taken = socket.begin(fd, ahead: bytes.buffer) { status = SSL_do_handshake(ssl) }
        if taken < bytes.count {
            var rest = bytes
            rest.removeFirst(taken)
            ahead = consume rest
        }
        return status
    }

    override func read(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        socket.begin(fd)
        let length = SSL_read(ssl, bytes, Int32(clamping: count))
        isStarved = length <= 0
        return length > 0 ? .done(Int(length)) : result(of: length)
    }

    /// Writes record by record until everything is out or the socket is full.
    override func write(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        var source = RecordSource(vectors, count: count)
        var written = 0
        socket.begin(fd)
        while let record = source.next(loop) {
            let length = SSL_write(ssl, record.baseAddress, Int32(clamping: record.count))
            guard length > 0 else {
                // What went before is out; the rest is asked for again, with the same bytes in front.
                let result = result(of: length)
                return written > 0 && (result == .wantWrite || result == .wantRead) ? .done(written) : result
            }
            written += Int(length)
            source.advance(Int(length))
        }
        return written > 0 ? .done(written) : .wantWrite
    }

    /// Sends the alert that tells our end from a cut.
    override func endWriting(_ fd: Int32) {
        guard isEstablished else { return }
        socket.begin(fd)
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// What a call came to that did not go well; with `explain`, the reason is kept for logs.
    private func result(of status: Int32, explain: Bool = false) -> TransferResult {
        switch SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ: return .wantRead
        case SSL_ERROR_WANT_WRITE: return .wantWrite
        case SSL_ERROR_ZERO_RETURN: return .end
        default:
            // An end without the alert counts as a cut: what came so far may not be all.
            let isCut = Self.isEndOfFile(ERR_peek_error())
            if explain, !isCut, socket.failure == 0 { failure = TLSFailureText.ofQueue(verification: refusal) }
            ERR_clear_error()
            return .failed(isCut ? ECONNRESET : socket.failure != 0 ? socket.failure : EPROTO)
        }
    }

    private static func isEndOfFile(_ code: UInt) -> Bool {
        ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING
    }
}

/// The pieces of a queue as records: long ones as they lie, short ones copied together.
private struct RecordSource {
    private var vectors: UnsafePointer<iovec>
    private var left: Int
    /// Bytes of the first piece that are out already.
    private var offset = 0

    init(_ vectors: UnsafePointer<iovec>, count: Int) {
        self.vectors = vectors
        left = count
    }

    /// The bytes of the next record; `nil` when there are no more.
    func next(_ loop: Loop) -> UnsafeRawBufferPointer? {
        guard left > 0, let base = vectors.pointee.iov_base else { return nil }
        let first = UnsafeRawBufferPointer(start: base + offset, count: Int(vectors.pointee.iov_len) - offset)
        if first.count >= TLSLayer.recordBytes {
            return UnsafeRawBufferPointer(rebasing: first[..<TLSLayer.recordBytes])
        }
        guard left > 1 else { return first }
        let room = loop.recordRoom()
        memcpy(room, base + offset, first.count)
        var filled = first.count
        for index in 1..<left where filled < TLSLayer.recordBytes {
            guard let bytes = vectors[index].iov_base else { continue }
            let length = min(Int(vectors[index].iov_len), TLSLayer.recordBytes - filled)
            memcpy(room + filled, bytes, length)
            filled += length
        }
        return UnsafeRawBufferPointer(start: room, count: filled)
    }

    /// So many bytes of the record are out.
    mutating func advance(_ length: Int) {
        var rest = length + offset
        while left > 0, rest >= Int(vectors.pointee.iov_len) {
            rest -= Int(vectors.pointee.iov_len)
            vectors += 1
            left -= 1
        }
        offset = rest
    }
}

/// Why a handshake failed, in the words of Envoy's logs.
enum TLSFailureText {
    /// Bytes of a text that are kept.
    static let maxBytes = 192

    /// What the thread's queue of errors holds, and why a certificate was refused; leaves the queue empty.
    static func ofQueue(verification: String) -> [UInt8] {
        var text = "TLS_error:"
        while true {
            let code = ERR_get_error()
            if code == 0 { break }
            let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "unknown"
            text += "|\(code):SSL routines:OPENSSL_internal:" + shout(reason)
        }
        if !verification.isEmpty { text += ":verify cert failed: \(verification)" }
        text += ":TLS_error_end"
        return Array(text.utf8.prefix(maxBytes))
    }

    /// As the names of reasons are written: `CERTIFICATE_VERIFY_FAILED`.
    private static func shout(_ reason: String) -> String {
        String(decoding: reason.uppercased().utf8.map { $0 == ASCII.space ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }
}
