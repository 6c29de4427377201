/// What the compiler must know of the process around it.
package struct CompilerOptions: Sendable {
    /// Workers that will read the snapshot: each gets regex programs of its own.
    package var workers: Int
    /// Where Gateway servers without a `bind` are listened on; `nil` = at all addresses.
    package var bind: String?
    /// Short service names end in `.<namespace>.svc.<domainSuffix>`.
    package var domainSuffix = "cluster.local"
    /// Where the gateway itself counts as living: what it may see, and the first place DestinationRules are looked for.
    package var gatewayNamespace = "default"
    /// Where Secrets are; `nil` = with the Gateway that names them.
    package var secretNamespace: String?
    /// It is for an analysis, which knows of no process and whose environment says nothing.
    package var isAnalysis: Bool { guessesSecretNamespaces }
    /// Without such a place Secrets may be wherever the gateway's pods could be: for an analysis, which knows of no process.
    package var guessesSecretNamespaces = false
    /// Where mesh-wide DestinationRules are looked for last.
    package var rootNamespace = "istio-system"
    /// The labels the gateway goes by: it serves the Gateways whose selector they satisfy, and is the client that
    /// `workloadSelector` and `sourceLabels` speak of; `nil` = every Gateway is served, and no label is known.
    package var gatewayLabels: [String: String]?
    /// Where the gateway runs, `region/zone/subzone`; `nil` = that is not known.
    package var locality: String?
    /// Where callers without a sidecar find services by name; `nil` = nowhere.
    package var meshListen: MeshAddress?
    /// How long an update waits for a service or subset it names and nobody has declared yet; 0 = not at all.
    package var referenceGraceSeconds = 0.0

    package init(workers: Int) {
        self.workers = workers
    }

    /// A service's full name: a name without a dot is one of the namespace's services (semantics 3.6).
    func qualified(_ host: String, namespace: String) -> String {
        let host = host.lowercased()
        // IPv6 addresses have no dot, and `*` is no service.
        if host.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }) || host == "*" {
            return host
        }
        return "\(host).\(namespace).svc.\(domainSuffix)"
    }

    /// Whether a resource with this `exportTo` may be used at the gateway (semantics 3.1).
    func isVisible(exportTo: [String], namespace: String) -> Bool {
        ExportList.isVisible(exportTo, of: namespace, from: gatewayNamespace)
    }

    /// Whether the gateway carries all these labels.
    func carries(_ labels: [String: String]) -> Bool {
        labels.allSatisfy { gatewayLabels?[$0.key] == $0.value }
    }
}
