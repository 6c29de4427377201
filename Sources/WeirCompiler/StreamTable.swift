import WeirConfig
import WeirEngine

/// Where a Gateway server's connections go that are no HTTP, kept between generations so that an edit finds its place.
final class StreamTable {
    /// Which routes of VirtualServices count.
    enum Source {
        /// `tcp`: the first that applies takes every connection.
        case tcp
        /// `tls`: by the name that a client asks for; TLS is not ended here.
        case tls
    }

    private let source: Source
    private let entrance: Entrance
    /// In the order in which their routes are tried.
    private var members: [RoutedService]
    private(set) var plan = StreamPlan(routes: [])
    private(set) var resolved: [ResolvedDestination] = []

    init(_ source: Source, at entrance: Entrance, members: [RoutedService]) {
        self.source = source
        self.entrance = entrance
        self.members = members
    }

    /// Takes over the plan of the generation before, which stays the same object if nothing has changed.
    func succeed(_ former: StreamTable) { plan = former.plan }

    func isSuccessor(of other: StreamTable) -> Bool { entrance == other.entrance && source == other.source }

    /// Puts a newer edition in the place of a member; `false` when there is none.
    func replace(_ former: RoutedService, by service: RoutedService) -> Bool {
        guard let place = members.firstIndex(where: { $0 === former }) else { return false }
        members[place] = service
        return true
    }

    /// Makes the plan of the routes as they are now.
    func makePlan(_ clusters: ClusterCompiler) {
        resolved = []
        let routes: [StreamPlan.Route] =
            switch source {
            case .tcp: tcpRoute(clusters).map { [$0] } ?? []
            case .tls: members.flatMap { tlsRoutes($0, clusters) }
            }
        if routes != plan.routes { plan = StreamPlan(routes: routes) }
    }

    private func tcpRoute(_ clusters: ClusterCompiler) -> StreamPlan.Route? {
        for service in members {
            for route in service.service.tcp {
                let match = route.match.first { applies($0, of: service) }
                guard route.match.isEmpty || match != nil else { continue }
                return StreamPlan.Route(
                    destinations: destinations(route.route, of: service, clusters),
                    origin: origin(service, line: match.map { $0.line > 0 ? $0.line : route.line } ?? route.line))
            }
        }
        return nil
    }

    private func tlsRoutes(_ service: RoutedService, _ clusters: ClusterCompiler) -> [StreamPlan.Route] {
        service.service.tls.flatMap { route in
            let matches = route.match.filter { applies($0, of: service) }
            guard !matches.isEmpty else { return [StreamPlan.Route]() }
            let destinations = destinations(route.route, of: service, clusters)
            return matches.map { match in
                StreamPlan.Route(
                    serverNames: match.sniHosts.map { $0.lowercased() }, destinations: destinations,
                    origin: origin(service, line: match.line > 0 ? match.line : route.line))
            }
        }
    }

    /// As in Istio's gateway: neither addresses nor what is said of the source count.
    private func applies(_ match: StreamMatch, of service: RoutedService) -> Bool {
        if let port = match.port, port != entrance.port { return false }
        return match.gateways.isEmpty
            || match.gateways.contains { GatewayName.full($0, namespace: service.namespace) == entrance.gateway }
    }

    private func destinations(
        _ entries: [RouteDestination], of service: RoutedService, _ clusters: ClusterCompiler
    ) -> [StreamPlan.Destination] {
        entries.map { entry in
            let request = DestinationRequest(
                entry.destination, namespace: service.namespace, serverPort: entrance.port)
            let answer = clusters.resolve(request)
            resolved.append(ResolvedDestination(request: request, clusterID: answer.clusterID, hash: answer.hash))
            return StreamPlan.Destination(
                clusterID: answer.clusterID, weight: UInt32(clamping: entry.weight ?? 0), clusterName: answer.name)
        }
    }

    private func origin(_ service: RoutedService, line: Int) -> RouteOrigin {
        let location = service.resource.location(line: line)
        return RouteOrigin(resource: service.resource.id.description, file: location.file, line: location.line)
    }
}
