import WeirConfig
import WeirEngine

/// What a VirtualService adds through one server.
struct VirtualHostPart {
    let service: RoutedService
    let server: Int
    let domains: [String]
}

/// The parts of each domain of a listener, in the order their routes are tried (semantics 3.3).
struct VirtualHostGroups {
    struct Member {
        let service: RoutedService
        let server: Int
    }
    struct Group {
        let domain: String
        let first: Member
        var others: [Member] = []
    }
    private struct Place: Hashable {
        let group: Int
        let service: UInt64
        let binding: Int
    }

    private let layout: ListenerLayout
    private(set) var groups: [Group] = []
    private var places: [String: Int] = [:]
    /// Only filled for groups of several members.
    private var taken: Set<Place> = []

    init(_ layout: ListenerLayout) {
        self.layout = layout
    }

    mutating func add(_ part: VirtualHostPart) {
        let member = Member(service: part.service, server: part.server)
        for domain in part.domains {
            guard let group = places[domain] else {
                places[domain] = groups.count
                groups.append(Group(domain: domain, first: member))
                continue
            }
            // Two servers of a Gateway may share a port and a host; the second adds nothing.
            if groups[group].others.isEmpty { taken.insert(place(of: groups[group].first, in: group)) }
            if taken.insert(place(of: member, in: group)).inserted { groups[group].others.append(member) }
        }
    }

    private func place(of member: Member, in group: Int) -> Place {
        Place(group: group, service: member.service.serial, binding: layout.servers[member.server].binding)
    }
}

/// Makes virtual hosts, and remembers those of the last generation by what they were made of.
struct VirtualHostCompiler {
    private struct Key: Hashable {
        let service: UInt64
        let binding: Int
    }

    private var routes: RouteCompiler
    /// Hosts that several VirtualServices make up.
    private var merged: [[Key]: CompiledHost] = [:]
    private var lastMerged: [[Key]: CompiledHost] = [:]
    /// Place n: some host of this generation leads to cluster n.
    private var used: [Bool] = []
    /// Hosts made since `begin`.
    private(set) var made = 0

    init(options: CompilerOptions) {
        routes = RouteCompiler(options: options)
    }

    mutating func begin() {
        made = 0
        lastMerged = merged
        merged = [:]
        used = []
    }

    mutating func end() { lastMerged = [:] }

    /// The plan for a group of VirtualServices: the one it had, unless something it is made of has changed.
    mutating func plan(
        for group: VirtualHostGroups.Group, _ layout: ListenerLayout, _ clusters: ClusterCompiler
    ) -> VirtualHostPlan {
        let host = host(for: group, layout, clusters)
        mark(host, capacity: clusters.capacity)
        return host.plan
    }

    private mutating func host(
        for group: VirtualHostGroups.Group, _ layout: ListenerLayout, _ clusters: ClusterCompiler
    ) -> CompiledHost {
        if group.others.isEmpty {
            let binding = layout.servers[group.first.server].binding
            if let known = group.first.service.soleHosts[binding], known.holds(clusters) { return known }
            let host = make([group.first], layout, clusters)
            group.first.service.soleHosts[binding] = host
            return host
        }
        let members = [group.first] + group.others
        let key = members.map { Key(service: $0.service.serial, binding: layout.servers[$0.server].binding) }
        if let known = merged[key] { return known }
        if let known = lastMerged[key], known.holds(clusters) {
            merged[key] = known
            return known
        }
        let host = make(members, layout, clusters)
        merged[key] = host
        return host
    }

    private mutating func make(
        _ members: [VirtualHostGroups.Member], _ layout: ListenerLayout, _ clusters: ClusterCompiler
    ) -> CompiledHost {
        made += 1
        let parts = members.map { translated($0.service, at: layout.servers[$0.server], clusters) }
        return CompiledHost(parts, resolutionVersion: clusters.version)
    }

    private mutating func translated(
        _ service: RoutedService, at server: ServedServer, _ clusters: ClusterCompiler
    ) -> TranslatedRoutes {
        if let known = service.routes[server.binding], known.holds(clusters) { return known }
        let routes = routes.translate(service, at: server, clusters)
        service.routes[server.binding] = routes
        return routes
    }

    private mutating func mark(_ host: CompiledHost, capacity: Int) {
        if used.count < capacity { used += Array(repeating: false, count: max(capacity - used.count, used.count)) }
        for destination in host.resolved where destination.clusterID >= 0 { used[Int(destination.clusterID)] = true }
    }

    /// Which clusters the hosts of this generation lead to, by id.
    func usedClusters() -> [Bool] { used }
}
