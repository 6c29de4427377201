import Testing
import WeirConfig

/// Decodes every document of a YAML text as the file `a.yaml`.
func decodeAll(_ yaml: String, defaultNamespace: String = "default") -> [DecodedDocument] {
    let decoder = DocumentDecoder(defaultNamespace: defaultNamespace)
    return DocumentSplitter.split(Array(yaml.utf8)).map { decoder.decode($0, file: "a.yaml") }
}

/// Decodes a text of one document.
func decodeOne(_ yaml: String) -> DecodedDocument {
    decodeAll(yaml).first ?? DecodedDocument()
}

/// Findings as `error 7 spec.hosts[0]`: severity (and the code when it is not the usual one), line, path.
///
/// What is not acted on yet is left out: `unserved` lists it.
func findings(_ yaml: String) -> [String] {
    decodeAll(yaml).flatMap(\.diagnostics).filter { $0.code != .fieldNotHonoured }.map { diagnostic in
        let isUsual =
            switch diagnostic.severity {
            case .error: diagnostic.code == .schemaValidation
            case .warning: diagnostic.code == .schemaWarning
            case .info: false
            }
        let code = isUsual ? "" : " " + diagnostic.code.rawValue
        return "\(diagnostic.severity.rawValue)\(code) \(diagnostic.location.line) \(diagnostic.path)"
    }
}

/// Paths of the fields that are read but not acted on by this version.
func unserved(_ yaml: String) -> [String] {
    decodeAll(yaml).flatMap(\.diagnostics).filter { $0.code == .fieldNotHonoured }.map(\.path)
}

/// One row of a rule's table: a YAML and the findings it must give, no more and no less.
struct Rule: Sendable, CustomTestStringConvertible {
    var title: String
    var yaml: String
    var expected: [String]

    init(_ title: String, _ yaml: String, _ expected: [String] = []) {
        self.title = title
        self.yaml = yaml
        self.expected = expected
    }

    var testDescription: String { title }

    /// The document is refused if and only if an error is expected.
    var isRefused: Bool { expected.contains { $0.hasPrefix("error") } }
}

extension String {
    /// The text with each line moved right.
    func indented(_ spaces: Int) -> String {
        let margin = String(repeating: " ", count: spaces)
        return split(separator: "\n", omittingEmptySubsequences: false).map { margin + $0 }.joined(separator: "\n")
    }
}
