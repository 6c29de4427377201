/// Bytes inside a chunk, kept alive by this slice.
///
/// Moving a slice moves its reference; nothing is copied.
struct ByteSlice: ~Copyable {
    let chunk: Chunk
    private(set) var start: Int
    private(set) var count: Int

    /// Takes over a reference the caller already holds.
    init(adopting chunk: Chunk, start: Int, count: Int) {
        precondition(start >= 0 && count >= 0 && start <= chunk.capacity - count, "slice outside its chunk")
        self.chunk = chunk
        self.start = start
        self.count = count
    }

    /// Adds a reference of its own.
    init(retaining chunk: Chunk, start: Int, count: Int) {
        chunk.retain()
        self.init(adopting: chunk, start: start, count: count)
    }

    deinit { chunk.release() }

    /// Borrowed: valid as long as the slice (or another reference to its chunk) lives.
    var bytes: UnsafeMutablePointer<UInt8> { chunk.bytes + start }
    var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }

    /// Another slice of the same bytes.
    func share() -> ByteSlice { ByteSlice(retaining: chunk, start: start, count: count) }

    /// Drops `length` bytes from the front.
    mutating func removeFirst(_ length: Int) {
        precondition(length >= 0 && length <= count, "more removed than there is")
        start += length
        count -= length
    }

    /// Gives up the reference without releasing it: the caller now owns it.
    consuming func intoSegment() -> BufferChain.Segment {
        let segment = BufferChain.Segment(chunk: chunk, start: Int32(start), count: Int32(count))
        discard self
        return segment
    }
}
