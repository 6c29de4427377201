import WeirConfig
import WeirEngine

/// All services by full name (semantics 5).
struct ServiceRegistry {
    /// Of each name the one that counts: a Kubernetes Service, else that of the oldest ServiceEntry.
    private(set) var services: [String: RegisteredService] = [:]
    /// ServiceEntries' services of the same names in other namespaces: there they come first (semantics 3.6).
    private(set) var others: [String: [RegisteredService]] = [:]
    /// Namespaces of services that are not exported to the gateway, by full name.
    private(set) var hidden: [String: String] = [:]
    private(set) var diagnostics: [Diagnostic] = []
    /// Where the names that DNS is asked for are written.
    private(set) var nameUses: [String: [NameUse]] = [:]

    /// What the registry is made of, in Istio's order.
    struct Sources {
        var services: [Resource] = []
        var slices: [Resource] = []
        var pods: [Resource] = []
        var workloads: [Resource] = []
        var entries: [Resource] = []
    }

    init(
        _ sources: Sources, entries parsed: inout RevisionCache<EntryServices>, options: CompilerOptions,
        names: DestinationNames
    ) {
        services.reserveCapacity(sources.services.count + sources.entries.count)
        let workloads = WorkloadTable(pods: sources.pods, entries: sources.workloads, names: names)
        let kubernetes = KubernetesServices(sources, workloads, options)
        diagnostics = kubernetes.diagnostics
        hidden = kubernetes.hidden
        for service in kubernetes.services { services[service.host] = service }
        for use in kubernetes.names { nameUses[use.name, default: []].append(use) }
        let taken = kubernetes.services.isEmpty ? [] : Set(kubernetes.services.map(\.host))
        for resource in sources.entries {
            guard case .serviceEntry(let entry) = resource.spec else { continue }
            guard options.isVisible(exportTo: entry.exportTo, namespace: resource.id.namespace) else {
                for host in entry.hosts { hidden[host.lowercased()] = resource.id.namespace }
                continue
            }
            // An entry that selects workloads depends on more than itself.
            let made =
                entry.workloadSelector == nil
                ? parsed.value(for: resource) { EntryServices(entry, $0, workloads, names) }
                : EntryServices(entry, resource, workloads, names)
            diagnostics += made.diagnostics
            for use in made.names { nameUses[use.name, default: []].append(use) }
            for service in made.services where !taken.contains(service.host) { add(service) }
        }
        parsed.dropUnused()
    }

    private mutating func add(_ service: RegisteredService) {
        guard let known = services[service.host] else {
            services[service.host] = service
            return
        }
        if known.namespace == service.namespace {
            services[service.host]?.merge(service)
        } else if let place = others[service.host]?.firstIndex(where: { $0.namespace == service.namespace }) {
            others[service.host]?[place].merge(service)
        } else {
            others[service.host, default: []].append(service)
        }
    }

    /// The service a VirtualService of this namespace means by a full name.
    func service(_ host: String, seenFrom namespace: String) -> RegisteredService? {
        service(host, of: namespace) ?? services[host]
    }

    /// The service of this name that this very namespace declares.
    func service(_ host: String, of namespace: String) -> RegisteredService? {
        guard let first = services[host], first.namespace != namespace else { return services[host] }
        return others[host]?.first { $0.namespace == namespace }
    }

    /// What is different in a newer registry.
    func changes(in newer: ServiceRegistry) -> Changes {
        var changes = Changes(mayResolveElsewhere: newer.services.count != services.count)
        for (host, service) in newer.services {
            let former = services[host]
            if former == service { continue }
            changes.hosts.append(host)
            if former?.resolvesAs(service) != true { changes.mayResolveElsewhere = true }
        }
        for host in services.keys where newer.services[host] == nil { changes.hosts.append(host) }
        // What is said of them is another thing, as is where they lead once they are exported.
        if hidden != newer.hidden { changes.mayResolveElsewhere = true }
        if others != newer.others {
            changes.hosts += Set(others.keys).union(newer.others.keys)
            changes.mayResolveElsewhere = true
        }
        return changes
    }

    struct Changes {
        /// Those whose endpoints may be others.
        var hosts: [String] = []
        /// A destination may lead to another cluster than before.
        var mayResolveElsewhere: Bool
    }
}
