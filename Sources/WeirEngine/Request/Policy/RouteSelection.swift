/// From a request to the cluster that serves it: listener, host, first matching route, weighted destination.
enum RouteSelection {
    case noRoute
    /// The route's destination names a service, port or subset that does not exist.
    case noCluster
    /// The route lives as long as the snapshot.
    case cluster(Unmanaged<Cluster>, UnsafePointer<RoutePlan>)
    /// The host answers in the clear only to say where to come instead.
    case redirectToHTTPS

    /// `routeName` is set to the route's name, `policies` to what it does and `affinity` begun with its hash policies, which
    /// live as long as the snapshot.
    static func select(
        _ head: RequestHead, _ downstream: UnsafePointer<DownstreamInfo>, _ pinned: Borrowed<PinnedSnapshot>,
        _ worker: Worker,
        _ routeName: inout UnsafeRawBufferPointer, _ policies: inout ActivePolicies, _ affinity: inout Affinity
    ) -> RouteSelection {
        var redirects = false
        guard
            let listener = downstream.pointee.tls == nil
                ? worker.listenerPlan(downstream.pointee.listener) : worker.routes(of: downstream.pointee.tls),
            let host = listener._withUnsafeGuaranteedRef({ $0.virtualHost(for: head.authority, &redirects) })
        else { return .noRoute }
        var query = RouteQuery(
            method: head.methodBytes, path: head.path, query: head.query, authority: head.authority,
            scheme: downstream.pointee.scheme, worker: worker.index, fields: UnsafePointer(head.block.fields),
            fieldCount: head.block.count)
        return host._withUnsafeGuaranteedRef { plan in
            let route = plan.next(after: -1, &query)
            if redirects, query.scheme == .http, !isChallenge(head, plan, route) { return .redirectToHTTPS }
            guard route >= 0 else { return .noRoute }
            routeName = plan.name(of: route)
            affinity.begin(plan.hashPolicies(of: route))
            let destination = plan.pick(route: route, random: worker.random.next())
            if let actions = plan.policies(of: route) {
                policies = ActivePolicies(route: actions, destination: destination?.pointee.policies)
            }
            guard let destination, let cluster = worker.cluster(destination.pointee.clusterID, pinned) else {
                return .noCluster
            }
            return .cluster(cluster, plan.pointer(to: route))
        }
    }

    /// A challenge that a route asks for by name is answered in the clear, or no certificate could ever be had.
    private static func isChallenge(_ head: RequestHead, _ plan: VirtualHostPlan, _ route: Int32) -> Bool {
        route >= 0 && plan.namesChallenges(route) && ACMEChallenge.isAsked(for: head.path)
    }
}
