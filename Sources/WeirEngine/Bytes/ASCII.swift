import Glibc

/// Byte classes, caseless comparison and number writing for ASCII protocols.
///
/// The tables are string literals: their address is a constant, where a global `let` costs a once-check per access.
enum ASCII {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0a
    static let carriageReturn: UInt8 = 0x0d
    static let space: UInt8 = 0x20
    static let hash: UInt8 = 0x23
    static let percent: UInt8 = 0x25
    static let comma: UInt8 = 0x2c
    static let dot: UInt8 = 0x2e
    static let slash: UInt8 = 0x2f
    static let zero: UInt8 = 0x30
    static let colon: UInt8 = 0x3a
    static let semicolon: UInt8 = 0x3b
    static let question: UInt8 = 0x3f
    static let openBracket: UInt8 = 0x5b
    static let backslash: UInt8 = 0x5c
    static let closeBracket: UInt8 = 0x5d

    /// 256 entries: the lower-case form of a token character (RFC 9110 section 5.6.2), 0 for anything else.
    static var tokenTable: UnsafePointer<UInt8> {
        let table: StaticString = """
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0!\0#$%&'\0\0*+\0-.\0\
            0123456789\0\0\0\0\0\0\
            \0abcdefghijklmno\
            pqrstuvwxyz\0\0\0^_\
            `abcdefghijklmno\
            pqrstuvwxyz\0|\0~\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
            """
        return table.utf8Start
    }

    /// Entries of `targetTable` other than 0, which means nothing special.
    static let targetEnd = UInt8(ascii: "x")
    static let targetLook = UInt8(ascii: "l")
    static let targetQuery = UInt8(ascii: "q")

    /// 256 entries for request targets: what ends or spoils one (space, controls, DEL, everything beyond ASCII),
    /// what path normalisation must look at (`#`, `%`, `.`, `\`), and the query's start.
    static var targetTable: UnsafePointer<UInt8> {
        let table: StaticString = """
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            x\0\0l\0l\0\0\0\0\0\0\0\0l\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0q\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0l\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxx
            """
        return table.utf8Start
    }

    /// 256 entries: not 0 for what a registered name may hold (RFC 3986 section 3.2.2), less comma and percent.
    static var hostTable: UnsafePointer<UInt8> {
        let table: StaticString = """
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \01\0\01\0111111\011\0\
            1111111111\01\01\0\0\
            \0111111111111111\
            11111111111\0\0\0\01\
            \0111111111111111\
            11111111111\0\0\01\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
            """
        return table.utf8Start
    }

    // MARK: Classes

    static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    static func isUpper(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "A") < 26 }

    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// `unreserved` of RFC 3986 section 2.3.
    static func isUnreserved(_ byte: UInt8) -> Bool {
        if isLetter(byte) || isDigit(byte) { return true }
        return byte == UInt8(ascii: "-") || byte == dot || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
    }

    /// Visible, blank or beyond ASCII: what a field value, a reason phrase and a chunk extension may hold.
    static func isFieldValue(_ byte: UInt8) -> Bool { byte >= space ? byte != 0x7f : byte == tab }

    /// Value of a hexadecimal digit, or `nil`.
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if isDigit(byte) { return byte &- zero }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }

    /// First byte in `start..<end` that a field value may not hold, or `end`.
    @inline(__always)  // the parser's inner loop
    static func endOfFieldValue(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var next = start
        while end - next >= 8 {
            let word = UInt64(littleEndian: UnsafeRawPointer(next).loadUnaligned(as: UInt64.self))
            // A byte's top bit says "below 0x20" and "is 0x7f". A borrow can only mark bytes behind a true hit, and
            // only the first mark is used; the wrap is the method.
            let flipped = word ^ 0x7f7f_7f7f_7f7f_7f7f
            let below = (word &- 0x2020_2020_2020_2020) & ~word
            let equal = (flipped &- 0x0101_0101_0101_0101) & ~flipped
            let marks = (below | equal) & 0x8080_8080_8080_8080
            guard marks != 0 else {
                next += 8
                continue
            }
            next += marks.trailingZeroBitCount >> 3
            guard next.pointee == tab else { return next }
            next += 1
        }
        while next < end, isFieldValue(next.pointee) { next += 1 }
        return next
    }

    // MARK: Comparison

    /// Whether the bytes are `text`.
    @inline(__always)  // with a literal, memcmp becomes one or two compares
    static func equals(_ bytes: UnsafePointer<UInt8>, _ text: StaticString) -> Bool {
        memcmp(bytes, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    @inline(__always)  // as above
    static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0
    }

    /// Whether the first `text.count` bytes are `text`, which must be lower-case, in any case.
    static func startsCaseless(_ bytes: UnsafePointer<UInt8>, count: Int, _ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length else { return false }
        let wanted = text.utf8Start
        for index in 0..<length where lowered(bytes[index]) != wanted[index] { return false }
        return true
    }

    static func equalsCaseless(_ bytes: UnsafePointer<UInt8>, count: Int, _ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && startsCaseless(bytes, count: count, text)
    }

    /// Whether two runs of the same length are equal in any case.
    static func equalsCaseless(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, count: Int) -> Bool {
        for index in 0..<count where lowered(left[index]) != lowered(right[index]) { return false }
        return true
    }

    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    // MARK: Numbers

    /// Longest text `writeDecimal` makes.
    static let decimalBound = 20
    /// Longest text `writeHex` makes.
    static let hexBound = 16

    /// Writes `value` in decimal; returns how many bytes that took.
    static func writeDecimal(_ value: UInt64, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let length = decimalLength(value)
        var rest = value
        var place = out + length
        // From the last digit on, as many as there are.
        repeat {
            let tenth = rest / 10
            place -= 1
            place.pointee = zero &+ UInt8(truncatingIfNeeded: rest &- tenth &* 10)
            rest = tenth
        } while rest != 0
        return length
    }

    /// Most numbers are short.
    private static func decimalLength(_ value: UInt64) -> Int {
        if value < 10 { return 1 }
        if value < 100 { return 2 }
        if value < 1000 { return 3 }
        if value < 10_000 { return 4 }
        var (length, rest) = (4, value / 10_000)
        while rest != 0 {
            rest /= 10
            length += 1
        }
        return length
    }

    /// Writes `value` in lower-case hexadecimal without leading zeros; returns how many bytes that took.
    static func writeHex(_ value: UInt64, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let length = max(1, (67 - value.leadingZeroBitCount) / 4)
        for index in 0..<length {
            out[index] = hexDigit(UInt8(truncatingIfNeeded: value >> UInt64(4 * (length - 1 - index))) & 0xf)
        }
        return length
    }

    static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? zero + nibble : UInt8(ascii: "a") - 10 + nibble }

    /// Copies a literal; returns its length.
    @inline(__always)  // with a literal, memcpy becomes a few stores
    static func write(_ text: StaticString, into out: UnsafeMutablePointer<UInt8>) -> Int {
        memcpy(out, text.utf8Start, text.utf8CodeUnitCount)
        return text.utf8CodeUnitCount
    }

    /// Copies `count` bytes that do not overlap the destination; short runs, the common case, cost no call.
    @inline(__always)  // as above
    static func copy(_ source: UnsafeRawPointer, into out: UnsafeMutablePointer<UInt8>, count: Int) {
        if count > 32 {
            memcpy(out, source, count)
        } else if count >= 16 {
            copyEnds(of: (UInt64, UInt64).self, source, into: out, count: count)
        } else if count >= 8 {
            copyEnds(of: UInt64.self, source, into: out, count: count)
        } else if count >= 4 {
            copyEnds(of: UInt32.self, source, into: out, count: count)
        } else {
            for index in 0..<count { out[index] = source.load(fromByteOffset: index, as: UInt8.self) }
        }
    }

    /// Two words that overlap in the middle cover any length from one word to two.
    @inline(__always)  // as above
    private static func copyEnds<Word: BitwiseCopyable>(
        of word: Word.Type, _ source: UnsafeRawPointer, into out: UnsafeMutablePointer<UInt8>, count: Int
    ) {
        let size = MemoryLayout<Word>.size
        let first = source.loadUnaligned(as: Word.self)
        let last = source.loadUnaligned(fromByteOffset: count - size, as: Word.self)
        UnsafeMutableRawPointer(out).storeBytes(of: first, as: Word.self)
        UnsafeMutableRawPointer(out).storeBytes(of: last, toByteOffset: count - size, as: Word.self)
    }
}
