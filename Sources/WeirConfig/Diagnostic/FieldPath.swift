/// Where in a document a value stands; printed as `spec.http[0].match[1].uri.regex`.
///
/// A linked value, so that walking a document builds no text: only a diagnostic renders it.
indirect enum FieldPath {
    case root
    case field(FieldPath, String)
    case item(FieldPath, Int)

    subscript(name: String) -> FieldPath { .field(self, name) }
    subscript(index: Int) -> FieldPath { .item(self, index) }
}

extension FieldPath: CustomStringConvertible {
    var description: String {
        switch self {
        case .root:
            return ""
        case .item(let parent, let index):
            return "\(parent.description)[\(index)]"
        case .field(let parent, let name):
            // Label and Secret keys hold dots and slashes, which would read as steps of the path.
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isPlain) else { return "\(parent.description)[\"\(name)\"]" }
            let prefix = parent.description
            return prefix.isEmpty ? name : "\(prefix).\(name)"
        }
    }

    /// The steps from the root to here.
    var steps: [Step] {
        switch self {
        case .root: []
        case .field(let parent, let name): parent.steps + [.field(name)]
        case .item(let parent, let index): parent.steps + [.item(index)]
        }
    }

    enum Step {
        case field(String)
        case item(Int)
    }

    /// Whether one of two rendered paths lies within the other, or both are the same.
    static func related(_ one: String, _ other: String) -> Bool {
        let (short, long) = one.utf8.count <= other.utf8.count ? (one, other) : (other, one)
        guard long.hasPrefix(short) else { return false }
        guard let next = long.utf8.dropFirst(short.utf8.count).first else { return true }
        return short.isEmpty || next == UInt8(ascii: ".") || next == UInt8(ascii: "[")
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}
