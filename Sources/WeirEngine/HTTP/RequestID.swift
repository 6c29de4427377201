import Glibc

/// Writes `x-request-id` values: UUID version 4 (RFC 9562 section 5.4) as text.
enum RequestID {
    static let length = 36

    /// Writes `length` bytes.
    static func write(into out: UnsafeMutablePointer<UInt8>, random: inout FastRandom) {
        let high = random.next() & ~0xf000 | 0x4000
        let low = random.next() & ~(0b11 << 62) | (0b10 << 62)
        writeHex(high, from: 60, digits: 8, into: out)
        out[8] = UInt8(ascii: "-")
        writeHex(high, from: 28, digits: 4, into: out + 9)
        out[13] = UInt8(ascii: "-")
        writeHex(high, from: 12, digits: 4, into: out + 14)
        out[18] = UInt8(ascii: "-")
        writeHex(low, from: 60, digits: 4, into: out + 19)
        out[23] = UInt8(ascii: "-")
        writeHex(low, from: 44, digits: 8, into: out + 24)
        writeHex(low, from: 12, digits: 4, into: out + 32)
    }

    /// Writes `digits` (at most 8) hexadecimal digits, the first from the four bits below `from + 4`.
    ///
    /// Eight at a time: the nibbles are spread over the bytes of a word, and become digits in it.
    @inline(__always)  // with constant arguments it is a dozen instructions
    private static func writeHex(_ value: UInt64, from: UInt64, digits: Int, into out: UnsafeMutablePointer<UInt8>) {
        let bits = 4 * UInt64(digits)
        var word = (value >> (from + 4 - bits)) & (~0 >> (64 - bits))
        word = (word | word << 16) & 0x0000_ffff_0000_ffff
        word = (word | word << 8) & 0x00ff_00ff_00ff_00ff
        word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f
        // A nibble above 9 carries into the bit that tells letters from digits. No byte overflows: the most is 0x66.
        let letters = ((word &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        var text = (word &+ 0x3030_3030_3030_3030 &+ letters &* 39).byteSwapped >> (64 - 8 * UInt64(digits))
        _ = withUnsafeBytes(of: &text) { memcpy(out, $0.baseAddress!, digits) }
    }
}
