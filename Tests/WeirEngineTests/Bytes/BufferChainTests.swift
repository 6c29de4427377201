import Glibc
import Testing

@testable import WeirEngine

@Suite struct BufferChainTests {
    /// Everything queued, as one array, without taking it.
    private static func text(_ chain: borrowing BufferChain) -> [UInt8] {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            let filled = chain.fill(vectors.baseAddress!, limit: 64)
            return (0..<filled).flatMap {
                [UInt8](UnsafeRawBufferPointer(start: vectors[$0].iov_base, count: vectors[$0].iov_len))
            }
        }
    }

    @Test func keepsOrderAcrossSlicesCopiesAndPartialConsumption() {
        let pool = BufferPool()
        defer { pool.free() }
        do {
            var chain = BufferChain()
            var model: [UInt8] = []
            var random = FastRandom(seed: 7)
            var copied = 0
            var moved = 0
            var popped = 0
            for round in 0..<2000 {
                let length = Int(random.below(400))
                let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 + round) }
                switch random.below(4) {
                case 0:
                    bytes.withUnsafeBytes { chain.append(copying: $0, pool: pool) }
                    model += bytes
                    copied += 1
                case 1:
                    chain.append(ByteSlice(bytes, pool), pool: pool)
                    model += bytes
                    moved += 1
                case 2:
                    let taken = Int(random.below(UInt32(min(chain.count, 300) + 1)))
                    chain.consume(taken)
                    model.removeFirst(taken)
                default:
                    if let first = chain.popFirst() {
                        #expect([UInt8](first.buffer) == Array(model.prefix(first.count)))
                        model.removeFirst(first.count)
                        popped += 1
                    }
                }
                #expect(chain.count == model.count)
                if model.count > 8000 {
                    chain.consume(model.count - 10)
                    model.removeFirst(model.count - 10)
                }
                if chain.segmentCount <= 64 { #expect(Self.text(chain) == model) }
            }
            #expect(copied > 300 && moved > 300 && popped > 300)
        }
        #expect(pool.inUse == 0)
    }

    @Test func crumbsShareOneChunk() {
        let pool = BufferPool()
        defer { pool.free() }
        do {
            var chain = BufferChain()
            for _ in 0..<10_000 { chain.append(ByteSlice([1], pool), pool: pool) }
            #expect(chain.count == 10_000)
            #expect(chain.segmentCount <= 2)
        }
        #expect(pool.inUse == 0)
    }

    @Test func neverWritesIntoAChunkItShares() {
        let pool = BufferPool()
        defer { pool.free() }
        do {
            let shared = ByteSlice(Array("abcdef".utf8), pool)
            var chain = BufferChain()
            let big = ByteSlice(Array(repeating: 9, count: 500), pool)
            chain.append(big.share(), pool: pool)
            [UInt8](repeating: 7, count: 10).withUnsafeBytes { chain.append(copying: $0, pool: pool) }
            #expect([UInt8](big.buffer) == Array(repeating: 9, count: 500))
            #expect(chain.count == 510)
            #expect([UInt8](shared.buffer) == Array("abcdef".utf8))
        }
        #expect(pool.inUse == 0)
    }

    @Test func removingAllGivesEveryChunkBack() {
        let pool = BufferPool()
        defer { pool.free() }
        var chain = BufferChain()
        for _ in 0..<20 { chain.append(ByteSlice(Array(repeating: 1, count: 5000), pool), pool: pool) }
        #expect(pool.inUse == 20)
        chain.removeAll()
        #expect(pool.inUse == 0)
        let isEmpty = chain.isEmpty
        #expect(isEmpty)
    }
}
