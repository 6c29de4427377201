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

    /// The layer holds decrypted bytes the socket will not announce: read again without waiting.
    var hasPendingInput: Bool {
        switch self {
        case .plain: false
        case .layered(let layer): layer.hasPendingInput
        }
    }
}

/// A layer between connection and socket.
///
/// Loop thread only.
class TransportLayer {
    /// Bytes are already inside the layer.
    var hasPendingInput: Bool { false }

    func read(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        Socket.receive(fd, into: bytes, count: count)
    }

    func write(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        Socket.send(fd, vectors, count: count)
    }
}
