import Testing

@testable import WeirEngine

@Suite struct BufferPoolTests {
    @Test func asManyFreeChunksAreKeptAsTheLimitSays() {
        let pool = BufferPool()
        defer { pool.free() }
        let chunks = (0..<300).map { _ in pool.take() }
        #expect(pool.inUse == 300 && pool.freeCount == 0)
        for chunk in chunks { chunk.release() }
        #expect(pool.inUse == 0 && pool.freeCount == 256)
        // A large one is never kept.
        let large = pool.take(minimum: BufferPool.chunkBytes + 1)
        #expect(pool.freeCount == 256)
        large.release()
        #expect(pool.inUse == 0 && pool.freeCount == 256)
    }

    @Test func aChunkAndItsHeaderAre32KiB() {
        #expect(BufferPool.chunkBytes + MemoryLayout<ChunkHeader>.size == 32 * 1024)
    }
}
