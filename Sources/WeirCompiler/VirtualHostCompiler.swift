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
        for group: ListenerState.Group, former: ListenerState.Group?, _ layout: ListenerLayout,
        _ clusters: ClusterCompiler
    ) -> CompiledHost {
        if group.members.count == 1 {
            let member = group.members[0]
            if let known = member.service.soleHosts[member.binding], known.holds(clusters) { return known }
            let host = make(group.members, layout, clusters)
            member.service.soleHosts[member.binding] = host
            return host
        }
        if let former, let known = former.host, Self.areEqual(former.members, group.members), known.holds(clusters) {
            return known
        }
        return make(group.members, layout, clusters)
    }

    private static func areEqual(_ some: [ListenerState.Member], _ others: [ListenerState.Member]) -> Bool {
        some.elementsEqual(others) { $0.service === $1.service && $0.binding == $1.binding }
    }

    private mutating func make(
        _ members: [ListenerState.Member], _ layout: ListenerLayout, _ clusters: ClusterCompiler
    ) -> CompiledHost {
        made += 1
        let parts = members.map { translated($0, layout, clusters) }
        return CompiledHost(parts, resolutionVersion: clusters.version)
    }

    private mutating func translated(
        _ member: ListenerState.Member, _ layout: ListenerLayout, _ clusters: ClusterCompiler
    ) -> TranslatedRoutes {
        if let known = member.service.routes[member.binding], known.holds(clusters) { return known }
        let routes = routes.translate(member.service, at: layout.servers[member.server], clusters)
        member.service.routes[member.binding] = routes
        return routes
    }
}
