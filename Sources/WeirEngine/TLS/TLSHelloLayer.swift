import COpenSSL
import Glibc

/// The beginning of a connection to a port that speaks TLS: reads the client's hello, and with the name in it finds the
/// server whose layer goes on.
///
/// Loop thread only.
final class TLSHelloLayer: TransportLayer {
    private let loop: Loop
    private let listener: Int
    /// Owns the connections, and so outlives them.
    private unowned let worker: Worker
    /// Where a hello that comes in pieces is put together.
    private var gathered: Chunk?
    private var gatheredBytes = 0
    private var next: TransportLayer?
    /// The client has asked for a name nobody here has, or for none where that is nobody's.
    private(set) var isUnknownServer = false
    /// Then: our end of the connection, whose socket is given up before that is logged.
    private(set) var local: EndpointAddress?
    private var serverName: [UInt8] = []

    override var needsHandshake: Bool { true }
    override var successor: TransportLayer? { next }

    init(loop: Loop, listener: Int, worker: Worker) {
        self.loop = loop
        self.listener = listener
        self.worker = worker
    }

    deinit { gathered?.release() }

    override func fact(_ fact: LogConnectionFact) -> [UInt8]? {
        fact == .serverName && !serverName.isEmpty ? serverName : nil
    }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        if let gathered { return goOn(fd, gathered) }
        let room = loop.readRoom()
        let result = Socket.receive(
            fd, into: room.chunk.bytes + room.start, count: min(room.count, ClientHello.maxBytes))
        guard case .done(let length) = result else { return Self.outcome(result) }
        let slice = loop.sliceOfRead(room.chunk, start: room.start, count: length)
        switch ClientHello.read(slice.buffer) {
        case .complete(let hello): return meet(hello, slice, fd)
        case .refused: return .failed(EPROTO)
        case .needMore:
            let chunk = loop.pool.take(minimum: ClientHello.maxBytes)
            memcpy(chunk.bytes, slice.bytes, length)
            gathered = chunk
            gatheredBytes = length
            return .wantRead
        }
    }

    private func goOn(_ fd: Int32, _ chunk: Chunk) -> HandshakeResult {
        let result = Socket.receive(
            fd, into: chunk.bytes + gatheredBytes, count: ClientHello.maxBytes - gatheredBytes)
        guard case .done(let length) = result else { return Self.outcome(result) }
        gatheredBytes += length
        switch ClientHello.read(UnsafeRawBufferPointer(start: chunk.bytes, count: gatheredBytes)) {
        case .complete(let hello):
            gathered = nil
            return meet(hello, ByteSlice(adopting: chunk, start: 0, count: gatheredBytes), fd)
        case .refused: return .failed(EPROTO)
        case .needMore: return .wantRead
        }
    }

    private static func outcome(_ result: TransferResult) -> HandshakeResult {
        switch result {
        case .done, .wantRead, .wantWrite: .wantRead
        case .end: .failed(ECONNRESET)
        case .failed(let code): .failed(code)
        }
    }

    /// The name is known: so is the server, or that there is none.
    private func meet(_ hello: ClientHello, _ slice: consuming ByteSlice, _ fd: Int32) -> HandshakeResult {
        let server = hello.serverName.withUnsafeBytes { worker.tlsServer(listener: listener, name: $0) }
        guard let server else {
            isUnknownServer = true
            local = EndpointAddress(Socket.localAddress(fd))
            serverName = hello.serverName
            return .failed(EPROTO)
        }
        if case .passthrough = server.content {
            next = PrereadLayer(slice, serverName: hello.serverName)
            return .done
        }
        guard let contexts = server.contexts else { return .failed(EPROTO) }
        next = TLSServerLayer(
            contexts: contexts, worker: worker.index, serverName: worker.serverNames.shared(hello.serverName),
            listener: listener, loop: loop, ahead: slice)
        return .done
    }
}

/// The names that came last, to have equal ones in memory once.
struct RecentNames {
    /// Names that are remembered.
    static let most = 16

    private var names: [[UInt8]] = []
    private var oldest = 0

    /// An equal name that somebody else may hold already.
    mutating func shared(_ name: [UInt8]) -> [UInt8] {
        if name.isEmpty { return [] }
        if let known = names.first(where: { $0 == name }) { return known }
        if names.count < Self.most {
            names.append(name)
        } else {
            names[oldest] = name
            oldest = (oldest + 1) % Self.most
        }
        return name
    }
}

/// Bytes that were read to see where a connection goes, then the socket as it is.
final class PrereadLayer: TransportLayer {
    private var bytes: ByteSlice?
    /// As in the client's hello; empty without one.
    let serverName: [UInt8]

    init(_ bytes: consuming ByteSlice, serverName: [UInt8]) {
        self.bytes = consume bytes
        self.serverName = serverName
    }

    override func fact(_ fact: LogConnectionFact) -> [UInt8]? {
        fact == .serverName && !serverName.isEmpty ? serverName : nil
    }

    override var hasPendingInput: Bool {
        switch bytes {
        case .none: false
        case .some: true
        }
    }

    override func read(_ fd: Int32, into room: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        guard var slice = bytes.take() else { return Socket.receive(fd, into: room, count: count) }
        let length = min(slice.count, count)
        memcpy(room, slice.bytes, length)
        slice.removeFirst(length)
        if slice.count > 0 { bytes = consume slice }
        return .done(length)
    }
}
