/// From a request to the cluster that serves it: listener, host, first matching route, weighted destination.
enum RouteSelection {
    case noRoute
    /// The route's destination names a service, port or subset that does not exist.
    case noCluster
    /// The route lives as long as the snapshot.
    case cluster(Unmanaged<Cluster>, UnsafePointer<RoutePlan>)

    /// `routeName` is set to the route's name and `affinity` begun with its policies, which live as long as the snapshot.
    static func select(
        _ head: RequestHead, _ downstream: DownstreamInfo, _ pinned: Borrowed<PinnedSnapshot>, _ worker: Worker,
        _ routeName: inout UnsafeRawBufferPointer, _ affinity: inout Affinity
    ) -> RouteSelection {
        guard let listener = worker.listenerPlan(downstream.listener),
            let host = listener._withUnsafeGuaranteedRef({ $0.virtualHost(for: head.authority) })
        else { return .noRoute }
        var query = RouteQuery(
            method: head.methodBytes, path: head.path, query: head.query, authority: head.authority,
            scheme: downstream.scheme, worker: worker.index, fields: UnsafePointer(head.block.fields),
            fieldCount: head.block.count)
        return host._withUnsafeGuaranteedRef { plan in
            let route = plan.next(after: -1, &query)
            guard route >= 0 else { return .noRoute }
            routeName = plan.name(of: route)
            affinity.begin(plan.hashPolicies(of: route))
            let id = plan.pick(route: route, random: worker.random.next())
            guard id >= 0, let cluster = worker.cluster(id, pinned) else { return .noCluster }
            return .cluster(cluster, plan.pointer(to: route))
        }
    }
}
