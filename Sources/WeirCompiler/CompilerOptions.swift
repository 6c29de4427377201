/// What the compiler must know of the process around it.
package struct CompilerOptions: Sendable {
    /// Workers that will read the snapshot: each gets regex programs of its own.
    package var workers: Int
    /// Short service names end in `.<namespace>.svc.<domainSuffix>`.
    package var domainSuffix = "cluster.local"
    /// Where the gateway itself counts as living: what it may see, and the first place DestinationRules are looked for.
    package var gatewayNamespace = "default"
    /// Where mesh-wide DestinationRules are looked for last.
    package var rootNamespace = "istio-system"

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
        if exportTo.isEmpty { return true }
        return exportTo.contains { entry in
            switch entry {
            case "*": true
            case ".": namespace == gatewayNamespace
            default: entry == gatewayNamespace
            }
        }
    }
}
