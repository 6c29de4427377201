/// What the rules found in one decoded resource.
///
/// The decoder adds file and line.
struct Findings {
    struct Finding {
        var code: DiagnosticCode
        var severity: Diagnostic.Severity
        var path: FieldPath
        var message: String
    }

    private(set) var all: [Finding] = []

    /// The resource is refused.
    mutating func error(_ path: FieldPath, _ message: String) {
        all.append(Finding(code: .schemaValidation, severity: .error, path: path, message: message))
    }

    mutating func warning(_ path: FieldPath, _ message: String, code: DiagnosticCode = .schemaWarning) {
        all.append(Finding(code: code, severity: .warning, path: path, message: message))
    }

    mutating func info(_ path: FieldPath, _ message: String, code: DiagnosticCode) {
        all.append(Finding(code: code, severity: .info, path: path, message: message))
    }

    /// A port that a user names must exist: 1 to 65535.
    mutating func checkPort(_ number: Int, _ path: FieldPath) {
        guard number < 1 || number > 65_535 else { return }
        error(
            path,
            number == 0
                ? "The port is missing or 0. Write a number from 1 to 65535."
                : "\(number) is no port. Write a number from 1 to 65535.")
    }

    mutating func checkPercent(_ percent: Percent?, _ path: FieldPath, atLeast least: Double = 0) {
        guard let value = percent?.value, value < 0 || value > 100 || (value > 0 && value < least) else { return }
        let small = least > 0 ? ", and 0.0001 as the least above 0" : ""
        error(path, "\(value) is no percentage. Write a number from 0 to 100\(small).")
    }

    /// Label keys and values as Kubernetes takes them.
    mutating func checkLabels(_ labels: [String: String], _ path: FieldPath) {
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            if !NameSyntax.isLabelKey(key) {
                error(path[key], "\(key) is no label name. Use up to 63 letters, digits, '-', '_' and '.'.")
            } else if !NameSyntax.isLabelValue(value) {
                error(path[key], "\(value) is no label value. Use up to 63 letters, digits, '-', '_' and '.'.")
            }
        }
    }

    /// Whose namespaces may see a resource.
    ///
    /// `~` (nobody) is for ServiceEntries only.
    mutating func checkExportTo(
        _ names: [String], at path: FieldPath, namespace: String, allowsNobody: Bool = false
    ) {
        var seen = Set<String>()
        for (index, name) in names.enumerated() {
            let isKnown = name == "." || name == "*" || (allowsNobody && name == "~") || NameSyntax.isDNSLabel(name)
            if !isKnown { error(path[index], "\(name) is no namespace. Write a name, \".\" for this one, or \"*\".") }
            if !seen.insert(name == "." ? namespace : name).inserted {
                error(path[index], "\(name) is listed twice. Keep one.")
            }
        }
        if names.count > 1, seen.contains("*") || (allowsNobody && seen.contains("~")) {
            error(path, "\"*\" and \"~\" stand alone. Remove them, or the other namespaces.")
        }
    }
}
