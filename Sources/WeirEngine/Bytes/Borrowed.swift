/// A reference that is not counted: the object's owner keeps it alive for as long as this is used.
///
/// Loading a strong or `unowned(unsafe)` field costs an atomic increment and decrement; this costs neither. Whoever stores
/// one says in a comment who the owner is and when the field is cleared.
struct Borrowed<Object: AnyObject> {
    private let reference: Unmanaged<Object>

    init(_ object: Object) { reference = Unmanaged.passUnretained(object) }

    /// Runs `body` with the object, which must not be freed before it returns.
    @inline(__always)  // as a call, the closure would be built and the object retained for it
    func with<Result>(_ body: (Object) -> Result) -> Result { reference._withUnsafeGuaranteedRef(body) }

    /// A counted reference, for cold paths.
    var object: Object { reference.takeUnretainedValue() }
}

/// Objects kept for reuse, the last one put back on top; owns what it holds.
struct Freelist<Object: AnyObject>: ~Copyable {
    private let slots: UnsafeMutablePointer<Unmanaged<Object>>
    private let limit: Int
    private(set) var count = 0

    /// Holds up to `limit` objects.
    init(limit: Int) {
        precondition(limit > 0, "a freelist for nothing")
        slots = .allocate(capacity: limit)
        self.limit = limit
    }

    deinit {
        for index in 0..<count { slots[index].release() }
        slots.deallocate()
    }

    var isFull: Bool { count == limit }

    /// Hands over an object with its reference, which the caller now owns and balances; `nil` when there is none.
    mutating func take() -> Unmanaged<Object>? {
        guard count > 0 else { return nil }
        count -= 1
        return slots[count]
    }

    /// Takes over an object with a reference that the caller owns.
    ///
    /// There must be room.
    mutating func put(_ object: Unmanaged<Object>) {
        precondition(count < limit, "more put back than there is room for")
        (slots + count).initialize(to: object)
        count += 1
    }

    mutating func removeAll() {
        while let object = take() { object.release() }
    }
}
