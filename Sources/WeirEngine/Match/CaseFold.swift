import Glibc

/// Comparing bytes for routing, with or without ASCII case; bytes above 0x7f are left alone.
enum CaseFold {
    /// Lower-cases the eight ASCII bytes of a word at once.
    @inline(__always)
    static func lowercased(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // Below 0x80 the sums cannot carry into the next byte, so the wrapping operators never wrap.
        let low = word & (0x7f &* ones)
        let atLeastA = low &+ (0x80 - UInt64(UInt8(ascii: "A"))) &* ones
        let aboveZ = low &+ (0x7f - UInt64(UInt8(ascii: "Z"))) &* ones
        let upper = (atLeastA ^ aboveZ) & ~word & (0x80 &* ones)
        return word | upper &>> 2
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    @inline(__always)
    static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        memcmp(a, b, count) == 0
    }

    /// Compares with `lower`, which must already be lower-case.
    static func equalFolded(_ text: UnsafeRawPointer, lower: UnsafeRawPointer, _ count: Int) -> Bool {
        var offset = 0
        while offset &+ 8 <= count {
            let word = lowercased(text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            if word != lower.loadUnaligned(fromByteOffset: offset, as: UInt64.self) { return false }
            offset &+= 8
        }
        while offset < count {
            let byte = lowercased(text.load(fromByteOffset: offset, as: UInt8.self))
            if byte != lower.load(fromByteOffset: offset, as: UInt8.self) { return false }
            offset &+= 1
        }
        return true
    }
}
