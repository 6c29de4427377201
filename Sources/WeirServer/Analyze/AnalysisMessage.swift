import WeirCompiler
import WeirConfig

/// How grave a message is; the words are istioctl's.
package enum AnalysisLevel: String, Sendable, CaseIterable, Comparable, Codable {
    case info = "Info"
    case warning = "Warning"
    case error = "Error"

    /// Whatever the case.
    package init?(name: String) {
        guard let level = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = level
    }

    init(_ severity: Diagnostic.Severity) {
        switch severity {
        case .error: self = .error
        case .warning: self = .warning
        case .info: self = .info
        }
    }

    private var rank: Int {
        switch self {
        case .info: 0
        case .warning: 1
        case .error: 2
        }
    }

    package static func < (one: AnalysisLevel, other: AnalysisLevel) -> Bool { one.rank < other.rank }
}

/// One message of the analysis, under the names istioctl's JSON has; `path` is Weir's own.
struct AnalysisMessage: Codable, Hashable {
    var code: String
    var level: AnalysisLevel
    var message: String
    /// `Kind namespace/name`.
    var origin: String?
    /// `file:line`.
    var reference: String
    /// Field of the resource.
    var path: String?
    var documentationUrl: String

    init(_ diagnostic: Diagnostic) {
        code = diagnostic.code.rawValue
        level = AnalysisLevel(diagnostic.code.level ?? diagnostic.severity)
        message = diagnostic.message
        origin = diagnostic.resource?.description
        reference = "\(diagnostic.location.file):\(diagnostic.location.line)"
        path = diagnostic.path.isEmpty ? nil : diagnostic.path
        documentationUrl =
            code.hasPrefix("IST")
            ? "https://istio.io/latest/docs/reference/config/analysis/\(code.lowercased())/"
            : "docs/analyze.md#\(code.lowercased())"
    }

    /// `Level [CODE] (Kind ns/name file:line) field: text`.
    var line: String { line(level: level.rawValue) }

    /// The same with the level coloured for a terminal.
    var colouredLine: String {
        let colour =
            switch level {
            case .error: "31"
            case .warning: "33"
            case .info: "34"
            }
        return line(level: "\u{1B}[\(colour)m\(level.rawValue)\u{1B}[0m")
    }

    private func line(level: String) -> String {
        let place = origin.map { "\($0) \(reference)" } ?? reference
        let text = "\(level) [\(code)] (\(place)) \(path.map { $0 + ": " } ?? "")\(message)"
        return level == self.level.rawValue ? Self.plain(text) : Self.plain(text, after: level.count)
    }

    /// What users wrote must not break the line, nor reach the terminal as commands.
    private static func plain(_ text: String, after start: Int = 0) -> String {
        let rest = text.dropFirst(start)
        guard rest.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        var plain = String(text.prefix(start)).unicodeScalars
        for scalar in rest.unicodeScalars { plain.append(scalar.value < 0x20 || scalar.value == 0x7F ? "?" : scalar) }
        return String(plain)
    }
}

/// What is not to be told: a code, on resources of some name.
package struct AnalysisSuppression: Sendable, Equatable {
    let code: String
    /// `Kind name.namespace` or `Kind namespace/name`; `*` stands for any text.
    let pattern: String

    /// Reads `CODE=Kind name.namespace`.
    package init(_ text: String) throws(OptionError) {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty, !sides[1].isEmpty else {
            throw OptionError(
                "'\(text)' suppresses nothing. Write CODE=Kind name.namespace, such as IST0101=VirtualService *.shop.")
        }
        code = String(sides[0])
        pattern = String(sides[1])
    }

    /// Whether there is such a code.
    var isKnown: Bool { DiagnosticCode(rawValue: code) != nil }

    func covers(_ diagnostic: Diagnostic) -> Bool {
        guard diagnostic.code.rawValue == code else { return false }
        guard let id = diagnostic.resource else { return Self.matches(pattern, diagnostic.location.file) }
        let kind = id.kind.rawValue
        let names = id.namespace.isEmpty ? [id.name] : ["\(id.name).\(id.namespace)", "\(id.namespace)/\(id.name)"]
        return names.contains { Self.matches(pattern, "\(kind) \($0)") }
    }

    /// Whether the text has the pattern's parts in order, at both ends where no `*` stands.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return pattern == text }
        guard text.hasPrefix(first) else { return false }
        var rest = text.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
