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
    /// What is shown and trusted in TLS, towards clients and endpoints.
    package var certificates: [CertificateStatus] = []
    /// Contexts of such servers made anew.
    package var madeContexts = 0
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
    /// Route tables.
    private var listeners: [ListenerState] = []
    private var sockets: [ListenerSocket] = []
    private let certificates: TLSServerCompiler
    private let files: (any ReferencedFiles)?
    /// What the certificates were made of.
    private var certificateInputs = (layout: -1, files: -1)
    private var meshDiagnostics: [Diagnostic] = []
    /// Place by place of `list`.
    private var findings: [[Diagnostic]] = []

    /// Longest time until certificates' dates are looked at again: timers do not notice that the clock was set.
    static let longestDateSeconds = 3600.0

    /// `files`: what resources name by path; without them what lies in files is not looked at.
    package init(options: CompilerOptions, files: (any ReferencedFiles)? = nil) {
        self.options = options
        self.files = files
        certificates = TLSServerCompiler(options: options, files: files)
        listenerCompiler = ListenerCompiler(options: options)
        let registry = ServiceRegistry(ServiceRegistry.Sources(), entries: &entries, options: options, names: names)
        clusters = ClusterCompiler(
            options: options, registry: registry, rules: DestinationRules([], options: options), names: names,
            files: files)
        list = ServiceList(options: options)
        hosts = VirtualHostCompiler(options: options)
    }

    /// Compiles all resources.
    ///
    /// Unusable parts are left out and reported; there is always a snapshot. `now` is in seconds of any clock that only goes
    /// forward, `unixSeconds` since 1970: without it dates of certificates are not looked at.
    package func compile(_ resources: ResourceSet, at now: Double = 0, unixSeconds: Double? = nil) -> Compilation {
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
        let madeContexts = certificates.made
        updateCertificates(resources, atUnix: unixSeconds)
        for socket in sockets { socket.refresh(certificates) }
        let snapshot = Snapshot(
            generation: generation, listeners: sockets.map(\.publishedPlan), clusters: clusters.table())
        let dates = certificates.nextChange.map { now + min($0 - (unixSeconds ?? 0), Self.longestDateSeconds) }
        return Compilation(
            snapshot: snapshot, diagnostics: diagnostics, recompiledVirtualHosts: hosts.made - madeHosts,
            recompiledClusters: clusters.madePlans - madePlans, names: clusters.settleNames(),
            nextDeadline: [clusters.nextDeadline, list.grace.nextDeadline, dates].compactMap { $0 }.min(),
            certificates: CertificateStatus.joined(certificates.statuses, clusters.certificateStatuses),
            madeContexts: certificates.made - madeContexts)
    }

    private var diagnostics: [Diagnostic] {
        let found = findings.flatMap { $0 }
        let all =
            layout.diagnostics + certificates.diagnostics + clusters.securityDiagnostics + registryDiagnostics
            + ruleDiagnostics + meshDiagnostics
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
        let snapshot = Snapshot(
            generation: generation, listeners: sockets.map(\.publishedPlan), clusters: clusters.newTable())
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

    private func updateCertificates(_ resources: ResourceSet, atUnix now: Double?) {
        let isOther = seen.changed([.secret], in: resources)
        let inputs = (layout: layoutVersion, files: files?.version ?? 0)
        let isDue = now.flatMap { now in certificates.nextChange.map { $0 <= now } } ?? false
        guard isOther || inputs != certificateInputs || isDue else { return }
        certificates.update(layout, resources, atUnix: now)
        // What was read for the first time is no news.
        certificateInputs = inputs
    }

    private func updateClusters(_ resources: ResourceSet) {
        clusters.adopt(secretsOf: resources)
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
        let streams = sockets.flatMap(\.streams)
        var touchedStreams: [ObjectIdentifier: StreamTable] = [:]
        for (place, former) in change.replaced {
            let service = list.services[place]
            service.bind(to: layout, version: layoutVersion)
            service.takePlace(of: former)
            for stream in streams where stream.replace(former, by: service) {
                touchedStreams[ObjectIdentifier(stream)] = stream
            }
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
        for stream in touchedStreams.values {
            clusters.release(stream.resolved)
            stream.makePlan(clusters)
            clusters.use(stream.resolved)
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
        let formerStreams = sockets.flatMap(\.streams)
        let served = servedOrder()
        sockets = gatewaySockets(served)
        for (listener, socket) in zip(layout.listeners, sockets) {
            socket.expectsProxyHeader = listener.proxyProtocol.isExpected
        }
        meshDiagnostics = []
        if let address = options.meshListen {
            sockets.append(ListenerSocket(meshListener(address, served, resources)))
        }
        listeners = sockets.flatMap(\.tables)
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
        for stream in sockets.flatMap(\.streams) {
            if let before = formerStreams.first(where: { stream.isSuccessor(of: $0) }) { stream.succeed(before) }
            stream.makePlan(clusters)
            clusters.use(stream.resolved)
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

    private func gatewaySockets(_ services: [RoutedService]) -> [ListenerSocket] {
        var parts = Array(repeating: [(service: RoutedService, domains: [String])](), count: layout.servers.count)
        for service in services {
            for bound in service.bound { parts[bound.server].append((service, bound.domains)) }
        }
        func table(_ name: String, _ listener: ListenerLayout.Listener, _ servers: [Int]) -> ListenerState {
            let state = ListenerState(port: listener.port, bind: listener.bind, name: name)
            for server in servers {
                let entrance = layout.servers[server].entrance
                for part in parts[server] {
                    state.add(ListenerState.Member(service: part.service, entrance: entrance), domains: part.domains)
                }
            }
            for server in servers where layout.servers[server].redirectsToHTTPS {
                let domains = parts[server].flatMap(\.domains) + layout.servers[server].hosts.names
                for domain in domains { state.redirectToHTTPS(domain) }
            }
            return state
        }
        return layout.listeners.map { listener in
            func stream(_ place: Int, _ source: StreamTable.Source) -> StreamTable {
                StreamTable(source, at: layout.servers[place].entrance, members: parts[place].map(\.service))
            }
            if !listener.isSecured, let first = listener.servers.first, layout.servers[first].content == .stream {
                return ListenerSocket(port: listener.port, bind: listener.bind, stream: stream(first, .tcp))
            }
            guard listener.isSecured else {
                return ListenerSocket(table("http.\(listener.port)", listener, listener.servers))
            }
            let servers = listener.servers.compactMap { place -> ListenerSocket.Secured? in
                let server = layout.servers[place]
                guard let secured = server.tls else { return nil }
                let behind: ListenerSocket.Table =
                    switch server.content {
                    case .http: .http(table(secured.tableName, listener, [place]))
                    case .stream: .stream(stream(place, .tcp))
                    case .passthrough: .passthrough(stream(place, .tls))
                    }
                return ListenerSocket.Secured(
                    server: place, name: secured.tableName, names: server.hosts.distinctNames, table: behind)
            }
            return ListenerSocket(port: listener.port, bind: listener.bind, servers: servers)
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
