import Yams

/// What one document's decoding shares: where it is, what was found wrong, and how much may still be read.
///
/// Lives for one `decode` call, on one thread.
final class DecodeSession {
    /// More findings of one resource than anyone reads; the rest is counted in one line.
    private static let findingLimit = 100

    let file: String
    /// Lines of the file before the document's first.
    private let lineOffset: Int
    /// The resource being decoded, once its name is known.
    var resource: ResourceID?
    private(set) var diagnostics: [Diagnostic] = []
    /// Rendered paths of the first errors of the current resource.
    private(set) var errorPaths: [String] = []
    /// The current resource must not be used.
    private(set) var hasErrors = false
    private var findings = 0
    private var omitted = 0
    /// Nodes that may still be visited.
    ///
    /// Without aliases a document has fewer nodes than bytes, so only aliases that multiply each other ever use this
    /// up.
    private var remainingNodes: Int

    init(file: String, firstLine: Int, nodeLimit: Int) {
        self.file = file
        self.lineOffset = firstLine - 1
        self.remainingNodes = nodeLimit
    }

    /// Starts the next resource of the document.
    func begin() {
        flush()
        resource = nil
        errorPaths = []
        hasErrors = false
        findings = 0
    }

    /// Says how many findings of the current resource were left out.
    func flush() {
        guard omitted > 0 else { return }
        let count = omitted
        omitted = 0
        findings = 0
        let line = diagnostics.last?.location.line ?? lineOffset + 1
        add(.schemaWarning, .warning, .root, fileLine: line, "\(count) more findings of this resource are not shown.")
    }

    /// The line in the file of a mark, which counts from the document's start.
    func line(of mark: Mark?) -> Int { lineOffset + (mark?.line ?? 1) }

    func error(_ path: FieldPath, line: @autoclosure () -> Int, _ message: @autoclosure () -> String) {
        hasErrors = true
        if errorPaths.count < Self.findingLimit { errorPaths.append(path.description) }
        add(.schemaValidation, .error, path, fileLine: line(), message())
    }

    func warning(
        _ code: DiagnosticCode, _ path: FieldPath, line: @autoclosure () -> Int, _ message: @autoclosure () -> String
    ) {
        add(code, .warning, path, fileLine: line(), message())
    }

    /// Takes one finding; `fileLine` counts from the file's start.
    ///
    /// Line and text are worked out only if the finding is shown: a resource may have thousands.
    func add(
        _ code: DiagnosticCode, _ severity: Diagnostic.Severity, _ path: FieldPath,
        fileLine: @autoclosure () -> Int, _ message: @autoclosure () -> String
    ) {
        guard findings < Self.findingLimit else {
            omitted += 1
            return
        }
        findings += 1
        diagnostics.append(
            Diagnostic(
                code, severity, resource: resource, path: path.description,
                location: SourceLocation(file: file, line: fileLine()), message: message()))
    }

    /// Counts visited nodes; `false` once the document's limit is passed, which is reported the first time.
    func visit(_ count: Int, at path: FieldPath, line: Int) -> Bool {
        guard remainingNodes >= 0 else { return false }
        remainingNodes -= count
        guard remainingNodes < 0 else { return true }
        error(path, line: line, "The document's aliases multiply to too many values. Write the values out instead.")
        return false
    }
}
