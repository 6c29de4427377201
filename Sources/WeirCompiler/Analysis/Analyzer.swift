package import WeirConfig

/// Rules over several resources that share inputs and a subject.
package struct Analyzer: Sendable {
    /// Stable; `<kind>.<Subject>`.
    package let name: String
    package let summary: String
    /// The kinds it looks at.
    package let inputs: [Kind]
    /// What it may report.
    package let codes: [DiagnosticCode]
    let run: @Sendable (AnalysisContext, inout AnalysisFindings) -> Void

    init(
        _ name: String, _ summary: String, inputs: [Kind], codes: [DiagnosticCode],
        run: @escaping @Sendable (AnalysisContext, inout AnalysisFindings) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.inputs = inputs
        self.codes = codes
        self.run = run
    }

    /// All of them, by name.
    package static let all: [Analyzer] =
        [
            annotations, gatewayCertificates, gatewayConflicts, gatewayCredentials, gatewayWorkloads,
            destinationRuleHosts,
            destinationRuleSubsets, destinationRuleTLS, serviceEntryProtocols, serviceEntryWorkloads, servicePorts,
            podServices, virtualServiceClaims, virtualServiceDestinations, virtualServiceGateways,
            virtualServiceMeshHosts,
            virtualServiceReachability, virtualServiceSubsets,
        ].sorted { $0.name < $1.name }
}

/// What the analyzers found.
struct AnalysisFindings {
    private(set) var all: [Diagnostic] = []

    /// `line` 0 = the resource's first.
    mutating func report(
        _ code: DiagnosticCode, _ resource: Resource, path: String, line: Int = 0, _ message: String
    ) {
        all.append(
            Diagnostic(
                code, code.level ?? .warning, resource: resource.id, path: path,
                location: resource.location(line: line), message: message))
    }
}

extension Compiler {
    /// What is wrong between resources beyond what compiling them tells.
    ///
    /// The resources must have been compiled just before. `now` is in seconds since 1970.
    package func analyze(_ resources: ResourceSet, unixSeconds now: Double) -> [Diagnostic] {
        let context = AnalysisContext(resources, clusters: clusters, options: options, unixSeconds: now)
        var findings = AnalysisFindings()
        for analyzer in Analyzer.all { analyzer.run(context, &findings) }
        return findings.all
    }
}
