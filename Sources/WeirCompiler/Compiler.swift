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
    /// When the same resources compile to something else: the end of a grace.
    package let nextDeadline: Double?
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
    let options: CompilerOptions
    private var seen = SeenResources()
    private var generation: UInt64 = 0

    private var listenerCompiler: ListenerCompiler
    private var layout = ListenerLayout()
    private var layoutVersion = 0

    private var entries = RevisionCache<EntryServices>()
    private var registryDiagnostics: [Diagnostic] = []
    private var ruleDiagnostics: [Diagnostic] = []
    let clusters: ClusterCompiler

    private var list: ServiceList
    private var hosts: VirtualHostCompiler
    private var listeners: [ListenerState] = []
    private var meshDiagnostics: [Diagnostic] = []
    /// Place by place of `list`.
    private var findings: [[Diagnostic]] = []

    package init(options: CompilerOptions) {
        self.options = options
        listenerCompiler = ListenerCompiler(options: options)
        let registry = ServiceRegistry(ServiceRegistry.Sources(), entries: &entries, options: options, names: names)
        clusters = ClusterCompiler(
            options: options, registry: registry, rules: DestinationRules([], options: options), names: names)
        list = ServiceList(options: options)
        hosts = VirtualHostCompiler(options: options)
    }

    /// Compiles all resources.
    ///
    /// Unusable parts are left out and reported; there is always a snapshot. `now` is in seconds of any clock that only goes
    /// forward.
    package func compile(_ resources: ResourceSet, at now: Double = 0) -> Compilation {
        generation += 1
        let madeHosts = hosts.made
        let madePlans = clusters.madePlans
        let versions = (layoutVersion, clusters.version)
        clusters.begin(at: now)
        updateLayout(resources)
        updateClusters(resources)
        let change = list.update(resources, clusters, at: now)
        if change.isRearranged || versions != (layoutVersion, clusters.version) {
            compileAll(resources)
        } else if !change.isNone || !change.reported.isEmpty {
            compile(change)
        }
        let snapshot = Snapshot(
            generation: generation, listeners: listeners.map(\.plan), clusters: clusters.table())
        return Compilation(
            snapshot: snapshot, diagnostics: diagnostics, recompiledVirtualHosts: hosts.made - madeHosts,
            recompiledClusters: clusters.madePlans - madePlans, names: clusters.settleNames(),
            nextDeadline: [clusters.nextDeadline, list.grace.nextDeadline].compactMap { $0 }.min())
    }

    private var diagnostics: [Diagnostic] {
        let found = findings.flatMap { $0 }
        let all = layout.diagnostics + registryDiagnostics + ruleDiagnostics + meshDiagnostics
        guard !list.delegates.isEmpty else { return all + found }
        // Several may delegate to one; what is wrong there is told once.
        var seen: Set<Diagnostic> = []
        return all + found.filter { seen.insert($0).inserted }
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
            let rules = DestinationRules(resources.resources(of: .destinationRule), options: options)
            ruleDiagnostics = rules.diagnostics
            clusters.adopt(rules)
        }
    }

    // MARK: Virtual hosts

    /// Only these VirtualServices changed, and they serve what their former editions served.
    private func compile(_ change: ServiceList.Change) {
        var touched: [ObjectIdentifier: (listener: ListenerState, groups: Set<Int>)] = [:]
        for (place, former) in change.replaced {
            let service = list.services[place]
            service.bind(to: layout, version: layoutVersion)
            service.takePlace(of: former)
            for slot in service.slots {
                slot.listener.replace(slot, by: service)
                touched[ObjectIdentifier(slot.listener), default: (slot.listener, [])].groups.insert(slot.group)
            }
        }
        for (listener, groups) in touched.values {
            for group in groups.sorted() {
                let former = listener.groups[group]
                let host = hosts.host(for: former, former: nil, clusters)
                clusters.use(host)
                if let old = former.host { clusters.release(old) }
                listener.setHost(host, of: group)
            }
            listener.makePlan()
        }
        for place in Set(change.replaced.map(\.place) + change.reported) {
            findings[place] = findings(of: list.services[place])
        }
    }

    private func compileAll(_ resources: ResourceSet) {
        for service in list.services {
            service.bind(to: layout, version: layoutVersion)
            service.leave()
        }
        let former = listeners
        let served = servedOrder()
        listeners = gatewayListeners(served)
        meshDiagnostics = []
        if let address = options.meshListen { listeners.append(meshListener(address, served, resources)) }
        clusters.releaseAll()
        for listener in listeners {
            let before = former.first { $0.isSuccessor(of: listener) }
            for (place, group) in listener.groups.enumerated() {
                let isKept = group.members.count != 1 || group.fallback != nil
                let host = hosts.host(for: group, former: isKept ? before?.group(for: group.key) : nil, clusters)
                clusters.use(host)
                listener.setHost(host, of: place)
            }
            listener.makePlan()
        }
        findings = list.services.map { findings(of: $0) }
    }

    /// The VirtualServices in the order in which their routes are tried.
    private func servedOrder() -> [RoutedService] {
        let services = list.services
        // Seen by the gateway's namespace alone first, exported to all last (semantics 3.1); mostly all are public.
        let isMixed = services.contains { $0.exportRank != .everywhere }
        return isMixed
            ? RoutedService.ExportRank.served.flatMap { rank in services.filter { $0.exportRank == rank } } : services
    }

    private func gatewayListeners(_ services: [RoutedService]) -> [ListenerState] {
        var parts = Array(repeating: [(service: RoutedService, domains: [String])](), count: layout.servers.count)
        for service in services {
            for bound in service.bound { parts[bound.server].append((service, bound.domains)) }
        }
        return layout.listeners.map { listener in
            let state = ListenerState(port: listener.port, bind: listener.bind)
            for server in listener.servers {
                let entrance = layout.servers[server].entrance
                for part in parts[server] {
                    state.add(ListenerState.Member(service: part.service, entrance: entrance), domains: part.domains)
                }
            }
            for server in listener.servers where layout.servers[server].redirectsToHTTPS {
                let domains = parts[server].flatMap(\.domains) + layout.servers[server].hosts.names
                for domain in domains { state.redirectToHTTPS(domain) }
            }
            return state
        }
    }

    private func meshListener(
        _ address: MeshAddress, _ services: [RoutedService], _ resources: ResourceSet
    ) -> ListenerState {
        let mesh = MeshLayout(services.filter(\.isForMesh), registry: clusters.services, options: options) {
            listenerCompiler.entrance(gateway: GatewayName.mesh, port: $0)
        }
        for member in mesh.groups.flatMap(\.members) { member.service.enter(member.entrance) }
        for conflict in mesh.conflicts { conflict.loser.meshConflicts.append(conflict) }
        meshDiagnostics = mesh.ambiguities.compactMap { $0.diagnostic(resources, options) }
        return ListenerState(mesh: address, mesh)
    }

    // MARK: Findings

    private func findings(of service: RoutedService) -> [Diagnostic] {
        if let waiting = list.grace.finding(of: service.resource.id) { return [waiting] }
        if service.isDelegate { return list.delegates.contains(service.resource.id) ? [] : [service.unusedDelegate] }
        let port =
            service.bound.first.map { layout.servers[$0.server].entrance.port } ?? service.meshEntrances.first?.port
        return service.ownDiagnostics + service.patternDiagnostics.values.sorted { $0.path < $1.path }
            + service.bindingDiagnostics + service.meshDiagnostics
            + service.destinationDiagnostics(clusters, serverPort: port)
    }
}
