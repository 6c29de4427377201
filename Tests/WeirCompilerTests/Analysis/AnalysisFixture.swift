import Testing
import WeirConfig

@testable import WeirCompiler

/// One row of an analyzer's table: YAML, and what its analyzer must find in it, no more and no less.
struct AnalysisCase: Sendable, CustomTestStringConvertible {
    var title: String
    var yaml: String
    /// `CODE name path` each, sorted.
    var expected: [String]

    init(_ title: String, _ yaml: String, _ expected: [String] = []) {
        self.title = title
        self.yaml = yaml
        self.expected = expected.sorted()
    }

    var testDescription: String { title }

    /// A moment within the life of the tests' certificates.
    static let now = 2_000_000_000.0

    /// What one analyzer finds.
    func found(by analyzer: Analyzer, at now: Double = now) -> [String] {
        let decoded = DocumentSplitter.split(Array(yaml.utf8)).map { DocumentDecoder().decode($0, file: "a.yaml") }
        let errors = decoded.flatMap(\.diagnostics).filter { $0.severity == .error }
        #expect(errors.isEmpty, "\(title) is no valid configuration: \(errors)")
        let resources = ResourceSet(decoded.flatMap(\.resources))
        let options = CompilerOptions(workers: 1)
        let compiler = Compiler(options: options)
        _ = compiler.compile(resources)
        let context = AnalysisContext(
            resources, clusters: compiler.clusters, options: options, unixSeconds: now)
        var findings = AnalysisFindings()
        analyzer.run(context, &findings)
        for finding in findings.all {
            #expect(
                analyzer.codes.contains(finding.code),
                "\(analyzer.name) reports \(finding.code), which it does not declare")
            #expect(finding.location.line > 0 && finding.location.file == "a.yaml")
            #expect(!finding.message.isEmpty)
        }
        return findings.all.map { "\($0.code.rawValue) \($0.resource?.name ?? "") \($0.path)" }.sorted()
    }
}

/// Short YAML for the tables.
enum Doc {
    /// A document of Istio's, its `spec:` in lines of two blanks.
    static func istio(_ kind: String, _ name: String, _ spec: String, more: String = "") -> String {
        "---\napiVersion: networking.istio.io/v1\nkind: \(kind)\nmetadata: {name: \(name)\(more)}\nspec:\n"
            + indented(spec)
    }

    static func core(_ kind: String, _ name: String, _ rest: String = "", more: String = "") -> String {
        "---\napiVersion: v1\nkind: \(kind)\nmetadata: {name: \(name)\(more)}\n\(rest)\n"
    }

    static func gateway(
        _ name: String = "gw", hosts: String = "\"*\"", port: Int = 80, selector: String? = nil, more: String = ""
    ) -> String {
        istio(
            "Gateway", name,
            (selector.map { "selector: {\($0)}\n" } ?? "")
                + "servers:\n- port: {number: \(port), name: http, protocol: HTTP}\n  hosts: [\(hosts)]", more: more)
    }

    /// A Gateway that terminates TLS.
    static func tlsGateway(_ name: String = "gw", _ tls: String, selector: String? = nil, more: String = "") -> String {
        istio(
            "Gateway", name,
            (selector.map { "selector: {\($0)}\n" } ?? "")
                + "servers:\n- port: {number: 443, name: https, protocol: HTTPS}\n  hosts: [\(name).example.com]\n"
                + "  tls: {mode: SIMPLE, \(tls)}", more: more)
    }

    static func service(_ name: String, ports: String = "{name: http, port: 80}", more: String = "") -> String {
        core("Service", name, "spec: {ports: [\(ports)], selector: {app: \(name)}}", more: more)
    }

    static func pod(_ name: String, labels: String, more: String = "") -> String {
        core("Pod", name, "", more: ", labels: {\(labels)}\(more)")
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)\n" }.joined()
    }
}
