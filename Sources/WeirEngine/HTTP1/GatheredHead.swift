import Glibc

/// A message head that came in pieces, gathered to lie in one run; empty for the usual head, which comes whole.
///
/// Its chunk grows with the head, up to what the parser's limit lets it.
struct GatheredHead: ~Copyable {
    private var chunk: Chunk?
    private(set) var count = 0

    deinit { chunk?.release() }

    var isEmpty: Bool { count == 0 }

    /// What has been gathered; valid until the next piece.
    var bytes: UnsafeMutablePointer<UInt8>? { chunk?.bytes }

    /// Nothing of a start line has come.
    var holdsEmptyLinesAlone: Bool {
        guard let bytes else { return true }
        return (0..<count).allSatisfy { bytes[$0] == ASCII.carriageReturn || bytes[$0] == ASCII.lineFeed }
    }

    /// Copies a piece behind the pieces before it.
    mutating func append(_ slice: borrowing ByteSlice, pool: BufferPool) {
        let room = chunk?.capacity ?? 0
        if count + slice.count > room {
            let wider = pool.take(minimum: max(count + slice.count, 2 * room))
            if let chunk {
                memcpy(wider.bytes, chunk.bytes, count)
                chunk.release()
            }
            chunk = wider
        }
        guard let chunk else { return }
        memcpy(chunk.bytes + count, slice.bytes, slice.count)
        count += slice.count
    }

    /// Hands the first `length` bytes over and is empty again.
    mutating func take(_ length: Int) -> ByteSlice? {
        guard let whole = chunk else { return nil }
        chunk = nil
        count = 0
        return ByteSlice(adopting: whole, start: 0, count: length)
    }
}
