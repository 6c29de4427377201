import Yams

/// Bounds what aliases can do inside the parser, which hashes every key and frees nodes recursively.
///
/// A key made of aliases to aliases would be hashed in exponential time, and a chain of aliases nests deeper than the
/// parser's own limit. So a document with aliases is first composed with each `*name` made a plain word, which expands
/// nothing, and looked through. Values need no guard: the session's limit bounds how much of an expansion is read.
struct AliasGuard {
    private static let aliasLimit = 1_000
    /// As deep as the parser lets a document nest without aliases.
    private static let heightLimit = 1_000

    /// The plain words that stand for aliases.
    private let words: Set<String>
    /// Height of each anchored value so far, by the word that stands for its alias.
    private var heights: [String: Int] = [:]

    /// Throws what is wrong with the aliases of a text, or what makes it no YAML.
    static func check(_ text: String) throws(YAMLProblem) {
        guard text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) else { return }
        let (plain, words) = try withoutAliases(text)
        guard !words.isEmpty else { return }
        var walk = AliasGuard(words: words)
        var problem: YAMLProblem?
        _ = try YAMLComposer.composing {
            let parser = try Parser(yaml: plain, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return nil }
            // Nodes know their anchors only as long as the parser lives.
            problem = withExtendedLifetime(parser) { walk.problem(in: root) }
            return root
        }
        if let problem { throw problem }
    }

    private init(words: Set<String>) { self.words = words }

    /// The text with the star of everything that could be an alias replaced, also inside other words: it is only
    /// looked through, never used.
    private static func withoutAliases(_ text: String) throws(YAMLProblem) -> (text: String, words: Set<String>) {
        var bytes = Array(text.utf8)
        var words = Set<String>()
        var count = 0
        for index in bytes.indices where bytes[index] == UInt8(ascii: "*") {
            let name = bytes[(index + 1)...].prefix(while: isNameByte)
            guard !name.isEmpty else { continue }
            bytes[index] = UInt8(ascii: "_")
            words.insert("_" + String(decoding: name, as: UTF8.self))
            count += 1
        }
        guard count <= aliasLimit else {
            throw YAMLProblem(line: 1, message: "More than \(aliasLimit) YAML aliases. Write the values out instead.")
        }
        return (String(decoding: bytes, as: UTF8.self), words)
    }

    private mutating func problem(in root: Node) -> YAMLProblem? {
        do throws(YAMLProblem) {
            _ = try height(of: root)
            return nil
        } catch {
            return error
        }
    }

    /// Height of a value with its aliases followed, in the order in which the parser would resolve them.
    ///
    /// The recursion itself is bounded by the parser's nesting limit: this tree holds no aliases.
    private mutating func height(of node: Node) throws(YAMLProblem) -> Int {
        var height = 0
        switch node {
        case .alias: break
        case .scalar(let scalar):
            if scalar.style == .plain { height = heights[scalar.string] ?? 0 }
        case .sequence(let sequence):
            for item in sequence { height = max(height, try self.height(of: item) + 1) }
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard case .scalar(let name) = key, name.style != .plain || !words.contains(name.string) else {
                    let message = "A key is an alias, a list or a mapping. Write a plain word before the colon."
                    throw YAMLProblem(line: key.mark?.line ?? 1, message: message)
                }
                height = max(height, try self.height(of: value) + 1)
            }
        }
        guard height <= Self.heightLimit else {
            let message = "Aliases nest deeper than \(Self.heightLimit) levels. Write the values out instead."
            throw YAMLProblem(line: node.mark?.line ?? 1, message: message)
        }
        if let anchor = node.anchor { heights["_" + anchor.rawValue] = height }
        return height
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
