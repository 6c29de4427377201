import Glibc

/// The header in front of a chunk's bytes; one allocation holds both.
struct ChunkHeader {
    /// Plain count: a chunk never leaves its worker's thread.
    var references: Int32
    /// Payload bytes behind this header.
    var capacity: Int32
    var next: UnsafeMutablePointer<ChunkHeader>?
    let pool: BufferPool
}

/// A pooled run of bytes with a reference count; freed to its pool when the count reaches zero.
///
/// A bare handle: whoever holds one outside a `ByteSlice` balances `retain` and `release` by hand.
struct Chunk {
    let header: UnsafeMutablePointer<ChunkHeader>

    /// The payload: `capacity` bytes behind the header.
    @inline(__always)  // one add; a call would cost more than the work
    var bytes: UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(header + 1).assumingMemoryBound(to: UInt8.self)
    }
    var capacity: Int { Int(header.pointee.capacity) }
    var isUnique: Bool { header.pointee.references == 1 }

    func retain() { header.pointee.references += 1 }

    func release() {
        header.pointee.references -= 1
        precondition(header.pointee.references >= 0, "chunk released more often than retained")
        if header.pointee.references == 0 {
            header.pointee.pool.recycle(self)
        }
    }
}

/// A worker's free list of equal chunks.
///
/// Not shared between threads. A bare handle, so that passing it on costs no counting; its loop ends it with `free`.
struct BufferPool {
    private struct State {
        var free: UnsafeMutablePointer<ChunkHeader>?
        var freeCount = 0
        var inUse = 0
    }

    /// Payload of a pooled chunk: a 16 KiB body and its head fit into one read.
    static let chunkBytes = 32 * 1024 - MemoryLayout<ChunkHeader>.size
    /// Free chunks kept for reuse; what is returned beyond goes back to the allocator.
    static let keptChunks = 256

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    /// Chunks waiting to be handed out again.
    var freeCount: Int { state.pointee.freeCount }
    /// Chunks handed out and not yet returned.
    var inUse: Int { state.pointee.inUse }

    /// A chunk with one reference, owned by the caller.
    func take() -> Chunk {
        state.pointee.inUse += 1
        if let head = state.pointee.free {
            state.pointee.free = head.pointee.next
            state.pointee.freeCount -= 1
            head.pointee.references = 1
            return Chunk(header: head)
        }
        return allocate(Self.chunkBytes)
    }

    /// A chunk of at least `minimum` bytes; larger than a pooled one only when it must be.
    func take(minimum: Int) -> Chunk {
        guard minimum > Self.chunkBytes else { return take() }
        state.pointee.inUse += 1
        return allocate(minimum)
    }

    private func allocate(_ capacity: Int) -> Chunk {
        let size = MemoryLayout<ChunkHeader>.stride + capacity
        guard let raw = malloc(size) else { fatalError("out of memory: \(size) bytes for a buffer") }
        let header = raw.bindMemory(to: ChunkHeader.self, capacity: 1)
        header.initialize(to: ChunkHeader(references: 1, capacity: Int32(clamping: capacity), next: nil, pool: self))
        return Chunk(header: header)
    }

    fileprivate func recycle(_ chunk: Chunk) {
        state.pointee.inUse -= 1
        if chunk.capacity == Self.chunkBytes, state.pointee.freeCount < Self.keptChunks {
            chunk.header.pointee.next = state.pointee.free
            state.pointee.free = chunk.header
            state.pointee.freeCount += 1
        } else {
            Glibc.free(chunk.header)
        }
    }

    /// Ends the pool's life; every chunk must have come back.
    func free() {
        precondition(inUse == 0, "a buffer pool died before its chunks")
        while let head = state.pointee.free {
            state.pointee.free = head.pointee.next
            Glibc.free(head)
        }
        state.deallocate()
    }
}
