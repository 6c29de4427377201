package import WeirConfig
package import WeirEngine

/// One generation, and what there is to tell about it.
package struct Compilation: Sendable {
    package let snapshot: Snapshot
    /// Everything found wrong across resources, unchanged findings included.
    package let diagnostics: [Diagnostic]
    /// Virtual hosts whose routes were made anew; the others are the objects of the last generation.
    package let recompiledVirtualHosts: Int
    /// Cluster plans made anew, likewise.
    package let recompiledClusters: Int
    /// Names whose addresses the clusters need.
    package let names: Set<String>
}

/// What DNS has changed: clusters with other endpoints, and nothing else.
package struct EndpointUpdate: Sendable {
    /// Of the generation before, with the same listeners.
    package let snapshot: Snapshot
    /// The clusters whose plans are others than before.
    package let clusters: [Int32]
}

/// Turns what the user wrote into what the workers read.
///
/// Control thread only.
///
/// The result depends on the resources alone. What is kept between calls saves work, and keeps the cluster ids and the
/// objects of unchanged virtual hosts and clusters: an edit costs what it touches.
package final class Compiler {
    /// What metrics call the clusters and endpoints of all generations.
    package let names = DestinationNames()
    private let options: CompilerOptions
    private var seen = SeenResources()
    private var generation: UInt64 = 0

    private var listenerCompiler = ListenerCompiler()
    private var layout = ListenerLayout()
    private var layoutVersion = 0

    private var entries = RevisionCache<EntryServices>()
    private var registryDiagnostics: [Diagnostic] = []
    private let clusters: ClusterCompiler

    private var list: ServiceList
    private var hosts: VirtualHostCompiler
    private var listeners: [ListenerState] = []
    /// Place by place of `list`.
    private var findings: [[Diagnostic]] = []

    package init(options: CompilerOptions) {
        self.options = options
        let registry = ServiceRegistry(ServiceRegistry.Sources(), entries: &entries, options: options, names: names)
        clusters = ClusterCompiler(
            options: options, registry: registry, rules: DestinationRules([], options: options), names: names)
        list = ServiceList(options: options)
        hosts = VirtualHostCompiler(options: options)
    }

    /// Compiles all resources.
    ///
    /// Unusable parts are left out and reported; there is always a snapshot.
    package func compile(_ resources: ResourceSet) -> Compilation {
        generation += 1
        let madeHosts = hosts.made
        let madePlans = clusters.madePlans
        let versions = (layoutVersion, clusters.version)
        updateLayout(resources)
        updateClusters(resources)
        let change = list.update(resources.resources(of: .virtualService))
        switch change {
        case .none where versions == (layoutVersion, clusters.version): break
        case .inPlace(let replaced) where versions == (layoutVersion, clusters.version): compile(replaced)
        default: compileAll()
        }
        let snapshot = Snapshot(
            generation: generation, listeners: listeners.map(\.plan), clusters: clusters.table())
        return Compilation(
            snapshot: snapshot, diagnostics: layout.diagnostics + registryDiagnostics + findings.flatMap { $0 },
            recompiledVirtualHosts: hosts.made - madeHosts, recompiledClusters: clusters.madePlans - madePlans,
            names: clusters.settleNames())
    }

    /// Takes in what became known of names; `nil` when no cluster has other endpoints for it.
    ///
    /// No route is looked at.
    package func update(_ answers: [String: NameAnswer]) -> EndpointUpdate? {
        let changed = clusters.adopt(answers)
        guard !changed.isEmpty else { return nil }
        let snapshot = Snapshot(generation: generation, listeners: listeners.map(\.plan), clusters: clusters.newTable())
        return EndpointUpdate(snapshot: snapshot, clusters: changed)
    }

    /// Names that lead nowhere, or to addresses that are old.
    package var nameDiagnostics: [Diagnostic] { clusters.nameDiagnostics }

    // MARK: Inputs

    private func updateLayout(_ resources: ResourceSet) {
        guard seen.changed([.gateway], in: resources) else { return }
        layout = listenerCompiler.layout(resources.resources(of: .gateway))
        layoutVersion += 1
    }

    private func updateClusters(_ resources: ResourceSet) {
        if seen.changed([.service, .endpointSlice, .pod, .workloadEntry, .serviceEntry], in: resources) {
            let sources = ServiceRegistry.Sources(
                services: resources.resources(of: .service), slices: resources.resources(of: .endpointSlice),
                pods: resources.resources(of: .pod), workloads: resources.resources(of: .workloadEntry),
                entries: resources.resources(of: .serviceEntry))
            let registry = ServiceRegistry(sources, entries: &entries, options: options, names: names)
            registryDiagnostics = registry.diagnostics
            clusters.adopt(registry)
        }
        if seen.changed([.destinationRule], in: resources) {
            clusters.adopt(DestinationRules(resources.resources(of: .destinationRule), options: options))
        }
    }

    // MARK: Virtual hosts

    /// Only these VirtualServices changed, and they serve what their former editions served.
    private func compile(_ replaced: [(place: Int, former: RoutedService)]) {
        var touched: [ObjectIdentifier: (listener: ListenerState, groups: Set<Int>)] = [:]
        for (place, former) in replaced {
            let service = list.services[place]
            service.bind(to: layout, version: layoutVersion)
            service.slots = former.slots
            for slot in service.slots {
                slot.listener.replace(slot, by: service)
                touched[ObjectIdentifier(slot.listener), default: (slot.listener, [])].groups.insert(slot.group)
            }
        }
        for (listener, groups) in touched.values {
            for group in groups.sorted() {
                let former = listener.groups[group]
                let host = hosts.host(for: former, former: nil, layout, clusters)
                clusters.use(host)
                if let old = former.host { clusters.release(old) }
                listener.setHost(host, of: group)
            }
            listener.makePlan()
        }
        for (place, _) in replaced { findings[place] = findings(of: list.services[place]) }
    }

    private func compileAll() {
        for service in list.services {
            service.bind(to: layout, version: layoutVersion)
            service.slots.removeAll(keepingCapacity: true)
        }
        let former = listeners
        let parts = partsByServer()
        listeners = layout.listeners.map { listener in
            let state = ListenerState(port: listener.port, bind: listener.bind)
            for server in listener.servers {
                for part in parts[server] { state.add(part, binding: layout.servers[server].binding) }
            }
            return state
        }
        clusters.releaseAll()
        for listener in listeners {
            let before = former.first { $0.port == listener.port && $0.bind == listener.bind }
            for (place, group) in listener.groups.enumerated() {
                let former = group.members.count > 1 ? before?.group(for: group.domain) : nil
                let host = hosts.host(for: group, former: former, layout, clusters)
                clusters.use(host)
                listener.setHost(host, of: place)
            }
            listener.makePlan()
        }
        findings = list.services.map { findings(of: $0) }
    }

    /// What each server serves, in the order routes are tried.
    private func partsByServer() -> [[ListenerState.Part]] {
        let services = list.services
        // Seen by the gateway's namespace alone first, exported to all last (semantics 3.1); mostly all are public.
        let isMixed = services.contains { $0.exportRank != .everywhere }
        let ordered =
            isMixed
            ? RoutedService.ExportRank.served.flatMap { rank in services.filter { $0.exportRank == rank } } : services
        var parts = Array(repeating: [ListenerState.Part](), count: layout.servers.count)
        for service in ordered {
            for bound in service.bound {
                parts[bound.server].append(
                    ListenerState.Part(service: service, server: bound.server, domains: bound.domains))
            }
        }
        return parts
    }

    // MARK: Findings

    private func findings(of service: RoutedService) -> [Diagnostic] {
        let port = service.bound.first.map { layout.servers[$0.server].port }
        return service.ownDiagnostics + service.patternDiagnostics.values.sorted { $0.path < $1.path }
            + service.bindingDiagnostics + service.destinationDiagnostics(clusters, serverPort: port)
    }
}
