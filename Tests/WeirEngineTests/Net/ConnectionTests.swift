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
        let connection = HandledConnection<LastWords>(loop: loop, accepted: pair[1])
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

/// What a connection that is ending waits for, in time that the test moves.
@Suite struct ConnectionEndTests {
    /// A connection over a socket pair, told to close behind `last` bytes; `[0]` is the peer's end.
    private static func ending(_ loop: Loop, last: Int) -> (connection: Connection, peer: Int32) {
        var pair: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0)
        let connection = Connection(loop: loop, accepted: pair[1])
        if last > 0 { [UInt8](repeating: 1, count: last).withUnsafeBytes { connection.write(copying: $0) } }
        connection.closeAfterFlush()
        loop.tick(wait: false)
        return (connection, pair[0])
    }

    @Test func thePeersEndIsAwaitedForASecond() {
        let loop = Loop()
        loop.holdTime()
        let (connection, peer) = Self.ending(loop, last: 100)
        defer { close(peer) }
        loop.advance(milliseconds: 999)
        #expect(!connection.isClosed && loop.closingCount == 1)
        loop.advance(milliseconds: 1)
        #expect(connection.isClosed && loop.closingCount == 0)
    }

    @Test func thePeersEndEndsTheWaiting() {
        let loop = Loop()
        loop.holdTime()
        let (connection, peer) = Self.ending(loop, last: 0)
        close(peer)
        loop.tick(wait: false)
        #expect(connection.isClosed)
    }

    @Test func aPeerThatTakesNothingOfTheLastBytesIsCutOffAfter60Seconds() {
        let loop = Loop()
        loop.holdTime()
        let (connection, peer) = Self.ending(loop, last: 4_000_000)
        defer { close(peer) }
        #expect(connection.queuedBytes > 0, "the kernel took all of it")
        loop.advance(milliseconds: 59_999)
        #expect(!connection.isClosed)
        // Progress begins the time anew.
        var buffer = [UInt8](repeating: 0, count: 300_000)
        let before = connection.queuedBytes
        while connection.queuedBytes == before {
            _ = read(peer, &buffer, buffer.count)
            loop.tick(wait: false)
        }
        loop.advance(milliseconds: 59_999)
        #expect(!connection.isClosed)
        loop.advance(milliseconds: 1)
        #expect(connection.isClosed && loop.closingCount == 0)
    }

    @Test func aPeerThatGoesOnSendingIsCutOffAfterAMebibyte() {
        let loop = Loop()
        loop.holdTime()
        let (connection, peer) = Self.ending(loop, last: 0)
        defer { close(peer) }
        let piece = [UInt8](repeating: 2, count: 16 * 1024)
        var sent = 0
        while !connection.isClosed, sent < 4 * Connection.lingerBytes {
            let length = send(peer, piece, piece.count, Int32(MSG_NOSIGNAL))
            if length > 0 { sent += length }
            loop.tick(wait: false)
        }
        #expect(connection.isClosed)
        #expect(sent > 1024 * 1024 && sent < 2 * 1024 * 1024, "\(sent) bytes")
    }

    @Test func theFeederWaitsAbove256KiBAndGoesOnAt64() {
        let loop = Loop()
        var pair: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0)
        defer { close(pair[0]) }
        let connection = HandledConnection<Counter>(loop: loop, accepted: pair[1])
        let handler = Counter(connection)
        // Until the kernel takes nothing more.
        let piece = [UInt8](repeating: 1, count: 1024)
        while connection.queuedBytes == 0 {
            piece.withUnsafeBytes { connection.write(copying: $0) }
            loop.tick(wait: false)
        }
        while connection.queuedBytes < 256 * 1024 - 1024 {
            #expect(!connection.isCongested)
            piece.withUnsafeBytes { connection.write(copying: $0) }
        }
        let last = [UInt8](repeating: 1, count: 256 * 1024 - connection.queuedBytes)
        last.dropLast().withUnsafeBytes { connection.write(copying: $0) }
        #expect(!connection.isCongested)
        last.suffix(1).withUnsafeBytes { connection.write(copying: $0) }
        #expect(connection.isCongested)
        connection.noteCongestion()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while handler.rooms == 0 {
            #expect(connection.queuedBytes > 64 * 1024)
            _ = read(pair[0], &buffer, buffer.count)
            loop.tick(wait: false)
        }
        #expect(connection.queuedBytes <= 64 * 1024 && handler.rooms == 1)
        connection.closeNow()
        loop.tick(wait: false)
    }

    @Test func aFastPeerGetsFourReadsAWakeUp() {
        let loop = Loop()
        var pair: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0)
        defer { close(pair[0]) }
        var size: Int32 = 4_000_000
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let connection = HandledConnection<Counter>(loop: loop, accepted: pair[1])
        let handler = Counter(connection)
        let piece = [UInt8](repeating: 2, count: 16 * 1024)
        while send(pair[0], piece, piece.count, Int32(MSG_NOSIGNAL)) > 0 {}
        connection.startReading()
        loop.tick(wait: false)
        #expect(handler.reads == 4)
        connection.closeNow()
        loop.tick(wait: false)
    }
}

/// Counts what it gets.
private final class Counter: ConnectionHandler {
    var reads = 0
    var rooms = 0

    init(_ connection: HandledConnection<Counter>) { connection.setHandler(self) }

    func received(_ slice: consuming ByteSlice) { reads += 1 }
    func receivedEnd() {}
    func writeRoomAvailable() { rooms += 1 }
    func connectionFailed(_ code: Int32, unsentIntact: Bool) {}
    func connectionDeadlinePassed() {}
    func connected() {}
}
