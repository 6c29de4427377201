import Glibc

@testable import WeirEngine

extension ByteSlice {
    /// A slice of a chunk of its own with these bytes.
    init(_ bytes: [UInt8], _ pool: BufferPool) {
        let chunk = pool.take(minimum: bytes.count)
        for (index, byte) in bytes.enumerated() { chunk.bytes[index] = byte }
        self.init(adopting: chunk, start: 0, count: bytes.count)
    }
}
