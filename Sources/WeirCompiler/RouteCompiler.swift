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

    func holds(_ clusters: ClusterCompiler) -> Bool { clusters.resolve(request).clusterID == clusterID }
}

/// VirtualServices to routes (semantics 3.4).
struct RouteCompiler {
    private var matches: MatchCompiler

    init(options: CompilerOptions) {
        matches = MatchCompiler(workers: options.workers)
    }

    /// The routes of `service` for requests that came in through `server`, in order.
    mutating func translate(
        _ service: RoutedService, at server: ServedServer, _ clusters: ClusterCompiler
    ) -> TranslatedRoutes {
        var routes: [RouteSpec] = []
        var resolved: [ResolvedDestination] = []
        var ended = false
        for (index, http) in service.service.http.enumerated() where !http.route.isEmpty && !ended {
            let destinations = destinations(of: http, service, server, clusters, &resolved)
            if http.match.isEmpty {
                routes.append(
                    RouteSpec(conditions: [], destinations: destinations, origin: origin(service, http, nil)))
                ended = true
            }
            for (place, match) in http.match.enumerated() where !ended && applies(match, to: service, at: server) {
                do throws(MatchCompiler.Malformed) {
                    let conditions = try matches.conditions(of: match)
                    routes.append(
                        RouteSpec(
                            conditions: conditions, destinations: destinations, origin: origin(service, http, match)))
                    ended = match.isCatchAll
                } catch {
                    service.reportPattern(
                        "spec.http[\(index)].match[\(place)].\(error.field).regex", line: match.line, error.reason)
                }
            }
        }
        return TranslatedRoutes(routes: routes, endsWithCatchAll: ended, resolved: resolved)
    }

    /// Whether requests at this server are meant at all.
    ///
    /// Source labels speak of pods in the mesh, which a gateway is not.
    private func applies(_ match: HTTPMatchRequest, to service: RoutedService, at server: ServedServer) -> Bool {
        if let port = match.port, port != server.port { return false }
        if match.gateways.isEmpty { return match.sourceLabels.isEmpty && match.sourceNamespace == nil }
        return match.gateways.contains { GatewayName.full($0, namespace: service.namespace) == server.gateway }
    }

    private func destinations(
        of http: HTTPRoute, _ service: RoutedService, _ server: ServedServer, _ clusters: ClusterCompiler,
        _ resolved: inout [ResolvedDestination]
    ) -> [RouteSpec.Destination] {
        http.route.map { entry in
            let request = DestinationRequest(entry.destination, namespace: service.namespace, serverPort: server.port)
            let answer = clusters.resolve(request)
            resolved.append(ResolvedDestination(request: request, clusterID: answer.clusterID))
            return RouteSpec.Destination(
                clusterID: answer.clusterID, weight: UInt32(clamping: entry.weight ?? 0), clusterName: answer.name)
        }
    }

    private func origin(_ service: RoutedService, _ http: HTTPRoute, _ match: HTTPMatchRequest?) -> RouteOrigin {
        var name = http.name ?? ""
        if let suffix = match?.name, !suffix.isEmpty { name += "." + suffix }
        let line = match.map { $0.line > 0 ? $0.line : http.line } ?? http.line
        let location = service.resource.location(line: line)
        return RouteOrigin(
            resource: service.resource.id.description, file: location.file, line: location.line, name: name)
    }
}

/// A virtual host's plan, and what it was made of.
final class CompiledHost {
    let plan: VirtualHostPlan
    let resolved: [ResolvedDestination]
    /// Last cluster resolution under which `resolved` was found to hold.
    var resolutionVersion: Int

    init(_ parts: [TranslatedRoutes], resolutionVersion: Int) {
        // Routes that take everything go last, in their order; nothing else is sorted (semantics 3.3).
        var routes = parts.flatMap { $0.endsWithCatchAll ? $0.routes.dropLast() : $0.routes[...] }
        routes += parts.compactMap { $0.endsWithCatchAll ? $0.routes.last : nil }
        plan = VirtualHostPlan(routes: routes)
        resolved = parts.flatMap(\.resolved)
        self.resolutionVersion = resolutionVersion
    }

    /// Whether all its destinations still lead to the clusters they led to.
    func holds(_ clusters: ClusterCompiler) -> Bool {
        if resolutionVersion == clusters.version { return true }
        guard resolved.allSatisfy({ $0.holds(clusters) }) else { return false }
        resolutionVersion = clusters.version
        return true
    }
}
