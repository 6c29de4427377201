import Glibc

@testable import WeirEngine

extension ByteSlice {
    /// A slice of a chunk of its own with these bytes.
    init(_ bytes: [UInt8], _ pool: BufferPool) {
        let chunk = pool.take(minimum: bytes.count)
        // Debug builds take their time over a loop.
        bytes.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(start: chunk.bytes, count: bytes.count).copyMemory(from: bytes)
        }
        self.init(adopting: chunk, start: 0, count: bytes.count)
    }
}
