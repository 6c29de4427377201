import Yams

/// How an unquoted word of YAML is read (YAML 1.1 as Kubernetes reads it, less its rarest forms).
enum PlainScalar: Equatable {
    case null
    case flag(Bool)
    case number
    case text

    init(_ scalar: Node.Scalar) {
        // Quotes, block style or an explicit tag make any word text.
        guard scalar.style == .plain || scalar.style == .any, scalar.tag.rawValue.isEmpty else {
            self = .text
            return
        }
        self.init(scalar.string)
    }

    init(_ word: String) {
        guard let first = word.utf8.first else {
            self = .null
            return
        }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            self = Self.isNumber(word) ? .number : .text
        case UInt8(ascii: "~") where word.utf8.count == 1:
            self = .null
        default:
            self = word.utf8.count <= 5 ? Self.named(word) : .text
        }
    }

    private static func named(_ word: String) -> PlainScalar {
        switch word {
        case "null", "Null", "NULL": .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": .flag(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": .flag(false)
        default: .text
        }
    }

    private static func isNumber(_ word: String) -> Bool {
        // `Double` also reads "-inf" and the like, which YAML spells otherwise.
        guard word.utf8.contains(where: { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return false }
        return Double(word) != nil
    }
}

/// Whole numbers as JSON and YAML may write them: `80`, `80.0`, `8e1`.
enum WholeNumber {
    /// `nil` when the text is no whole number or does not fit.
    static func parse(_ text: String) -> Int? {
        if let value = Int(text) { return value }
        guard let value = Double(text) else { return nil }
        return Int(exactly: value)
    }
}
