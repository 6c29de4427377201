import WeirConfig

extension Analyzer {
    /// ServiceEntries that disagree about what a port speaks.
    static let serviceEntryProtocols = Analyzer(
        "serviceentry.Protocols", "ServiceEntries that give one host and port different protocols",
        inputs: [.serviceEntry], codes: [.conflictingEntryProtocols]
    ) { context, findings in
        struct Key: Hashable {
            let host: String
            let port: Int
        }
        struct Use {
            let resource: Resource
            let scope: ExportScope
            let word: String
        }
        var uses: [Key: [Use]] = [:]
        for (resource, entry) in context.serviceEntries {
            let scope = ExportScope(entry.exportTo, of: resource)
            for host in Set(entry.hosts.map({ $0.lowercased() })) {
                for port in entry.ports {
                    let use = Use(
                        resource: resource, scope: scope, word: port.protocol.uppercased())
                    uses[Key(host: host, port: port.number), default: []].append(use)
                }
            }
        }
        for (resource, entry) in context.serviceEntries {
            for (index, port) in entry.ports.enumerated() {
                let word = port.protocol.uppercased()
                let scope = ExportScope(entry.exportTo, of: resource)
                let rivals = Set(entry.hosts.map { $0.lowercased() }).lazy
                    .flatMap { uses[Key(host: $0, port: port.number)] ?? [] }
                    .filter { $0.word != word && $0.resource.id != resource.id && $0.scope.meets(scope) }
                let names = NameList(rivals.map { "\($0.resource.id.fullName) (\($0.word))" })
                guard !names.isEmpty else { continue }
                findings.report(
                    .conflictingEntryProtocols, resource, path: "spec.ports[\(index)].protocol",
                    "Port \(port.number) is \(word) here and something else in \(names.text) for the same host; "
                        + "only the oldest counts. Write the same protocol in all of them.")
            }
        }
    }

    /// Selectors that choose nobody.
    static let serviceEntryWorkloads = Analyzer(
        "serviceentry.Workloads", "Workload selectors of ServiceEntries and DestinationRules that match nothing",
        inputs: [.serviceEntry, .pod, .workloadEntry], codes: [.noMatchingWorkloads]
    ) { context, findings in
        for (resource, entry) in context.serviceEntries {
            guard let selector = entry.workloadSelector, !selector.isEmpty else { continue }
            let namespace = resource.id.namespace
            let isMatched =
                !context.pods.carrying(selector, in: namespace).isEmpty
                || context.workloadEntries.contains {
                    $0.resource.id.namespace == namespace
                        && selector.isCarried(by: $0.resource.metadata.labels.merging($0.spec.labels) { $1 })
                }
            if isMatched { continue }
            findings.report(
                .noMatchingWorkloads, resource, path: "spec.workloadSelector",
                "No Pod or WorkloadEntry of namespace \(namespace) has the labels \(selector.selectorText), so the service has no "
                    + "endpoints. Correct the labels, or add such a workload.")
        }
    }
}

/// Who may see a resource.
struct ExportScope {
    private let isEverywhere: Bool
    private let namespaces: Set<String>

    init(_ exportTo: [String], of resource: Resource) {
        isEverywhere = exportTo.isEmpty || exportTo.contains("*")
        namespaces = Set(exportTo.map { $0 == "." ? resource.id.namespace : $0 }).subtracting(["~"])
    }

    /// Whether somebody may see both.
    func meets(_ other: ExportScope) -> Bool {
        switch (isEverywhere, other.isEverywhere) {
        case (true, true): true
        case (true, false): !other.namespaces.isEmpty
        case (false, true): !namespaces.isEmpty
        case (false, false): !namespaces.isDisjoint(with: other.namespaces)
        }
    }
}
