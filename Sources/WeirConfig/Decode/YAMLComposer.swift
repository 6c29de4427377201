import Yams

/// Why a text is no usable YAML.
struct YAMLProblem: Error {
    /// Line in the text, from 1.
    var line: Int
    var message: String
    /// The same key twice in one mapping: the document's head may still be readable.
    var isDuplicateKey = false
}

/// The only place that calls the YAML parser.
enum YAMLComposer {
    /// The root node; `nil` for an empty text.
    ///
    /// Scalars stay untyped: `PlainScalar` types those that are read.
    static func compose(_ text: String) throws(YAMLProblem) -> Node? {
        try AliasGuard.check(text)
        return try parse(text)
    }

    /// Composes a text whose aliases are known to be harmless.
    fileprivate static func parse(_ text: String) throws(YAMLProblem) -> Node? {
        do {
            return try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw problem(error)
        } catch {
            throw YAMLProblem(line: 1, message: "This is no YAML: \(error).")
        }
    }

    private static func problem(_ error: YamlError) -> YAMLProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = context.map { " (\($0.text), line \($0.mark.line) of the document)" } ?? ""
            return YAMLProblem(line: mark.line, message: "This is no YAML: \(problem)\(place).")
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.prefix(offset ?? 0)
            let line = 1 + before.reduce(0) { $0 + ($1.isNewline ? 1 : 0) }
            return YAMLProblem(line: line, message: "This is no YAML: \(problem).")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.sorted().joined(separator: ", ")
            let message = "The same key is written twice in one mapping: \(names). Keep one of them."
            return YAMLProblem(line: context.mark.line, message: message, isDuplicateKey: true)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return YAMLProblem(line: 1, message: "This is no YAML: \(error).")
        }
    }
}

/// Bounds what aliases can do inside the parser, which frees nodes recursively and hashes every key.
///
/// Values are safe: the session's limit bounds how much of an expansion is ever read. A key made of aliases to aliases
/// would be hashed in exponential time, though. So a document with aliases is first composed with each `*name` made a
/// plain word, which needs no expansion; if no key of it is an alias, a list or a mapping, the real text is safe.
private enum AliasGuard {
    /// Also bounds how deep a chain of aliases can nest, and with it the recursion that frees the nodes.
    private static let aliasLimit = 1_000

    static func check(_ text: String) throws(YAMLProblem) {
        guard text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) else { return }
        var bytes = Array(text.utf8)
        var names = Set<String>()
        var count = 0
        for index in bytes.indices where bytes[index] == UInt8(ascii: "*") {
            let name = bytes[(index + 1)...].prefix(while: isNameByte)
            guard !name.isEmpty else { continue }
            bytes[index] = UInt8(ascii: "_")
            names.insert("_" + String(decoding: name, as: UTF8.self))
            count += 1
        }
        guard count > 0 else { return }
        guard count <= aliasLimit else {
            throw YAMLProblem(line: 1, message: "More than \(aliasLimit) YAML aliases. Write the values out instead.")
        }
        guard let root = try YAMLComposer.parse(String(decoding: bytes, as: UTF8.self)) else { return }
        guard let line = lineOfComplexKey(in: root, aliases: names) else { return }
        throw YAMLProblem(
            line: line, message: "A key is an alias, a list or a mapping. Write a plain word before the colon.")
    }

    /// Recursion is bounded by the parser's own nesting limit of 1000; the tree holds no aliases.
    private static func lineOfComplexKey(in node: Node, aliases: Set<String>) -> Int? {
        switch node {
        case .scalar, .alias: return nil
        case .sequence(let sequence):
            for item in sequence {
                if let line = lineOfComplexKey(in: item, aliases: aliases) { return line }
            }
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard case .scalar(let name) = key, name.style != .plain || !aliases.contains(name.string) else {
                    return key.mark?.line ?? 1
                }
                if let line = lineOfComplexKey(in: value, aliases: aliases) { return line }
            }
        }
        return nil
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
