import WeirEngine

/// Makes virtual hosts of VirtualServices, and keeps each for as long as what it is made of stays.
struct VirtualHostCompiler {
    private var routes: RouteCompiler
    /// Hosts made so far.
    private(set) var made = 0

    init(options: CompilerOptions) {
        routes = RouteCompiler(options: options)
    }

    /// The host of a group: the one it had (or its former edition, for groups laid out anew), unless something changed.
    mutating func host(
        for group: ListenerState.Group, former: ListenerState.Group?, _ clusters: ClusterCompiler
    ) -> CompiledHost {
        guard let fallback = group.fallback else { return membersHost(of: group, former, clusters) }
        if !group.members.isEmpty {
            let host = membersHost(of: group, former, clusters)
            if host.plan.routeCount > 0 { return host }
        }
        if let known = former?.host, known.fallback == fallback, known.holds(clusters) { return known }
        made += 1
        return CompiledHost(fallback: fallback, clusters)
    }

    private mutating func membersHost(
        of group: ListenerState.Group, _ former: ListenerState.Group?, _ clusters: ClusterCompiler
    ) -> CompiledHost {
        if group.members.count == 1 {
            let member = group.members[0]
            if let known = member.service.soleHosts[member.entrance.binding], known.holds(clusters) { return known }
            let host = make(group.members, clusters)
            member.service.soleHosts[member.entrance.binding] = host
            return host
        }
        if let former, let known = former.host, Self.areEqual(former.members, group.members), known.holds(clusters) {
            return known
        }
        return make(group.members, clusters)
    }

    private static func areEqual(_ some: [ListenerState.Member], _ others: [ListenerState.Member]) -> Bool {
        some.elementsEqual(others) { $0.service === $1.service && $0.entrance.binding == $1.entrance.binding }
    }

    private mutating func make(_ members: [ListenerState.Member], _ clusters: ClusterCompiler) -> CompiledHost {
        made += 1
        let parts = members.map { translated($0, clusters) }
        return CompiledHost(parts, resolutionVersion: clusters.version)
    }

    private mutating func translated(_ member: ListenerState.Member, _ clusters: ClusterCompiler) -> TranslatedRoutes {
        let (service, binding) = (member.service, member.entrance.binding)
        if let known = service.routes[binding], known.holds(clusters) { return known }
        let routes = routes.translate(service, at: member.entrance, clusters)
        service.routes[binding] = routes
        return routes
    }
}
