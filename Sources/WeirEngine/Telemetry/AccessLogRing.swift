import CWeir
import Glibc
import Synchronization

/// Finished lines of one worker on their way to the writer: one thread puts bytes in, one takes them out, neither waits.
///
/// The memory is mapped twice back to back, so what has been put in is always one run of bytes, wherever it wraps.
package final class AccessLogRing: @unchecked Sendable {
    // Sendable: bytes below `published` belong to the consumer until it has moved `consumed` past them, the rest to the
    // producer; both positions are atomic.

    /// Bytes of a ring; a multiple of the page size.
    package static let capacity = 1024 * 1024
    /// A producer whose ring is this full wakes the writer.
    static let wakeBytes = capacity / 2

    fileprivate let memory: UnsafeMutablePointer<UInt8>
    /// Bytes ever put in.
    fileprivate let published = Atomic<UInt64>(0)
    /// Keeps the two positions, each written by another thread, on lines of their own.
    private let gap = InlineArray<16, UInt64>(repeating: 0)
    /// Bytes ever taken out.
    fileprivate let consumed = Atomic<UInt64>(0)
    private let gapBehind = InlineArray<16, UInt64>(repeating: 0)

    init() throws(SocketError) {
        guard let start = weir_map_twice("weir-access-log", Self.capacity) else {
            throw SocketError(operation: "memory for the access log", code: errno)
        }
        memory = start.assumingMemoryBound(to: UInt8.self)
    }

    deinit { weir_unmap_twice(memory, Self.capacity) }

    // MARK: For the writer's thread

    /// Everything that waits; valid until `consume`.
    package var waiting: UnsafeRawBufferPointer {
        let from = consumed.load(ordering: .relaxed)
        let count = Int(published.load(ordering: .acquiring) - from)
        return UnsafeRawBufferPointer(start: memory + Int(from % UInt64(Self.capacity)), count: count)
    }

    /// Gives the first `count` waiting bytes back to the producer.
    package func consume(_ count: Int) {
        let from = consumed.load(ordering: .relaxed)
        precondition(count >= 0 && UInt64(count) <= published.load(ordering: .relaxed) - from, "more taken than waits")
        consumed.store(from + UInt64(count), ordering: .releasing)
    }
}

/// The worker's end of a ring.
///
/// One thread only.
struct AccessLogProducer: ~Copyable {
    private let ring: AccessLogRing
    private let memory: UnsafeMutablePointer<UInt8>
    /// Written to when the ring is half full; borrowed.
    private let wakeDescriptor: Int32
    /// As `published`.
    private var head: UInt64 = 0
    /// As `consumed` was when it was last looked at.
    private var tail: UInt64 = 0
    /// Where to look next whether the writer must be woken.
    private var checkAt = UInt64(AccessLogRing.wakeBytes)

    init(_ ring: AccessLogRing, wakeDescriptor: Int32) {
        self.ring = ring
        memory = ring.memory
        self.wakeDescriptor = wakeDescriptor
    }

    /// Room for `count` bytes in one run, or `nil` when the ring is too full.
    mutating func room(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
        if head - tail > UInt64(AccessLogRing.capacity - count) {
            tail = ring.consumed.load(ordering: .acquiring)
            guard head - tail <= UInt64(AccessLogRing.capacity - count) else { return nil }
        }
        return memory + Int(head % UInt64(AccessLogRing.capacity))
    }

    /// Hands the first `count` bytes of the room to the writer.
    mutating func commit(_ count: Int) {
        head += UInt64(count)
        ring.published.store(head, ordering: .releasing)
        if head >= checkAt { considerWaking() }
    }

    private mutating func considerWaking() {
        tail = ring.consumed.load(ordering: .acquiring)
        guard head - tail >= UInt64(AccessLogRing.wakeBytes) else {
            checkAt = tail + UInt64(AccessLogRing.wakeBytes)
            return
        }
        // Once for each half ring: the writer needs no second call for what it has been called for.
        checkAt = head + UInt64(AccessLogRing.wakeBytes)
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }
}
