import Glibc

/// Host patterns to numbers: exact name, else the longest `*.suffix`, else `*` (semantics 3.2).
///
/// Immutable after init.
struct HostTable: ~Copyable {
    /// What is longer is no host name (RFC 1035 section 2.3.4).
    static let maxHostBytes = 255
    private static let exactSeed: UInt64 = 11
    private static let suffixSeed: UInt64 = 12

    private struct Slot {
        /// Low half of the hash; the key decides.
        var tag: UInt32 = 0
        var offset: UInt32 = 0
        /// Key bytes; negative for a suffix (stored from its dot on); 0 marks an empty slot.
        var length: Int32 = 0
        var value: Int32 = -1
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int
    private let arena: UnsafeMutablePointer<UInt8>
    private let star: Int32
    /// Bit n: some suffix has a length of n modulo 64; 0 when there is none.
    private let suffixLengths: UInt64

    /// Files each pattern under its place in the list; an equal pattern later in the list is ignored.
    ///
    /// Patterns: lower-case `a.example.com`, `*.example.com`, `*`.
    init(_ patterns: [String]) {
        var capacity = 4
        while capacity < patterns.count * 2 { capacity *= 2 }
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: Slot(), count: capacity)
        mask = capacity - 1
        arena = .allocate(capacity: max(patterns.reduce(0) { $0 + $1.utf8.count }, 1))
        var used = 0
        var star: Int32 = -1
        var lengths: UInt64 = 0
        for (number, pattern) in patterns.enumerated() {
            if pattern == "*" {
                if star < 0 { star = Int32(number) }
                continue
            }
            let isSuffix = pattern.utf8.starts(with: "*.".utf8)
            let start = used
            for byte in pattern.utf8.dropFirst(isSuffix ? 1 : 0) {
                (arena + used).initialize(to: CaseFold.lowercased(byte))
                used += 1
            }
            let count = used - start
            guard count > 0 else { continue }
            if isSuffix { lengths |= 1 << UInt64(count & 63) }
            Self.insert(
                Int32(number), UnsafeRawBufferPointer(start: arena + start, count: count), at: start,
                isSuffix: isSuffix, slots, mask, arena)
        }
        self.star = star
        suffixLengths = lengths
    }

    deinit {
        slots.deallocate()
        arena.deallocate()
    }

    private static func insert(
        _ value: Int32, _ key: UnsafeRawBufferPointer, at offset: Int, isSuffix: Bool,
        _ slots: UnsafeMutablePointer<Slot>, _ mask: Int, _ arena: UnsafeMutablePointer<UInt8>
    ) {
        let hash = hash(key, isSuffix: isSuffix)
        let length = Int32(isSuffix ? -key.count : key.count)
        var position = Int(truncatingIfNeeded: hash &>> 32) & mask
        while slots[position].length != 0 {
            let same = slots[position].length == length
            if same, memcmp(arena + Int(slots[position].offset), key.baseAddress!, key.count) == 0 { return }
            position = (position + 1) & mask
        }
        slots[position] = Slot(
            tag: UInt32(truncatingIfNeeded: hash), offset: UInt32(offset), length: length, value: value)
    }

    @inline(__always)  // `isSuffix` is a constant at every hot call
    private static func hash(_ key: UnsafeRawBufferPointer, isSuffix: Bool) -> UInt64 {
        var hash = ByteHash(seed: isSuffix ? suffixSeed : exactSeed)
        hash.add(key, folded: true)
        return hash.value
    }

    /// Number of the pattern that takes this authority, or -1.
    ///
    /// Reads it as received: port left out, case folded, a trailing dot kept. No allocation; cost independent of the
    /// number of hosts.
    func lookup(_ authority: UnsafeRawBufferPointer) -> Int32 {
        let host = Self.withoutPort(authority)
        guard let start = host.baseAddress, !host.isEmpty, host.count <= Self.maxHostBytes else { return star }
        let exact = find(host, isSuffix: false)
        if exact >= 0 || suffixLengths == 0 { return exact >= 0 ? exact : star }
        // Longest suffix first. `*` stands for at least one byte, so a dot in front counts for nothing.
        var offset = 1
        while offset < host.count {
            let length = host.count &- offset
            if start.load(fromByteOffset: offset, as: UInt8.self) == UInt8(ascii: "."),
                suffixLengths &>> UInt64(length & 63) & 1 != 0
            {
                let hit = find(UnsafeRawBufferPointer(start: start + offset, count: length), isSuffix: true)
                if hit >= 0 { return hit }
            }
            offset &+= 1
        }
        return star
    }

    @inline(__always)
    private func find(_ key: UnsafeRawBufferPointer, isSuffix: Bool) -> Int32 {
        let hash = Self.hash(key, isSuffix: isSuffix)
        let tag = UInt32(truncatingIfNeeded: hash)
        let length = Int32(truncatingIfNeeded: isSuffix ? -key.count : key.count)
        var position = Int(truncatingIfNeeded: hash &>> 32) & mask
        while slots[position].length != 0 {
            let slot = slots[position]
            if slot.tag == tag, slot.length == length, let start = key.baseAddress,
                CaseFold.equalFolded(start, lower: arena + Int(slot.offset), key.count)
            {
                return slot.value
            }
            position = (position &+ 1) & mask
        }
        return -1
    }

    /// Cuts `:port` off `host:port` and `[v6]:port`; brackets stay.
    static func withoutPort(_ authority: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = authority.count
        while end > 0 {
            end &-= 1
            let byte = authority[end]
            if byte == UInt8(ascii: ":") { return UnsafeRawBufferPointer(rebasing: authority[..<end]) }
            if byte == UInt8(ascii: "]") { return authority }
        }
        return authority
    }
}
