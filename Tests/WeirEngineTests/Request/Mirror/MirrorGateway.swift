import WeirTestSupport

@testable import WeirEngine

/// A worker whose one route sends requests to a cluster, and copies of them to others, driven by hand.
final class MirrorGateway {
    /// Clusters there may be; a later generation has no smaller number.
    private static let clusterCapacity = 8

    let gateway: SteppedGateway

    /// `nil` in `mirrors` stands for a cluster that does not exist.
    init(
        to origin: Int, mirrors: [Int], share: RequestShare = .all, unknown: Bool = false,
        configure: @escaping (inout ClusterSpec) -> Void = { _ in }, routing: (inout RouteSpec) -> Void = { _ in }
    ) throws {
        let routes = Self.routes(mirrors.count, share, unknown, routing)
        gateway = try SteppedGateway(snapshot: { port in
            Self.snapshot(1, port, routes, [origin] + mirrors, configure)
        })
    }

    private static func routes(
        _ mirrors: Int, _ share: RequestShare, _ unknown: Bool, _ routing: (inout RouteSpec) -> Void
    ) -> [RouteSpec] {
        var route = RouteSpec(
            conditions: [], destinations: [RouteSpec.Destination(clusterID: 0, weight: 1, clusterName: "c0")],
            origin: RouteOrigin(resource: "VirtualService default/test", file: "test", line: 1))
        route.mirrors = (0..<mirrors).map {
            MirrorSpec(clusterID: unknown ? -1 : Int32($0 + 1), clusterName: "c\($0 + 1)", share: share)
        }
        routing(&route)
        return [route]
    }

    /// Cluster 0 is the route's, the others are its mirrors.
    private static func snapshot(
        _ generation: UInt64, _ port: Int, _ routes: [RouteSpec], _ ports: [Int],
        _ configure: (inout ClusterSpec) -> Void
    ) -> Snapshot {
        let clusters = ports.enumerated().map { index, port in
            var spec = ClusterSpec(name: "c\(index)")
            spec.endpoints = EndpointTarget("127.0.0.1").map { [ClusterSpec.Endpoint($0, port: UInt16(port))] } ?? []
            if index > 0 { configure(&spec) }
            return ClusterPlan(id: Int32(index), spec: spec, shared: ClusterShared(workers: 1))
        }
        let hosts = [ListenerPlan.Host(pattern: "*", plan: VirtualHostPlan(routes: routes))]
        return Snapshot(
            generation: generation, listeners: [ListenerPlan(port: port, bind: nil, hosts: hosts)],
            clusters: clusters, clusterCapacity: clusterCapacity)
    }

    /// A later generation that has the route's cluster alone, and no mirror.
    func removeMirrors(to origin: Int) {
        gateway.adopt(
            Self.snapshot(2, gateway.port, Self.routes(0, .all, false) { _ in }, [origin]) { _ in })
    }

    var worker: Worker { gateway.worker }
    var counts: MirrorCounts { gateway.stats().mirrors }

    /// Waits until no copy is under way.
    func settle() throws { try gateway.run(until: "no copy is under way") { counts.active == 0 } }

    /// One request, and its answer.
    func exchange(_ client: inout TestClient, _ request: String) throws -> TestMessage {
        try client.socket.send(request)
        return try gateway.answer(&client)
    }
}

func stopAll(_ origins: OriginServer...) {
    for origin in origins { origin.stop() }
}
