import Glibc

/// How bytes get to and from the peer: straight through the socket, or through a layer such as TLS.
enum Transport {
    case plain
    case layered(TransportLayer)

    /// Reads at most `count` bytes.
    ///
    /// A layer may want to write before it can read, and the other way round.
    func read(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        switch self {
        case .plain: Socket.receive(fd, into: bytes, count: count)
        case .layered(let layer): layer.read(fd, into: bytes, count: count)
        }
    }

    func write(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        switch self {
        case .plain: Socket.send(fd, vectors, count: count)
        case .layered(let layer): layer.write(fd, vectors, count: count)
        }
    }

    /// Goes on with what must be agreed with the peer before bytes flow; `done` when there is nothing, or nothing more.
    func handshake(_ fd: Int32) -> HandshakeResult {
        switch self {
        case .plain: .done
        case .layered(let layer): layer.handshake(fd)
        }
    }

    /// Ends our side in the way that the peer can tell from a broken connection.
    func endWriting(_ fd: Int32) {
        if case .layered(let layer) = self { layer.endWriting(fd) }
        Socket.endWriting(fd)
    }

    /// The peer must be agreed with before anything is read or written.
    var needsHandshake: Bool {
        if case .layered(let layer) = self { layer.needsHandshake } else { false }
    }

    /// See `TransportLayer.successor`.
    var successor: TransportLayer? {
        switch self {
        case .plain: nil
        case .layered(let layer): layer.successor
        }
    }

    /// Why the layer's handshake failed, for logs; empty where it did not, or the connection below broke.
    var failureText: [UInt8] {
        switch self {
        case .plain: []
        case .layered(let layer): layer.failureText
        }
    }

    /// The layer holds decrypted bytes the socket will not announce: read again without waiting.
    var hasPendingInput: Bool {
        switch self {
        case .plain: false
        case .layered(let layer): layer.hasPendingInput
        }
    }
}

/// How far a layer's handshake has come.
enum HandshakeResult: Equatable {
    case done
    case wantRead
    case wantWrite
    /// It failed, or the connection under it broke; the errno says how, EPROTO when the layers disagreed.
    case failed(Int32)
}

/// A layer between connection and socket.
///
/// Loop thread only.
class TransportLayer {
    /// Bytes are already inside the layer.
    var hasPendingInput: Bool { false }

    /// There is a handshake before the first byte; the peer of an accepted connection begins it.
    var needsHandshake: Bool { false }

    /// Once the handshake is done: the layer that takes this one's place, with a handshake of its own.
    ///
    /// For layers that only look at how a connection begins.
    var successor: TransportLayer? { nil }

    /// What it can tell of the connection in a line of the log; `nil` when there is nothing of the kind.
    func fact(_ fact: LogConnectionFact) -> [UInt8]? { nil }

    /// See `Transport.failureText`.
    var failureText: [UInt8] { [] }

    /// Called until it is done, before anything is read or written.
    func handshake(_ fd: Int32) -> HandshakeResult { .done }

    /// Tells the peer that no more bytes follow.
    func endWriting(_ fd: Int32) {}

    func read(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        Socket.receive(fd, into: bytes, count: count)
    }

    func write(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        Socket.send(fd, vectors, count: count)
    }
}
