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
}

/// Turns what the user wrote into what the workers read. Control thread only.
///
/// The result depends on the resources alone. What is kept between calls saves work, and keeps the cluster ids and the
/// objects of unchanged virtual hosts and clusters: an edit costs what it touches.
package final class Compiler {
    private let options: CompilerOptions
    private var seen = SeenResources()
    private var generation: UInt64 = 0

    private var listenerCompiler = ListenerCompiler()
    private var layout = ListenerLayout()
    private var layoutVersion = 0

    private var entries = RevisionCache<EntryServices>()
    private var registryDiagnostics: [Diagnostic] = []
    private let clusters: ClusterCompiler

    /// In Istio's order, as of the last call.
    private var services: [RoutedService] = []
    private var lastSerial: UInt64 = 0
    private var hosts: VirtualHostCompiler

    package init(options: CompilerOptions) {
        self.options = options
        let registry = ServiceRegistry(ServiceRegistry.Sources(), entries: &entries, options: options)
        clusters = ClusterCompiler(
            options: options, registry: registry, rules: DestinationRules([], options: options))
        hosts = VirtualHostCompiler(options: options)
    }

    /// Compiles all resources. Unusable parts are left out and reported; there is always a snapshot.
    package func compile(_ resources: ResourceSet) -> Compilation {
        generation += 1
        updateLayout(resources)
        updateClusters(resources)
        services = collect(resources.resources(of: .virtualService))
        for service in services { service.bind(to: layout, version: layoutVersion) }

        hosts.begin()
        let listeners = compileListeners()
        hosts.end()
        let snapshot = Snapshot(
            generation: generation, listeners: listeners,
            clusters: clusters.plans(for: hosts.usedClusters()),
            clusterCapacity: clusters.capacity)
        return Compilation(
            snapshot: snapshot, diagnostics: diagnostics(), recompiledVirtualHosts: hosts.made,
            recompiledClusters: clusters.madePlans)
    }

    // MARK: Inputs

    private func updateLayout(_ resources: ResourceSet) {
        guard seen.changed([.gateway], in: resources) else { return }
        layout = listenerCompiler.layout(resources.resources(of: .gateway))
        layoutVersion += 1
    }

    private func updateClusters(_ resources: ResourceSet) {
        var registry: ServiceRegistry?
        if seen.changed([.service, .endpointSlice, .pod, .serviceEntry], in: resources) {
            let sources = ServiceRegistry.Sources(
                services: resources.resources(of: .service), slices: resources.resources(of: .endpointSlice),
                pods: resources.resources(of: .pod), entries: resources.resources(of: .serviceEntry))
            let made = ServiceRegistry(sources, entries: &entries, options: options)
            registryDiagnostics = made.diagnostics
            registry = made
        }
        var rules: DestinationRules?
        if seen.changed([.destinationRule], in: resources) {
            rules = DestinationRules(resources.resources(of: .destinationRule), options: options)
        }
        if registry != nil || rules != nil { clusters.adopt(registry, rules) }
    }

    /// The VirtualServices as objects: the same one for as long as its resource stays as it is.
    private func collect(_ resources: [Resource]) -> [RoutedService] {
        let last = services
        // Mostly nothing moves: look at the same place first, and by id only from the first difference on.
        var byID: [ResourceID: RoutedService]?
        return resources.indices.compactMap { place in
            if place < last.count, resources[place].isSame(as: last[place].resource) { return last[place] }
            if byID == nil {
                byID = Dictionary(last.map { ($0.resource.id, $0) }, uniquingKeysWith: { first, _ in first })
            }
            let resource = resources[place]
            if let known = byID?[resource.id], resource.isSame(as: known.resource) { return known }
            guard case .virtualService(let service) = resource.spec else { return nil }
            lastSerial += 1
            return RoutedService(resource, service, serial: lastSerial, options: options)
        }
    }

    // MARK: Outputs

    private func compileListeners() -> [ListenerPlan] {
        // Seen by the gateway's namespace alone first, exported to all last (semantics 3.1); mostly all are public.
        let isMixed = services.contains { $0.exportRank != .everywhere }
        let ordered =
            isMixed
            ? RoutedService.ExportRank.served.flatMap { rank in services.filter { $0.exportRank == rank } } : services
        var byServer = Array(repeating: [VirtualHostPart](), count: layout.servers.count)
        for service in ordered {
            for bound in service.bound {
                byServer[bound.server].append(
                    VirtualHostPart(service: service, server: bound.server, domains: bound.domains))
            }
        }
        return layout.listeners.map { listener in
            var groups = VirtualHostGroups(layout)
            for server in listener.servers {
                for part in byServer[server] { groups.add(part) }
            }
            let planned = groups.groups.map { group in
                ListenerPlan.Host(
                    pattern: group.domain, plan: hosts.plan(for: group, layout, clusters))
            }
            return ListenerPlan(port: listener.port, bind: listener.bind, hosts: planned)
        }
    }

    private func diagnostics() -> [Diagnostic] {
        var all = layout.diagnostics + registryDiagnostics
        for service in services {
            all += service.ownDiagnostics
            if !service.patternDiagnostics.isEmpty {
                all += service.patternDiagnostics.values.sorted { $0.path < $1.path }
            }
            all += service.bindingDiagnostics
            let port = service.bound.first.map { layout.servers[$0.server].port }
            all += service.destinationDiagnostics(clusters, serverPort: port)
        }
        return all
    }
}
