/// Writes one line into room of `AccessLogLimits.lineBytes`.
///
/// What has a known bound is written unchecked: the format's compiler has added those bounds up. Headers, paths and names
/// share what is left, `budget`.
struct LogLine {
    private let start: UnsafeMutablePointer<UInt8>
    private(set) var end: UnsafeMutablePointer<UInt8>
    private var budget: Int

    init(_ room: UnsafeMutablePointer<UInt8>, budget: Int) {
        start = room
        end = room
        self.budget = budget
    }

    var count: Int { end - start }

    // MARK: Bounded

    @inline(__always)  // with a literal, a store
    mutating func put(_ byte: UInt8) {
        end.pointee = byte
        end += 1
    }

    mutating func put(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        ASCII.copy(bytes, into: end, count: count)
        end += count
    }

    @inline(__always)  // with a literal, a few stores
    mutating func put(_ text: StaticString) { end += ASCII.write(text, into: end) }

    /// Room that the caller has written `count` bytes of.
    mutating func advance(_ count: Int) { end += count }

    mutating func putAbsent(_ style: LogStyle) {
        if style == .jsonValue { put("null") } else { put(UInt8(ascii: "-")) }
    }

    /// The quotes of a text that is a JSON value of its own.
    @inline(__always)  // one compare
    mutating func putQuote(_ style: LogStyle) {
        if style == .jsonValue { put(UInt8(ascii: "\"")) }
    }

    mutating func putNumber(_ number: UInt64) {
        if number < 10 {
            put(ASCII.zero + UInt8(truncatingIfNeeded: number))
        } else {
            end += ASCII.writeDecimal(number, into: end)
        }
    }

    // MARK: Of any length

    /// Text that a peer or a configuration chose, cut to `limit` bytes as printed.
    mutating func put(_ text: UnsafeRawBufferPointer, limit: Int, _ style: LogStyle) {
        putQuote(style)
        let bound = min(limit, budget)
        let from = end
        if let source = text.baseAddress, !text.isEmpty {
            let copied = copyPlain(source, min(text.count, bound))
            if copied < text.count {
                let rest = UnsafeRawBufferPointer(rebasing: text[copied...])
                if style == .text { putEscaped(rest, from + bound) } else { putEscapedJSON(rest, from + bound) }
            }
        }
        budget -= end - from
        putQuote(style)
    }

    /// Copies what stands for itself everywhere: visible ASCII and spaces, but neither `"` nor `\`.
    ///
    /// Returns how much that was; looks at blocks, so it may stop a little earlier than it must.
    private mutating func copyPlain(_ source: UnsafeRawPointer, _ count: Int) -> Int {
        var done = 0
        while count - done >= 16 {
            let block = source.loadUnaligned(fromByteOffset: done, as: SIMD16<UInt8>.self)
            let odd =
                ((block &- 0x20) .> SIMD16(repeating: 0x5e)) .| (block .== SIMD16(repeating: 0x22))
                .| (block .== SIMD16(repeating: 0x5c))
            let marks = unsafeBitCast(odd, to: SIMD2<UInt64>.self)
            guard marks[0] | marks[1] == 0 else { return done }
            UnsafeMutableRawPointer(end).storeBytes(of: block, as: SIMD16<UInt8>.self)
            end += 16
            done += 16
        }
        if count - done >= 8 {
            let word = source.loadUnaligned(fromByteOffset: done, as: UInt64.self)
            guard Self.isPlain(word) else { return done }
            UnsafeMutableRawPointer(end).storeBytes(of: word, as: UInt64.self)
            end += 8
            done += 8
        }
        if count - done >= 4 {
            let word = source.loadUnaligned(fromByteOffset: done, as: UInt32.self)
            guard Self.isPlain(UInt64(word) | 0x2020_2020 << 32) else { return done }
            UnsafeMutableRawPointer(end).storeBytes(of: word, as: UInt32.self)
            end += 4
            done += 4
        }
        while done < count {
            let byte = source.load(fromByteOffset: done, as: UInt8.self)
            guard Self.isPlain(byte) else { return done }
            put(byte)
            done += 1
        }
        return done
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte &- 0x20 <= 0x5e && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// As above for eight bytes; a borrow can only mark bytes behind a true hit, and one hit is enough.
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let below = (word &- ones &* 0x20) & ~word
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5c)
        let delete = word ^ (ones &* 0x7f)
        let equal = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
        return (word | below | equal) & (ones &* 0x80) == 0
    }

    /// Writes what is not visible ASCII, and `"` and `\`, as `\x22`: a value cannot look like the end of its field.
    private mutating func putEscaped(_ text: UnsafeRawBufferPointer, _ bound: UnsafeMutablePointer<UInt8>) {
        for byte in text {
            if Self.isPlain(byte) {
                guard bound - end >= 1 else { return }
                put(byte)
            } else {
                guard bound - end >= 4 else { return }
                put("\\x")
                put(ASCII.hexDigit(byte >> 4))
                put(ASCII.hexDigit(byte & 0xf))
            }
        }
    }

    // MARK: JSON

    /// Writes the inside of a JSON string (RFC 8259 section 7); bytes that are no UTF-8 become U+FFFD.
    private mutating func putEscapedJSON(_ text: UnsafeRawBufferPointer, _ bound: UnsafeMutablePointer<UInt8>) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if Self.isPlain(byte) {
                guard bound - end >= 1 else { return }
                put(byte)
                index += 1
            } else if byte < 0x80 {
                guard bound - end >= 6 else { return }
                putEscapedJSON(byte)
                index += 1
            } else {
                guard bound - end >= 4 else { return }
                let length = UTF8Sequence.length(text, at: index)
                if length > 0 {
                    for offset in 0..<length { put(text[index + offset]) }
                    index += length
                } else {
                    put("\u{fffd}")
                    index += 1
                }
            }
        }
    }

    private mutating func putEscapedJSON(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case ASCII.tab: put("\\t")
        default:
            put("\\u00")
            put(ASCII.hexDigit(byte >> 4))
            put(ASCII.hexDigit(byte & 0xf))
        }
    }
}

/// Well-formed UTF-8 (RFC 3629 section 4).
enum UTF8Sequence {
    /// Length of the sequence of two to four bytes that begins at `index`, or 0 when there is none.
    static func length(_ text: UnsafeRawBufferPointer, at index: Int) -> Int {
        let first = text[index]
        var lowest: UInt8 = 0x80
        var highest: UInt8 = 0xbf
        let length: Int
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef: length = 3
        case 0xf0...0xf4: length = 4
        default: return 0
        }
        // Longer than needed, surrogates, beyond U+10FFFF.
        switch first {
        case 0xe0: lowest = 0xa0
        case 0xed: highest = 0x9f
        case 0xf0: lowest = 0x90
        case 0xf4: highest = 0x8f
        default: break
        }
        guard text.count - index >= length, (lowest...highest).contains(text[index + 1]) else { return 0 }
        for offset in 2..<max(length, 2) where text[index + offset] & 0xc0 != 0x80 { return 0 }
        return length
    }
}
