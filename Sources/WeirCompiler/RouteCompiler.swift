import WeirConfig
import WeirEngine

/// The routes one VirtualService has at one Gateway and port.
struct TranslatedRoutes {
    let routes: [RouteSpec]
    /// The last route takes every request.
    let endsWithCatchAll: Bool
    /// What was asked of the cluster resolution, and its answers.
    let resolved: [ResolvedDestination]

    /// Whether all destinations still lead to the clusters they led to.
    func holds(_ clusters: ClusterCompiler) -> Bool { resolved.allSatisfy { $0.holds(clusters) } }
}

/// A destination and the cluster it led to.
struct ResolvedDestination {
    let request: DestinationRequest
    let clusterID: Int32
    let hash: TrafficPolicy.ConsistentHash?

    func holds(_ clusters: ClusterCompiler) -> Bool {
        let answer = clusters.resolve(request)
        return answer.clusterID == clusterID && answer.hash == hash
    }
}

/// VirtualServices to routes (semantics 3.4).
struct RouteCompiler {
    private let options: CompilerOptions
    private var matches: MatchCompiler

    init(options: CompilerOptions) {
        self.options = options
        matches = MatchCompiler(workers: options.workers)
    }

    /// The routes of `service` for requests that came in through `entrance`, in order.
    mutating func translate(
        _ service: RoutedService, at entrance: Entrance, _ clusters: ClusterCompiler
    ) -> TranslatedRoutes {
        var routes: [RouteSpec] = []
        var resolved: [ResolvedDestination] = []
        var ended = false
        for rule in service.rules where !ended {
            let http = rule.http
            let actions = RouteActionCompiler(http, serverPort: entrance.port, &matches)
            for problem in actions.problems { service.reportAction(rule, problem) }
            let destinations = destinations(of: rule, actions, entrance, clusters, &resolved)
            let sparesUnsafe = [service.resource, rule.resource].contains { UnsafeRetries.areSpared(by: $0) }
            let hashing = RouteHashing(resolved.suffix(http.route.count), weights: http.route.map(\.weight))
            let mirrors = mirrors(of: rule, entrance, clusters, &resolved)
            if http.match.isEmpty {
                var route = RouteSpec(
                    conditions: [], destinations: destinations, origin: origin(rule, nil),
                    actions: actions.actions(for: nil))
                route.take(hashing)
                route.limit(by: http, hashing, sparesUnsafe: sparesUnsafe)
                route.mirrors = mirrors
                routes.append(route)
                ended = true
            }
            for (place, match) in http.match.enumerated() where !ended && applies(match, of: rule, at: entrance) {
                do throws(MatchCompiler.Malformed) {
                    let conditions = try matches.conditions(of: match)
                    var route = RouteSpec(
                        conditions: conditions, destinations: destinations, origin: origin(rule, match),
                        actions: actions.actions(for: match))
                    route.take(hashing)
                    route.limit(by: http, hashing, sparesUnsafe: sparesUnsafe)
                    route.mirrors = mirrors
                    routes.append(route)
                    ended = match.isCatchAll
                } catch {
                    service.reportPattern(
                        rule, "\(rule.path).match[\(place)].\(error.field).regex", line: match.line, error.reason)
                }
            }
        }
        return TranslatedRoutes(routes: routes, endsWithCatchAll: ended, resolved: resolved)
    }

    /// Whether requests at this server are meant at all.
    ///
    /// Source labels and namespace speak of the client of the services behind: the gateway itself.
    private func applies(_ match: HTTPMatchRequest, of rule: RoutedRule, at entrance: Entrance) -> Bool {
        if let port = match.port, port != entrance.port { return false }
        guard match.gateways.isEmpty else {
            return match.gateways.contains { GatewayName.full($0, namespace: rule.namespace) == entrance.gateway }
        }
        if let namespace = match.sourceNamespace, !namespace.isEmpty, namespace != options.gatewayNamespace {
            return false
        }
        return options.carries(match.sourceLabels)
    }

    private func destinations(
        of rule: RoutedRule, _ actions: RouteActionCompiler, _ entrance: Entrance, _ clusters: ClusterCompiler,
        _ resolved: inout [ResolvedDestination]
    ) -> [RouteSpec.Destination] {
        zip(rule.http.route, actions.destinations).map { entry, actions in
            let request = DestinationRequest(entry.destination, namespace: rule.namespace, serverPort: entrance.port)
            let answer = clusters.resolve(request)
            resolved.append(ResolvedDestination(request: request, clusterID: answer.clusterID, hash: answer.hash))
            return RouteSpec.Destination(
                clusterID: answer.clusterID, weight: UInt32(clamping: entry.weight ?? 0), clusterName: answer.name,
                actions: actions)
        }
    }

    /// Who gets copies of a rule's requests; they are resolved as its destinations are.
    private func mirrors(
        of rule: RoutedRule, _ entrance: Entrance, _ clusters: ClusterCompiler, _ resolved: inout [ResolvedDestination]
    ) -> [MirrorSpec] {
        // What answers by itself sends nothing that could be copied.
        guard !rule.http.route.isEmpty else { return [] }
        return rule.http.mirroring.compactMap { mirror in
            guard !mirror.share.isNone else { return nil }
            let request = DestinationRequest(
                mirror.destination, namespace: rule.namespace, serverPort: entrance.port)
            let answer = clusters.resolve(request)
            resolved.append(ResolvedDestination(request: request, clusterID: answer.clusterID, hash: answer.hash))
            return MirrorSpec(clusterID: answer.clusterID, clusterName: answer.name, share: mirror.share)
        }
    }

    private func origin(_ rule: RoutedRule, _ match: HTTPMatchRequest?) -> RouteOrigin {
        let http = rule.http
        var name = http.name ?? ""
        if let suffix = match?.name, !suffix.isEmpty { name += "." + suffix }
        let line = match.map { $0.line > 0 ? $0.line : http.line } ?? http.line
        let location = rule.resource.location(line: line)
        return RouteOrigin(
            resource: rule.resource.id.description, file: location.file, line: location.line, name: name,
            root: rule.root?.description)
    }
}

/// A virtual host's plan, and what it was made of.
final class CompiledHost {
    let plan: VirtualHostPlan
    let resolved: [ResolvedDestination]
    /// What all its requests go to, where no VirtualService has a say.
    let fallback: DestinationRequest?
    /// Last cluster resolution under which `resolved` was found to hold.
    private var resolutionVersion: Int

    init(_ parts: [TranslatedRoutes], resolutionVersion: Int) {
        // Routes that take everything go last, in their order; nothing else is sorted (semantics 3.3).
        var routes = parts.flatMap { $0.endsWithCatchAll ? $0.routes.dropLast() : $0.routes[...] }
        routes += parts.compactMap { $0.endsWithCatchAll ? $0.routes.last : nil }
        plan = VirtualHostPlan(routes: routes)
        resolved = parts.flatMap(\.resolved)
        fallback = nil
        self.resolutionVersion = resolutionVersion
    }

    /// Forwards everything to one service.
    init(fallback: DestinationRequest, _ clusters: ClusterCompiler) {
        let answer = clusters.resolve(fallback)
        let destination = RouteSpec.Destination(clusterID: answer.clusterID, weight: 1, clusterName: answer.name)
        let origin = RouteOrigin(resource: "", file: "", line: 0, name: "default")
        resolved = [ResolvedDestination(request: fallback, clusterID: answer.clusterID, hash: answer.hash)]
        var route = RouteSpec(conditions: [], destinations: [destination], origin: origin)
        route.take(RouteHashing(resolved[...], weights: [nil]))
        route.retry = .standard
        plan = VirtualHostPlan(routes: [route])
        self.fallback = fallback
        resolutionVersion = clusters.version
    }

    /// Whether all its destinations still lead to the clusters they led to.
    func holds(_ clusters: ClusterCompiler) -> Bool {
        if resolutionVersion == clusters.version { return true }
        guard resolved.allSatisfy({ $0.holds(clusters) }) else { return false }
        resolutionVersion = clusters.version
        return true
    }
}
