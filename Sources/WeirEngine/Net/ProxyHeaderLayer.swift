import Glibc

/// The beginning of a connection from a proxy that says in a PROXY protocol header whom it speaks for.
///
/// Takes the header's bytes off the socket and none behind them, so that the socket goes on as one that was just accepted. A
/// connection without a header is refused: whoever could leave it out could be anybody. Loop thread only.
final class ProxyHeaderLayer: TransportLayer {
    /// Bytes looked at in one go.
    private static let peekBytes = 1024

    private var reader = ProxyHeaderReader()
    /// Set when the handshake is done.
    private(set) var header: ProxyHeader?

    override var needsHandshake: Bool { true }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.peekBytes) { room in
            guard let start = room.baseAddress else { return .failed(EPROTO) }
            while true {
                switch Socket.peek(fd, into: start, count: Self.peekBytes) {
                case .done(let length):
                    let (used, outcome) = reader.take(UnsafeRawBufferPointer(start: start, count: length))
                    // They are there: nobody else reads this socket.
                    if used > 0 { _ = Socket.receive(fd, into: start, count: used) }
                    switch outcome {
                    case .more: continue
                    case .refused: return .failed(EPROTO)
                    case .done(let header):
                        self.header = header
                        return .done
                    }
                case .wantRead, .wantWrite: return .wantRead
                case .end: return .failed(ECONNRESET)
                case .failed(let code): return .failed(code)
                }
            }
        }
    }
}
