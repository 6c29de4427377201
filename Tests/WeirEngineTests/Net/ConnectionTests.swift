import Glibc
import Testing

@testable import WeirEngine

/// Queues a last piece and closes as soon as it hears of room.
private final class LastWords: ConnectionHandler {
    let connection: HandledConnection<LastWords>
    let piece: [UInt8]

    init(_ connection: HandledConnection<LastWords>, piece: [UInt8]) {
        self.connection = connection
        self.piece = piece
        connection.setHandler(self)
    }

    func received(_ slice: consuming ByteSlice) {}
    func receivedEnd() {}
    func writeRoomAvailable() {
        piece.withUnsafeBytes { connection.write(copying: $0) }
        connection.closeAfterFlush()
    }
    func connectionFailed(_ code: Int32, unsentIntact: Bool) {}
    func connectionDeadlinePassed() {}
    func connected() {}
}

@Suite struct ConnectionTests {
    @Test func whatIsQueuedWhenRoomIsToldGoesOutBeforeTheClose() {
        var pair: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0)
        defer { close(pair[0]) }
        var size: Int32 = 2_000_000
        setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let loop = Loop()
        let connection = HandledConnection<LastWords>(loop: loop, accepted: pair[1], peer: SocketAddress())
        let handler = LastWords(connection, piece: [UInt8](repeating: 2, count: 50_000))
        [UInt8](repeating: 1, count: 300_000).withUnsafeBytes { connection.write(copying: $0) }
        #expect(connection.isCongested)
        connection.noteCongestion()
        var received = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        for _ in 0..<10_000 {
            loop.tick(wait: false)
            let length = read(pair[0], &buffer, buffer.count)
            if length > 0 { received += length }
            if length == 0 { break }
        }
        #expect(received == 350_000)
        handler.connection.closeNow()
        loop.tick(wait: false)
    }
}
