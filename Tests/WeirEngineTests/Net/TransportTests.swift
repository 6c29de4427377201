import Glibc
import Testing

@testable import WeirEngine

/// A layer that moves a few bytes at a time, keeps some decrypted bytes to itself, and often wants the other direction first.
private final class FitfulLayer: TransportLayer {
    private var random: FastRandom
    /// Bytes taken from the socket and not yet handed out, as a TLS record's rest would be.
    private var inside: [UInt8] = []
    var shortReads = 0
    var pendingReads = 0
    var wantedWrites = 0
    var wantedReads = 0
    var shortWrites = 0

    init(seed: UInt64) { random = FastRandom(seed: seed) }

    override var hasPendingInput: Bool { !inside.isEmpty }

    override func read(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        if inside.isEmpty {
            if random.below(8) == 0 {
                // As a renegotiating layer: it must write before it can read.
                wantedWrites += 1
                return .wantWrite
            }
            var buffer = [UInt8](repeating: 0, count: 700)
            switch buffer.withUnsafeMutableBufferPointer({ Socket.receive(fd, into: $0.baseAddress!, count: $0.count) })
            {
            case .done(let length): inside = Array(buffer[..<length])
            case let other: return other
            }
        } else {
            pendingReads += 1
        }
        let length = min(count, inside.count, 1 + Int(random.below(97)))
        if length < inside.count { shortReads += 1 }
        for index in 0..<length { bytes[index] = inside[index] }
        inside.removeFirst(length)
        return .done(length)
    }

    override func write(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        if random.below(6) == 0 {
            // The peer must have something to say, or both would wait for each other.
            var byte: UInt8 = 0
            if !inside.isEmpty || recv(fd, &byte, 1, Int32(MSG_PEEK)) == 1 {
                wantedReads += 1
                return .wantRead
            }
            return .wantWrite
        }
        var first = vectors[0]
        let whole = first.iov_len
        first.iov_len = min(whole, 1 + Int(random.below(500)))
        if first.iov_len < whole || count > 1 { shortWrites += 1 }
        return Socket.send(fd, &first, count: 1)
    }
}

/// Sends back whatever comes.
private final class Echo: ConnectionHandler {
    let connection: HandledConnection<Echo>
    var hasEnded = false

    init(_ connection: HandledConnection<Echo>) {
        self.connection = connection
        connection.setHandler(self)
        connection.startReading()
    }

    func received(_ slice: consuming ByteSlice) { connection.write(slice) }
    func receivedEnd() {
        hasEnded = true
        connection.closeAfterFlush()
    }
    func writeRoomAvailable() {}
    func connectionFailed(_ code: Int32, unsentIntact: Bool) { hasEnded = true }
    func connectionDeadlinePassed() {}
    func connected() {}
}

@Suite struct TransportTests {
    private static func socketPair() -> (Int32, Int32) {
        var pair: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0)
        return (pair[0], pair[1])
    }

    /// Drives an echo over `transport` and returns what came back for `sent`.
    private static func echo(_ sent: [UInt8], over transport: Transport) -> [UInt8] {
        let (near, far) = socketPair()
        defer { close(near) }
        let loop = Loop()
        let handler = Echo(HandledConnection(loop: loop, accepted: far, transport: transport))
        var returned: [UInt8] = []
        var offset = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        // Bounded: each round moves a byte at the least, and the layer refuses rarely.
        for _ in 0..<2_000_000 where returned.count < sent.count {
            if offset < sent.count {
                let length = sent[offset...].withUnsafeBytes { write(near, $0.baseAddress, min($0.count, 3000)) }
                if length > 0 { offset += length }
            }
            loop.tick(wait: false)
            let length = read(near, &buffer, buffer.count)
            if length > 0 { returned += buffer[..<length] }
        }
        shutdown(near, Int32(SHUT_WR))
        for _ in 0..<10_000 where !handler.hasEnded {
            loop.tick(wait: false)
        }
        #expect(handler.hasEnded)
        handler.connection.closeNow()
        loop.tick(wait: false)
        return returned
    }

    private static let message: [UInt8] = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    @Test func aPlainTransportMovesEveryByteInOrder() {
        let isWhole = Self.echo(Self.message, over: .plain) == Self.message
        #expect(isWhole)
    }

    @Test func aLayerThatReadsShortAndWantsTheOtherDirectionLosesNothing() {
        let layer = FitfulLayer(seed: 3)
        let isWhole = Self.echo(Self.message, over: .layered(layer)) == Self.message
        #expect(isWhole)
        // The layer has really been difficult.
        #expect(layer.shortReads > 100 && layer.pendingReads > 100)
        #expect(layer.shortWrites > 100 && layer.wantedReads > 20 && layer.wantedWrites > 20)
    }
}
