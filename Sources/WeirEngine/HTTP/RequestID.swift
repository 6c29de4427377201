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
        writeHex(low, from: 44, digits: 12, into: out + 24)
    }

    /// Writes `digits` hexadecimal digits, the first from the four bits at `from`.
    private static func writeHex(_ value: UInt64, from: UInt64, digits: Int, into out: UnsafeMutablePointer<UInt8>) {
        for index in 0..<digits {
            let nibble = UInt8(truncatingIfNeeded: value >> (from - 4 * UInt64(index))) & 0xf
            out[index] = ASCII.hexDigit(nibble)
        }
    }
}
