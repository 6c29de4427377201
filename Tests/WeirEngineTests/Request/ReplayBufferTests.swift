import Testing

@testable import WeirEngine

@Suite struct ReplayBufferTests {
    private static func host() -> ServerHost { ServerHost(loop: Loop()) }

    private static func text(_ buffer: borrowing ReplayBuffer) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in 0..<buffer.pieces {
            let piece = buffer.piece(index)
            bytes += [UInt8](piece.buffer)
        }
        return bytes
    }

    @Test(arguments: [1, 2, 3, 100])
    func whatIsKeptCanBeSentMoreThanOnce(pieces: Int) {
        let host = Self.host()
        var buffer = ReplayBuffer()
        var whole: [UInt8] = []
        for index in 0..<pieces {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 1 + index * 37)
            whole += bytes
            buffer.keep(ByteSlice(bytes, host.loop.pool), host)
        }
        for _ in 0..<2 { #expect(Self.text(buffer) == whole) }
        #expect(buffer.count == whole.count && host.replayBytes == whole.count)
        buffer.drop(host)
        #expect(buffer.pieces == 0 && host.replayBytes == 0 && host.loop.pool.inUse == 0)
        buffer.keep(ByteSlice([7], host.loop.pool), host)
        #expect(Self.text(buffer) == [7])
        buffer.drop(host)
    }

    @Test func whatIsKeptCanBeDecodedInPlace() {
        let host = Self.host()
        var buffer = ReplayBuffer()
        for text in ["ab", "-", "cd"] { buffer.keep(ByteSlice(Array(text.utf8), host.loop.pool), host) }
        let isChanged = buffer.replacePieces(host) { piece in
            let bytes = [UInt8](piece.buffer)
            return ByteSlice(bytes.first == UInt8(ascii: "-") ? [] : bytes.reversed(), host.loop.pool)
        }
        #expect(isChanged && Self.text(buffer) == Array("badc".utf8))
        #expect(buffer.count == 4 && host.replayBytes == 4)
        // What cannot be decoded is kept as it was.
        let goesOn = buffer.replacePieces(host) { $0.buffer.first == UInt8(ascii: "b") ? $0.share() : nil }
        #expect(!goesOn && Self.text(buffer) == Array("badc".utf8) && host.replayBytes == 4)
        buffer.drop(host)
        #expect(host.replayBytes == 0 && host.loop.pool.inUse == 0)
    }

    @Test func aMebibyteIsKeptAndNoByteMore() {
        let host = Self.host()
        var buffer = ReplayBuffer()
        buffer.keep(ByteSlice([UInt8](repeating: 1, count: 1024 * 1024 - 1), host.loop.pool), host)
        let (fits, fitsMore) = (buffer.hasRoom(for: 1, host), buffer.hasRoom(for: 2, host))
        #expect(fits && !fitsMore)
        buffer.drop(host)
    }

    @Test func aWorkerKeeps64MebibytesForAllItsRequests() {
        let host = Self.host()
        host.replayBytes = 64 * 1024 * 1024 - 10
        let buffer = ReplayBuffer()
        let (fits, fitsMore) = (buffer.hasRoom(for: 10, host), buffer.hasRoom(for: 11, host))
        #expect(fits && !fitsMore)
    }
}
