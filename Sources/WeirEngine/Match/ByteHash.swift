/// A 64-bit hash of byte strings, eight bytes a step: what the route index and the host table are keyed by.
///
/// Not meant to resist an enemy who chooses the keys: those come from the operator; a request only looks keys up.
struct ByteHash {
    private static let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
    private(set) var state: UInt64

    init(seed: UInt64) {
        state = seed ^ 0x2545_f491_4f6c_dd1d
    }

    /// Never 0, so that 0 can mark an empty slot.
    var value: UInt64 { state | 1 << 63 }

    /// Mixes in one run of bytes and its length; a run split in two gives another hash.
    @inline(__always)  // `folded` is a constant at every call: one branch-free loop each
    mutating func add(_ bytes: UnsafeRawPointer, count: Int, folded: Bool = false) {
        var offset = 0
        while offset &+ 8 <= count {
            mix(Self.word(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), folded: folded))
            offset &+= 8
        }
        let rest = count &- offset
        if rest > 0 { mix(Self.word(Self.tail(bytes + offset, rest), folded: folded)) }
        mix(UInt64(truncatingIfNeeded: count))
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer, folded: Bool = false) {
        guard let start = bytes.baseAddress else { return mix(0) }
        add(start, count: bytes.count, folded: folded)
    }

    private mutating func mix(_ word: UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: Self.multiplier)
        // The state would stay 0 for ever once it got there; the length mixed in last keeps runs apart.
        state = product.high ^ product.low ^ Self.multiplier
    }

    @inline(__always)
    private static func word(_ raw: UInt64, folded: Bool) -> UInt64 { folded ? CaseFold.lowercased(raw) : raw }

    /// 1 to 7 bytes as one word, reading no byte beyond them; together with the length it tells all inputs apart.
    @inline(__always)
    private static func tail(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = bytes.loadUnaligned(as: UInt32.self)
            let high = bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            return UInt64(low) | UInt64(high) &<< 32
        }
        let first = UInt64(bytes.load(as: UInt8.self))
        let middle = UInt64(bytes.load(fromByteOffset: count &>> 1, as: UInt8.self))
        let last = UInt64(bytes.load(fromByteOffset: count &- 1, as: UInt8.self))
        return first | middle &<< 8 | last &<< 16
    }
}
