import Yams

/// Why a text is no usable YAML.
struct YAMLProblem: Error {
    /// Line in the text, from 1.
    var line: Int
    var message: String
    /// The same key twice in one mapping: the document's head may still be readable.
    var isDuplicateKey = false
}

/// Calls the YAML parser; only `AliasGuard` does so beside it.
enum YAMLComposer {
    /// The root node; `nil` for an empty text.
    ///
    /// Scalars stay untyped: `PlainScalar` types those that are read.
    static func compose(_ text: String) throws(YAMLProblem) -> Node? {
        try AliasGuard.check(text)
        return try parse(text)
    }

    /// Composes a text whose aliases are known to be harmless.
    private static func parse(_ text: String) throws(YAMLProblem) -> Node? {
        try composing { try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot() }
    }

    /// Runs the parser and words its errors.
    static func composing(_ body: () throws -> Node?) throws(YAMLProblem) -> Node? {
        do {
            return try body()
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
