import Glibc

/// Writes one line into room of `AccessLogLimits.lineBytes`.
///
/// What has a known bound is written unchecked: the format's compiler has added those bounds up. Headers, paths and names
/// share what is left, `budget`.
struct LogLine {
    private let start: UnsafeMutablePointer<UInt8>
    private(set) var end: UnsafeMutablePointer<UInt8>
    private var budget: Int
    /// Something did not fit that must not be cut.
    private(set) var isVoid = false

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

    /// Bytes with slack behind them, as the line has: the usual few are a load and a store.
    @inline(__always)  // once or twice a step
    mutating func put(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        if count <= 16 {
            copyBlock(bytes, at: 0)
        } else if count <= 32 {
            copyBlock(bytes, at: 0)
            copyBlock(bytes, at: 16)
        } else {
            memcpy(end, bytes, count)
        }
        end += count
    }

    @inline(__always)  // two instructions
    private func copyBlock(_ bytes: UnsafePointer<UInt8>, at offset: Int) {
        let block = UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: offset, as: (UInt64, UInt64).self)
        UnsafeMutableRawPointer(end).storeBytes(of: block, toByteOffset: offset, as: (UInt64, UInt64).self)
    }

    @inline(__always)  // with a literal, a few stores
    mutating func put(_ text: StaticString) { end += ASCII.write(text, into: end) }

    /// Room that the caller has written `count` bytes of.
    mutating func advance(_ count: Int) { end += count }

    mutating func putAbsent(_ style: LogStyle) {
        switch style {
        case .text, .jsonPart: put(UInt8(ascii: "-"))
        case .jsonValue: put("null")
        case .header: break
        }
    }

    /// The quotes of a text that is a JSON value of its own.
    @inline(__always)  // one compare
    mutating func putQuote(_ style: LogStyle) {
        if style == .jsonValue { put(UInt8(ascii: "\"")) }
    }

    mutating func putNumber(_ number: UInt64) { end += LogDigits.write(number, into: end) }

    // MARK: Of any length

    /// Text that a peer or a configuration chose, cut to `limit` bytes as printed.
    mutating func put(_ text: UnsafeRawBufferPointer, limit: Int, _ style: LogStyle) {
        putQuote(style)
        let bound = min(limit, budget)
        if text.count <= bound, Self.copyPlain(text, into: UnsafeMutableRawPointer(end)) {
            end += text.count
            budget -= text.count
        } else {
            putOdd(text, bound, style)
        }
        putQuote(style)
    }

    /// Text that is too long, or holds what must be escaped.
    private mutating func putOdd(_ text: UnsafeRawBufferPointer, _ bound: Int, _ style: LogStyle) {
        let from = end
        switch style {
        case .text: putEscaped(text, from + bound)
        case .jsonPart, .jsonValue: putEscapedJSON(text, from + bound)
        case .header: putWhole(text, bound, isRefused: bound == budget)
        }
        budget -= end - from
    }

    /// Bytes as they are; what there is no room for makes the whole line void, since nobody asked for it to be cut.
    private mutating func putWhole(_ text: UnsafeRawBufferPointer, _ bound: Int, isRefused: Bool) {
        isVoid = isVoid || isRefused && text.count > bound
        let count = min(text.count, bound)
        guard count > 0, let source = text.baseAddress else { return }
        memcpy(end, source, count)
        end += count
    }

    /// Copies text that stands for itself everywhere: visible ASCII and spaces, but neither `"` nor `\`.
    ///
    /// `false` when there is anything else in it; what was copied then means nothing.
    private static func copyPlain(_ text: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer) -> Bool {
        guard let source = text.baseAddress else { return true }
        let count = text.count
        guard count >= 16 else { return copyShort(source, count, into: target) }
        // The last block overlaps the one before it. No sum overflows: all lie between 0 and `count`.
        var done = 0
        let last = count &- 16
        while true {
            let block = source.loadUnaligned(fromByteOffset: done, as: SIMD2<UInt64>.self)
            target.storeBytes(of: block, toByteOffset: done, as: SIMD2<UInt64>.self)
            let marks = marks(block)
            guard (marks[0] | marks[1]) & topBits == 0 else { return false }
            if done == last { return true }
            done = min(done &+ 16, last)
        }
    }

    /// Below 16 bytes: two words that overlap cover any length from one word to two.
    private static func copyShort(
        _ source: UnsafeRawPointer, _ count: Int, into target: UnsafeMutableRawPointer
    ) -> Bool {
        if count >= 8 {
            let first = source.loadUnaligned(as: UInt64.self)
            let last = source.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            target.storeBytes(of: first, as: UInt64.self)
            target.storeBytes(of: last, toByteOffset: count &- 8, as: UInt64.self)
            let marks = marks(SIMD2(first, last))
            return (marks[0] | marks[1]) & topBits == 0
        }
        if count >= 4 {
            let first = source.loadUnaligned(as: UInt32.self)
            let last = source.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            target.storeBytes(of: first, as: UInt32.self)
            target.storeBytes(of: last, toByteOffset: count &- 4, as: UInt32.self)
            return marks(SIMD2(UInt64(first) | UInt64(last) << 32, 0x2020_2020_2020_2020))[0] & topBits == 0
        }
        for index in 0..<count {
            let byte = source.load(fromByteOffset: index, as: UInt8.self)
            guard isPlain(byte) else { return false }
            target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        return true
    }

    private static let topBits: UInt64 = 0x8080_8080_8080_8080

    /// A byte's top bit is set where it is none that stands for itself.
    ///
    /// Each sum has it where the byte has it itself, or is what the sum looks for; a carry can only mark bytes behind a true
    /// hit, and one hit is enough. The wrap is the method. Sums of words, because comparing bytes would not become vector code.
    @inline(__always)  // once a block
    private static func marks(_ words: SIMD2<UInt64>) -> SIMD2<UInt64> {
        let ones = SIMD2<UInt64>(repeating: 0x0101_0101_0101_0101)
        let below = words &- SIMD2(repeating: 0x2020_2020_2020_2020)
        let delete = words &+ ones
        let quote = (words ^ SIMD2(repeating: 0x2222_2222_2222_2222)) &- ones
        let backslash = (words ^ SIMD2(repeating: 0x5c5c_5c5c_5c5c_5c5c)) &- ones
        return words | below | delete | quote | backslash
    }

    static func isPlain(_ byte: UInt8) -> Bool {
        byte &- 0x20 <= 0x5e && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
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

/// Numbers in the few instructions a line has for them.
enum LogDigits {
    /// `00` to `99`.
    private static var pairs: UnsafePointer<UInt8> {
        let table: StaticString = """
            0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
            5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
            """
        return table.utf8Start
    }

    /// Writes `value` in decimal; returns how many bytes that took, at most `ASCII.decimalBound`.
    @inline(__always)  // the usual number has one or two digits
    static func write(_ value: UInt64, into out: UnsafeMutablePointer<UInt8>) -> Int {
        if value < 10 {
            out[0] = ASCII.zero + UInt8(truncatingIfNeeded: value)
            return 1
        }
        return value < 1_000_000
            ? writeShort(UInt32(truncatingIfNeeded: value), out) : ASCII.writeDecimal(value, into: out)
    }

    /// Two to six digits.
    private static func writeShort(_ value: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        let high = value / 10_000
        let rest = value % 10_000
        guard high > 0 else { return writeHead(rest, out) }
        let length = high < 10 ? writeDigit(high, out) : writePair(high, out)
        return length + writePair(rest / 100, out + length) + writePair(rest % 100, out + length + 2)
    }

    /// Below 10,000, without zeros in front.
    private static func writeHead(_ value: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        let high = value / 100
        let length = high == 0 ? 0 : high < 10 ? writeDigit(high, out) : writePair(high, out)
        return length + writePair(value % 100, out + length)
    }

    @inline(__always)  // a store
    private static func writeDigit(_ value: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        out[0] = ASCII.zero + UInt8(truncatingIfNeeded: value)
        return 1
    }

    @inline(__always)  // a load and a store
    private static func writePair(_ value: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        let pair = UnsafeRawPointer(pairs + 2 * Int(value)).loadUnaligned(as: UInt16.self)
        UnsafeMutableRawPointer(out).storeBytes(of: pair, as: UInt16.self)
        return 2
    }
}
