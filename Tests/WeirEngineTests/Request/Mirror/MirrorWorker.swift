@testable import WeirEngine

/// A worker in memory whose one route copies every request.
final class MirrorWorker {
    let worker: MemoryWorker
    private let connection: MemoryServerConnection
    private var lastID = -1

    /// `credit`: bytes that the mirror takes before it is granted more; `originals`: the same of the request's endpoint.
    ///
    /// `mirrors`: clusters that get a copy each; all but the first take whatever comes.
    static func mirroring(credit: Int = .max, originals: Int = .max, mirrors: Int = 1) throws -> MirrorWorker {
        let worker = try MemoryWorker.serving(upstreamCredit: originals)
        worker.loop.holdTime()
        let endpoint = EndpointTarget("192.0.2.1").map { [ClusterSpec.Endpoint($0, port: 80)] } ?? []
        let clusters = (0..<(1 + mirrors)).map { id in
            var spec = ClusterSpec(name: "c\(id)")
            spec.endpoints = endpoint
            return ClusterPlan(id: Int32(id), spec: spec)
        }
        var route = RouteSpec(
            conditions: [], destinations: [RouteSpec.Destination(clusterID: 0, weight: 1, clusterName: "c0")],
            origin: RouteOrigin(resource: "VirtualService default/echo", file: "test", line: 1))
        route.mirrors = (1...mirrors).map { MirrorSpec(clusterID: Int32($0), clusterName: "c\($0)", share: .all) }
        let host = ListenerPlan.Host(pattern: "*", plan: VirtualHostPlan(routes: [route]))
        worker.adopt(
            Snapshot(
                generation: 2, listeners: [ListenerPlan(port: 80, bind: nil, hosts: [host])], clusters: clusters,
                clusterCapacity: 1 + mirrors))
        // A cluster and its pool are made when first asked for.
        _ = worker.currentCluster(0)
        worker.upstreamCredit = credit
        _ = worker.currentCluster(1)
        worker.upstreamCredit = .max
        for id in 1...mirrors { _ = worker.currentCluster(Int32(id)) }
        return MirrorWorker(worker)
    }

    private init(_ worker: MemoryWorker) {
        self.worker = worker
        connection = MemoryServerConnection(worker: worker)
    }

    var loop: Loop { worker.loop }
    var mirrors: Mirrors { _read { yield worker.mirrors } }
    func report() -> EngineStats { worker.report() }

    var originals: [MemoryClientStream] { worker.pools[0].streams }
    var copies: [MemoryClientStream] { copies(of: 1) }
    func copies(of mirror: Int) -> [MemoryClientStream] { worker.pools[mirror].streams }

    /// A request whose body is to come.
    func post() -> MemoryServerStream { open(hasBody: true) }

    /// A request without a body, answered at once.
    func get() {
        let stream = open(hasBody: false)
        originals.last?.answer(status: 200, last: true)
        stream.grant(.max / 2)
    }

    private func open(hasBody: Bool) -> MemoryServerStream {
        lastID += 2
        return connection.open(stream: lastID, path: "/", hasBody: hasBody)
    }
}
