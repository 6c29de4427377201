/// Handles of things kept for reuse, the last one put back on top; a fixed number of them.
///
/// Knows nothing of what the handles stand for: whoever owns the list takes them all out before it dies.
struct Freelist<Handle: BitwiseCopyable>: ~Copyable {
    private let slots: UnsafeMutablePointer<Handle>
    private let limit: Int
    private var count = 0

    /// Holds up to `limit` handles.
    init(limit: Int) {
        precondition(limit > 0, "a freelist for nothing")
        slots = .allocate(capacity: limit)
        self.limit = limit
    }

    deinit {
        precondition(count == 0, "a freelist died with things in it")
        slots.deallocate()
    }

    mutating func take() -> Handle? {
        guard count > 0 else { return nil }
        count -= 1
        return slots[count]
    }

    /// `false` when there is no room: the handle stays the caller's.
    mutating func put(_ handle: Handle) -> Bool {
        guard count < limit else { return false }
        (slots + count).initialize(to: handle)
        count += 1
        return true
    }
}
