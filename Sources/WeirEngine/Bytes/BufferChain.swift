import Glibc

/// A queue of byte slices: what waits to be written, in order.
///
/// Appending and consuming move references, never bytes, except that crumbs are copied into a chunk of the chain's own: a
/// slice keeps a whole chunk alive, so many small ones would hold far more memory than the bytes that are counted.
struct BufferChain: ~Copyable {
    struct Segment {
        let chunk: Chunk
        var start: Int32
        var count: Int32
    }

    /// Slices up to this many bytes are copied when something is queued already.
    static let crumbBytes = 2048
    private static let firstCapacity: Int32 = 4

    private var segments: UnsafeMutablePointer<Segment>?
    private var capacity: Int32 = 0
    private var head: Int32 = 0
    private(set) var segmentCount: Int32 = 0
    /// Bytes queued.
    private(set) var count = 0
    /// A chunk only this chain writes to, with a reference of its own; kept while anything is queued.
    private var own: Chunk?
    /// Bytes of `own` written so far.
    private var ownUsed = 0

    init() {}

    deinit {
        for index in 0..<segmentCount { slot(index).pointee.chunk.release() }
        own?.release()
        free(segments)
    }

    var isEmpty: Bool { count == 0 }

    private func slot(_ index: Int32) -> UnsafeMutablePointer<Segment> {
        guard let segments else { preconditionFailure("an empty chain has no segments") }
        // Capacity is a power of two.
        return segments + Int((head &+ index) & (capacity - 1))
    }

    /// Queues a slice behind what is there.
    ///
    /// An empty slice is dropped.
    mutating func append(_ slice: consuming ByteSlice, pool: BufferPool) {
        let length = slice.count
        guard length > 0 else { return }
        if length <= Self.crumbBytes, segmentCount > 0 {
            append(copying: UnsafeRawBufferPointer(start: slice.bytes, count: length), pool: pool)
            return
        }
        push(slice.intoSegment())
    }

    /// Puts a slice back in front of what is queued.
    ///
    /// O(number of slices): for the rare case that a reader stops inside one.
    mutating func prepend(_ slice: consuming ByteSlice, pool: BufferPool) {
        var behind = BufferChain()
        swap(&behind, &self)
        append(slice, pool: pool)
        while let next = behind.popFirst() { append(next, pool: pool) }
    }

    /// Copies bytes behind what is there, into the tail's spare room where it can.
    mutating func append(copying bytes: UnsafeRawBufferPointer, pool: BufferPool) {
        var rest = bytes
        while let source = rest.baseAddress, rest.count > 0 {
            let (room, space) = spareRoom(pool: pool)
            let length = min(space, rest.count)
            memcpy(room, source, length)
            commitSpare(length)
            rest = UnsafeRawBufferPointer(rebasing: rest[length...])
        }
    }

    /// Room to write at the chain's end; `commitSpare` makes what was written part of the chain.
    mutating func spareRoom(pool: BufferPool, minimum: Int = 1) -> (UnsafeMutablePointer<UInt8>, Int) {
        let chunk = ownChunk(pool: pool, minimum: minimum)
        if segmentCount == 0 || !endsInOwn(slot(segmentCount - 1).pointee, chunk) {
            chunk.retain()
            push(Segment(chunk: chunk, start: Int32(ownUsed), count: 0))
        }
        return (chunk.bytes + ownUsed, chunk.capacity - ownUsed)
    }

    /// The chain's own chunk with at least `minimum` bytes of room.
    private mutating func ownChunk(pool: BufferPool, minimum: Int) -> Chunk {
        if let own {
            if own.capacity - ownUsed >= minimum { return own }
            own.release()
        }
        let chunk = pool.take(minimum: minimum)
        own = chunk
        ownUsed = 0
        return chunk
    }

    /// Whether bytes written next to `own` go on from this segment.
    private func endsInOwn(_ segment: Segment, _ chunk: Chunk) -> Bool {
        segment.chunk.header == chunk.header && Int(segment.start + segment.count) == ownUsed
    }

    /// Counts bytes written into `spareRoom` as queued.
    mutating func commitSpare(_ length: Int) {
        let tail = slot(segmentCount - 1)
        precondition(
            length >= 0 && length <= tail.pointee.chunk.capacity - ownUsed, "more committed than there was room")
        tail.pointee.count += Int32(length)
        ownUsed += length
        count += length
    }

    private mutating func dropOwn() {
        own?.release()
        own = nil
    }

    private mutating func push(_ segment: Segment) {
        if segmentCount == capacity { grow() }
        segmentCount += 1
        slot(segmentCount - 1).initialize(to: segment)
        count += Int(segment.count)
    }

    private mutating func grow() {
        let wider = capacity == 0 ? Self.firstCapacity : capacity * 2
        let room = UnsafeMutablePointer<Segment>.allocate(capacity: Int(wider))
        for index in 0..<segmentCount { (room + Int(index)).initialize(to: slot(index).pointee) }
        free(segments)
        segments = room
        capacity = wider
        head = 0
    }

    /// Takes `length` bytes off the front.
    mutating func consume(_ length: Int) {
        precondition(length >= 0 && length <= count, "more consumed than queued")
        count -= length
        var rest = length
        while segmentCount > 0 {
            let first = slot(0)
            let here = Int(first.pointee.count)
            if rest < here {
                first.pointee.start += Int32(rest)
                first.pointee.count -= Int32(rest)
                return
            }
            rest -= here
            first.pointee.chunk.release()
            head = (head &+ 1) & (capacity - 1)
            segmentCount -= 1
            if rest == 0 && count > 0 { return }
        }
        dropOwn()
    }

    /// Moves the first slice out, or `nil` when nothing is queued.
    mutating func popFirst() -> ByteSlice? {
        while segmentCount > 0 {
            let first = slot(0).pointee
            head = (head &+ 1) & (capacity - 1)
            segmentCount -= 1
            if segmentCount == 0 { dropOwn() }
            count -= Int(first.count)
            let slice = ByteSlice(adopting: first.chunk, start: Int(first.start), count: Int(first.count))
            if slice.count > 0 { return slice }
        }
        return nil
    }

    /// Moves out the first slice, or as much of its front as `most` bytes.
    mutating func popFirst(atMost most: Int) -> ByteSlice? {
        guard segmentCount > 0 else { return nil }
        let first = slot(0)
        guard Int(first.pointee.count) > most else { return popFirst() }
        let slice = ByteSlice(retaining: first.pointee.chunk, start: Int(first.pointee.start), count: most)
        first.pointee.start += Int32(most)
        first.pointee.count -= Int32(most)
        count -= most
        return slice
    }

    /// Another slice of what a segment holds, which stays queued; `index` lies below `segmentCount`.
    func share(_ index: Int32) -> ByteSlice {
        let segment = slot(index).pointee
        return ByteSlice(retaining: segment.chunk, start: Int(segment.start), count: Int(segment.count))
    }

    /// Describes the front of the queue for one `writev`; returns how many entries were filled.
    func fill(_ vectors: UnsafeMutablePointer<iovec>, limit: Int) -> Int {
        var filled = 0
        var index: Int32 = 0
        while index < segmentCount, filled < limit {
            let segment = slot(index).pointee
            index += 1
            guard segment.count > 0 else { continue }
            vectors[filled] = iovec(
                iov_base: segment.chunk.bytes + Int(segment.start), iov_len: Int(segment.count))
            filled += 1
        }
        return filled
    }

    /// Drops everything queued.
    mutating func removeAll() {
        consume(count)
        while segmentCount > 0 {
            slot(0).pointee.chunk.release()
            head = (head &+ 1) & (capacity - 1)
            segmentCount -= 1
        }
        dropOwn()
    }
}
