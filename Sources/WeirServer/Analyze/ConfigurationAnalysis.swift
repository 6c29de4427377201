import Glibc
import WeirCompiler
import WeirConfig
import WeirSources

/// What `weir analyze` was told on the command line.
package struct AnalysisOptions: Sendable {
    package enum Output: String, Sendable, CaseIterable {
        case log
        case json
        case yaml
    }

    /// Files and directories; `-` is standard input.
    package var paths: [String] = []
    package var output = Output.log
    package var isColoured = false
    /// Messages from this level on are shown.
    package var outputThreshold = AnalysisLevel.info
    /// Messages from this level on make the exit status 79.
    package var failureThreshold = AnalysisLevel.error
    package var suppressions: [AnalysisSuppression] = []
    package var isRecursive = false
    /// Documents that are no YAML, and kinds Weir does not read, are not told of.
    package var ignoresUnknown = false
    /// Where a document names no namespace.
    package var namespace = "default"
    /// Who the gateway is to the resources, as `weir serve` is told.
    package var binding = BindingOptions()

    package init() {}
}

/// Reads, decodes, validates, compiles and analyzes files as a server would, and tells what is wrong.
package struct ConfigurationAnalysis {
    /// A command's answer.
    package struct Result: Sendable {
        package var status: ExitStatus
        /// For standard output; ends with a line break unless empty.
        package var output: String
        /// For standard error, a line each.
        package var remarks: [String]
    }

    private let options: AnalysisOptions
    /// Gives up to so many bytes, and more only where there is more.
    private let standardInput: (Int) -> [UInt8]

    package init(
        _ options: AnalysisOptions, standardInput: @escaping (Int) -> [UInt8] = StandardStreams.readInput(limit:)
    ) {
        self.options = options
        self.standardInput = standardInput
    }

    package func run() -> Result {
        let limits = FileLimits()
        var readout = FileReadout(decoder: DocumentDecoder(defaultNamespace: options.namespace), limits: limits)
        for path in options.paths {
            if path == "-" {
                readout.take(standardInput(limits.fileBytes), file: "stdin")
            } else {
                readout.read(path: path, recursive: options.isRecursive)
            }
        }
        guard readout.missing.isEmpty else {
            let remarks = readout.missing.map { "There is no file or directory \($0)." }
            return Result(status: .failure, output: "", remarks: remarks)
        }
        let delivery = Delivery([readout.contents])
        let messages = find(in: delivery).map(AnalysisMessage.init).sorted(by: Self.isGraver)
        return result(messages, delivery)
    }

    // MARK: Finding

    private func find(in delivery: Delivery) -> [Diagnostic] {
        var compilerOptions = options.binding.compilerOptions(workers: 1, bind: nil)
        compilerOptions.guessesSecretNamespaces = true
        let compiler = Compiler(options: compilerOptions)
        let now = SystemClock.unix
        let compilation = compiler.compile(delivery.resources, unixSeconds: now)
        let known = delivery.diagnostics + compilation.diagnostics
        let found = compiler.analyze(delivery.resources, unixSeconds: now)
        let all = known + FindingFamily.news(in: found, besides: known)
        let silenced = SilencedResources(delivery.resources)
        return all.filter { diagnostic in
            if options.ignoresUnknown, diagnostic.code == .unknownKind { return false }
            // Only what was read and is no configuration; a file that cannot be read stays a problem.
            if options.ignoresUnknown, diagnostic.code == .unreadableFile,
                delivery.files.contains(where: { $0.path == diagnostic.location.file })
            {
                return false
            }
            return !silenced.cover(diagnostic) && !options.suppressions.contains { $0.covers(diagnostic) }
        }
    }

    /// Errors first; then by place.
    private static func isGraver(_ one: AnalysisMessage, _ other: AnalysisMessage) -> Bool {
        if one.level != other.level { return one.level > other.level }
        if one.file != other.file { return one.file < other.file }
        if one.fileLine != other.fileLine { return one.fileLine < other.fileLine }
        return (one.code, one.path ?? "", one.message) < (other.code, other.path ?? "", other.message)
    }

    // MARK: Telling

    private func result(_ messages: [AnalysisMessage], _ delivery: Delivery) -> Result {
        let shown = messages.filter { $0.level >= options.outputThreshold }
        var remarks = options.suppressions.filter { !$0.isKnown }.map {
            "There is no code \($0.code), so suppressing it has no effect."
        }
        let isBad = messages.contains { $0.level >= options.failureThreshold }
        if shown.isEmpty {
            let files = delivery.files.count
            remarks.append(
                "\u{2714} No problems found in \(delivery.resources.count) resources of \(files) "
                    + (files == 1 ? "file." : "files."))
        } else if isBad {
            let counts = AnalysisLevel.allCases.reversed().compactMap { level -> String? in
                let count = messages.count { $0.level == level }
                return count == 0
                    ? nil : "\(count) \(level.rawValue.lowercased())" + (count == 1 || level == .info ? "" : "s")
            }
            remarks.append(
                "Problems found: \(counts.joined(separator: ", ")). docs/analyze.md says what each code means.")
        }
        return Result(status: isBad ? .findings : .success, output: text(shown), remarks: remarks)
    }

    private func text(_ messages: [AnalysisMessage]) -> String {
        switch options.output {
        case .log:
            return messages.map { (options.isColoured ? $0.colouredLine : $0.line) + "\n" }.joined()
        case .json:
            return String(decoding: JSONText.pretty(messages), as: UTF8.self) + "\n"
        case .yaml:
            if messages.isEmpty { return "[]\n" }
            return messages.map(\.yaml).joined()
        }
    }
}

extension AnalysisMessage {
    fileprivate var file: Substring { reference.lastIndex(of: ":").map { reference[..<$0] } ?? reference[...] }
    fileprivate var fileLine: Int { reference.split(separator: ":").last.flatMap { Int($0) } ?? 0 }

    /// An entry of a YAML sequence; the texts are quoted as JSON, which YAML reads too.
    fileprivate var yaml: String {
        let fields: [(String, String?)] = [
            ("code", code), ("documentationUrl", documentationUrl), ("level", level.rawValue), ("message", message),
            ("origin", origin), ("path", path), ("reference", reference),
        ]
        let lines = fields.compactMap { name, value in
            value.map { "\(name): " + String(decoding: JSONText.line($0), as: UTF8.self) }
        }
        return "- " + lines.joined(separator: "\n  ") + "\n"
    }
}

/// Findings of analyzers that say no more than another one does.
enum FindingFamily {
    /// Those of `found` that nothing in `known` tells already, each once.
    static func news(in found: [Diagnostic], besides known: [Diagnostic]) -> [Diagnostic] {
        var told: Set<Field> = []
        // Fields with something in them that is told of.
        var around: Set<Field> = []
        for diagnostic in known {
            told.insert(Field(diagnostic, diagnostic.path))
            for path in outer(diagnostic.path) { around.insert(Field(diagnostic, path)) }
        }
        var seen: Set<Diagnostic> = []
        return found.filter { diagnostic in
            let isKnown =
                around.contains(Field(diagnostic, diagnostic.path))
                || ([diagnostic.path] + outer(diagnostic.path)).contains { told.contains(Field(diagnostic, $0)) }
            return !isKnown && seen.insert(diagnostic).inserted
        }
    }

    private struct Field: Hashable {
        let code: DiagnosticCode
        let resource: ResourceID?
        let path: String

        init(_ diagnostic: Diagnostic, _ path: String) {
            // A match that is reached by nobody may be told as either.
            code = diagnostic.code == .ineffectiveMatch ? .unreachableRule : diagnostic.code
            resource = diagnostic.resource
            self.path = path
        }
    }

    /// The fields a field lies in: `spec`, `spec.http` and `spec.http[0]` of `spec.http[0].match`.
    private static func outer(_ path: String) -> [String] {
        path.indices.filter { path[$0] == "." || path[$0] == "[" }.map { String(path[..<$0]) }
    }
}

/// Resources whose own annotation silences codes, as in Istio.
private struct SilencedResources {
    private static let annotation = "galley.istio.io/analyze-suppress"
    private var codes: [ResourceID: Set<Substring>] = [:]

    init(_ resources: ResourceSet) {
        for kind in Kind.allCases {
            for resource in resources.resources(of: kind) {
                guard let text = resource.metadata.annotations[Self.annotation] else { continue }
                codes[resource.id] = Set(text.split { $0 == "," || $0 == " " })
            }
        }
    }

    func cover(_ diagnostic: Diagnostic) -> Bool {
        guard let id = diagnostic.resource, let codes = codes[id] else { return false }
        return codes.contains("*") || codes.contains(diagnostic.code.rawValue[...])
    }
}
