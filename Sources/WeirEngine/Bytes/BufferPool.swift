import Glibc

/// The header in front of a chunk's bytes; one allocation holds both.
struct ChunkHeader {
    /// Plain count: a chunk never leaves its worker's thread.
    var references: Int32
    /// Payload bytes behind this header.
    var capacity: Int32
    var next: UnsafeMutablePointer<ChunkHeader>?
    let pool: Unmanaged<BufferPool>
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
            header.pointee.pool._withUnsafeGuaranteedRef { $0.recycle(self) }
        }
    }
}

/// A worker's free list of equal chunks.
///
/// Not shared between threads.
final class BufferPool {
    /// Payload of a pooled chunk: a 16 KiB body and its head fit into one read.
    static let chunkBytes = 32 * 1024 - MemoryLayout<ChunkHeader>.size
    /// Free chunks kept for reuse; what is returned beyond goes back to the allocator.
    static let keptChunks = 256

    private var free: UnsafeMutablePointer<ChunkHeader>?
    private var freeCount = 0
    /// Chunks handed out and not yet returned.
    private(set) var inUse = 0

    /// A chunk with one reference, owned by the caller.
    func take() -> Chunk {
        inUse += 1
        if let head = free {
            free = head.pointee.next
            freeCount -= 1
            head.pointee.references = 1
            return Chunk(header: head)
        }
        return allocate(Self.chunkBytes)
    }

    /// A chunk of at least `minimum` bytes; larger than a pooled one only when it must be.
    func take(minimum: Int) -> Chunk {
        guard minimum > Self.chunkBytes else { return take() }
        inUse += 1
        return allocate(minimum)
    }

    private func allocate(_ capacity: Int) -> Chunk {
        let size = MemoryLayout<ChunkHeader>.stride + capacity
        guard let raw = malloc(size) else { fatalError("out of memory: \(size) bytes for a buffer") }
        let header = raw.bindMemory(to: ChunkHeader.self, capacity: 1)
        header.initialize(
            to: ChunkHeader(
                references: 1, capacity: Int32(clamping: capacity), next: nil, pool: Unmanaged.passUnretained(self)))
        return Chunk(header: header)
    }

    fileprivate func recycle(_ chunk: Chunk) {
        inUse -= 1
        if chunk.capacity == Self.chunkBytes, freeCount < Self.keptChunks {
            chunk.header.pointee.next = free
            free = chunk.header
            freeCount += 1
        } else {
            Glibc.free(chunk.header)
        }
    }

    deinit {
        precondition(inUse == 0, "a buffer pool died before its chunks")
        while let head = free {
            free = head.pointee.next
            Glibc.free(head)
        }
    }
}
