/// Base64 as gRPC-Web's text mode has it (RFC 4648 section 4): a stream in pieces of any size, in which padding may stand
/// behind every message.
///
/// Pure; any split gives the same bytes. What is written fits into the bound that is said.
struct GRPCWebTextDecoder {
    /// Digits of a group that has not come whole.
    private var bits: UInt32 = 0
    private var digits = 0
    /// Padding of the group under way.
    private var padding = 0

    /// No group is under way: the text may end here.
    var isWhole: Bool { digits == 0 }

    static func bound(_ count: Int) -> Int { (count + 3) / 4 * 3 + 3 }

    /// Decodes a piece; returns the bytes written, or `nil` when it is no base64.
    mutating func decode(_ text: UnsafeRawBufferPointer, into out: UnsafeMutablePointer<UInt8>) -> Int? {
        var at = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                // Two digits at least, and no more padding than is missing.
                guard digits >= 2, digits + padding <= 4 else { return nil }
            } else {
                guard padding == 0, let value = Self.value(byte) else { return nil }
                bits = bits << 6 | UInt32(value)
                digits += 1
            }
            guard digits + padding == 4 else { continue }
            guard let length = finishGroup(out + at) else { return nil }
            at += length
        }
        return at
    }

    private mutating func finishGroup(_ out: UnsafeMutablePointer<UInt8>) -> Int? {
        let whole = bits << UInt32(6 * padding)
        let length = 3 - padding
        // What padding cuts off is zero, or there would be many texts for the same bytes.
        guard whole & (1 << UInt32(8 * padding) - 1) == 0 else { return nil }
        for index in 0..<length { out[index] = UInt8(truncatingIfNeeded: whole >> UInt32(16 - 8 * index)) }
        bits = 0
        digits = 0
        padding = 0
        return length
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// The other way: bytes to base64, each message padded by itself so that none waits for the next one.
struct GRPCWebTextEncoder {
    private var bits: UInt32 = 0
    private var held = 0
    /// Bytes of the message's prefix seen, five of them.
    private var prefix = 0
    /// Bytes of the message still to come.
    private var left: UInt64 = 0

    private static let prefixBytes = 5

    /// A third more, and a group of padding for each message, which has at least five bytes.
    static func bound(_ count: Int) -> Int { count / 4 * 9 + 25 }

    /// Encodes a piece of length-prefixed messages; returns the bytes written.
    ///
    /// A message of no length is padded behind its prefix, so a byte may take four.
    mutating func encode(_ bytes: UnsafeRawBufferPointer, into out: UnsafeMutablePointer<UInt8>) -> Int {
        var at = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 1
            if held == 3 { at += flush(out + at) }
            if prefix < Self.prefixBytes {
                // The first is a flag; the others are the length.
                left = prefix == 0 ? 0 : left << 8 | UInt64(byte)
                prefix += 1
                guard prefix == Self.prefixBytes, left == 0 else { continue }
            } else {
                left -= 1
                guard left == 0 else { continue }
            }
            prefix = 0
            if held > 0 { at += flush(out + at) }
        }
        return at
    }

    /// What no message's end has flushed, at the end of the body; returns the bytes written, at most four.
    mutating func finish(into out: UnsafeMutablePointer<UInt8>) -> Int { held > 0 ? flush(out) : 0 }

    private mutating func flush(_ out: UnsafeMutablePointer<UInt8>) -> Int {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let whole = bits << UInt32(8 * (3 - held))
        for index in 0..<4 {
            let digit = Int(whole >> UInt32(18 - 6 * index) & 63)
            out[index] = index <= held ? alphabet.utf8Start[digit] : UInt8(ascii: "=")
        }
        bits = 0
        held = 0
        return 4
    }
}
