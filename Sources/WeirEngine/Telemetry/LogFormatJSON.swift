/// Compiles a JSON object whose strings hold operators.
///
/// Keys keep their order. A string that is exactly one operator becomes a value of the operator's own type, `null` when
/// absent; other strings stay strings, in which absent is `-`. Numbers, booleans and null stay what they are; objects and
/// arrays may lie inside each other.
struct LogFormatJSON {
    private let text: [UInt8]
    private var index = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func compile(into builder: inout LogFormatBuilder) throws(AccessLogFormatError) {
        try value(into: &builder, depth: 0)
        skipBlanks()
        guard index == text.count else { throw failure("text behind the JSON object") }
    }

    // MARK: Values

    private mutating func value(into builder: inout LogFormatBuilder, depth: Int) throws(AccessLogFormatError) {
        guard depth < AccessLogLimits.jsonDepth else {
            throw failure("more than \(AccessLogLimits.jsonDepth) objects and arrays inside each other")
        }
        skipBlanks()
        switch peek {
        case UInt8(ascii: "{"): try object(into: &builder, depth: depth)
        case UInt8(ascii: "["): try array(into: &builder, depth: depth)
        case UInt8(ascii: "\""): try text(into: &builder)
        default: try constant(into: &builder)
        }
    }

    private mutating func object(into builder: inout LogFormatBuilder, depth: Int) throws(AccessLogFormatError) {
        try expect("{")
        builder.append(literal: Array("{".utf8))
        var keys: Set<[UInt8]> = []
        skipBlanks()
        while peek != UInt8(ascii: "}") {
            if !keys.isEmpty {
                try expect(",")
                builder.append(literal: Array(",".utf8))
                skipBlanks()
            }
            let position = index
            let key = try string()
            guard keys.insert(key).inserted else {
                index = position
                throw failure("a key that stands there twice")
            }
            builder.append(literal: Array("\"".utf8) + Self.escaped(key) + Array("\":".utf8))
            skipBlanks()
            try expect(":")
            try value(into: &builder, depth: depth + 1)
            skipBlanks()
        }
        try expect("}")
        builder.append(literal: Array("}".utf8))
    }

    private mutating func array(into builder: inout LogFormatBuilder, depth: Int) throws(AccessLogFormatError) {
        try expect("[")
        builder.append(literal: Array("[".utf8))
        skipBlanks()
        var isFirst = true
        while peek != UInt8(ascii: "]") {
            if !isFirst {
                try expect(",")
                builder.append(literal: Array(",".utf8))
            }
            isFirst = false
            try value(into: &builder, depth: depth + 1)
            skipBlanks()
        }
        try expect("]")
        builder.append(literal: Array("]".utf8))
    }

    private mutating func text(into builder: inout LogFormatBuilder) throws(AccessLogFormatError) {
        let position = index + 1
        let pieces: [LogPiece]
        do throws(AccessLogFormatError) {
            pieces = try LogFormatParser.parse(try string())
        } catch {
            throw AccessLogFormatError("\(error.description) (In the JSON string at byte \(position).)")
        }
        if pieces.count == 1, case .literal = pieces[0] {
        } else if pieces.count == 1 {
            return try builder.append(pieces[0], style: .jsonValue)
        }
        builder.append(literal: Array("\"".utf8))
        for piece in pieces { try builder.append(piece, style: .jsonPart) }
        builder.append(literal: Array("\"".utf8))
    }

    /// `true`, `false`, `null` or a number, which are printed as they stand.
    private mutating func constant(into builder: inout LogFormatBuilder) throws(AccessLogFormatError) {
        let start = index
        while let byte = peek, ASCII.isLetter(byte) || ASCII.isDigit(byte) || "+-.".utf8.contains(byte) { index += 1 }
        let word = Array(text[start..<index])
        guard ["true", "false", "null"].contains(where: { Array($0.utf8) == word }) || Self.isNumber(word) else {
            index = start
            throw failure("neither a string, a number, an object nor an array")
        }
        builder.append(literal: word)
    }

    /// RFC 8259 section 6.
    private static func isNumber(_ word: [UInt8]) -> Bool {
        var rest = word[...]
        func digits(_ rest: inout ArraySlice<UInt8>) -> Int {
            let count = rest.prefix { ASCII.isDigit($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let leading = rest.first
        let whole = digits(&rest)
        guard whole == 1 || (whole > 1 && leading != ASCII.zero) else { return false }
        if rest.first == ASCII.dot {
            rest = rest.dropFirst()
            guard digits(&rest) > 0 else { return false }
        }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            guard digits(&rest) > 0 else { return false }
        }
        return rest.isEmpty
    }

    // MARK: Strings

    /// The bytes a string stands for.
    private mutating func string() throws(AccessLogFormatError) -> [UInt8] {
        try expect("\"")
        var bytes: [UInt8] = []
        while let byte = peek {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard String(validating: bytes, as: UTF8.self) != nil else {
                    throw failure("a string that is no UTF-8")
                }
                return bytes
            case UInt8(ascii: "\\"): bytes += try escape()
            case 0..<0x20: throw failure("a control character inside a string")
            default: bytes.append(byte)
            }
        }
        throw failure("a string without an end")
    }

    private mutating func escape() throws(AccessLogFormatError) -> [UInt8] {
        guard let byte = peek else { throw failure("a string without an end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"):
            var unit = try codeUnit()
            if unit & 0xfc00 == 0xd800 {
                guard text[index...].starts(with: Array("\\u".utf8)) else { throw failure("half of a surrogate pair") }
                index += 2
                let low = try codeUnit()
                guard low & 0xfc00 == 0xdc00 else { throw failure("half of a surrogate pair") }
                unit = 0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff
            }
            guard let scalar = Unicode.Scalar(unit) else { throw failure("half of a surrogate pair") }
            return Array(String(Character(scalar)).utf8)
        default: throw failure("an escape JSON does not know")
        }
    }

    private mutating func codeUnit() throws(AccessLogFormatError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = ASCII.hexValue(byte) else { throw failure("four hexadecimal digits") }
            unit = unit << 4 | UInt32(digit)
            index += 1
        }
        return unit
    }

    /// The inside of a JSON string for these bytes, which are UTF-8 or become it.
    static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"": result += Array("\\\"".utf8)
            case "\\": result += Array("\\\\".utf8)
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let value = UInt8(scalar.value)
                result += Array("\\u00".utf8) + [ASCII.hexDigit(value >> 4), ASCII.hexDigit(value & 0xf)]
            default: result += Array(String(Character(scalar)).utf8)
            }
        }
        return result
    }

    // MARK: Reading

    private var peek: UInt8? { index < text.count ? text[index] : nil }

    private mutating func skipBlanks() {
        while let byte = peek, ASCII.isBlank(byte) || byte == ASCII.lineFeed || byte == ASCII.carriageReturn {
            index += 1
        }
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(AccessLogFormatError) {
        guard peek == UInt8(ascii: character) else { throw failure("'\(character)' is missing") }
        index += 1
    }

    private func failure(_ what: String) -> AccessLogFormatError {
        AccessLogFormatError("Access log format, byte \(index + 1) of its JSON: \(what).")
    }
}
