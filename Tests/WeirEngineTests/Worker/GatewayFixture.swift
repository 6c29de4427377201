import Glibc
import Synchronization
import WeirTestSupport

@testable import WeirEngine

/// An engine on a free loopback port whose only route leads to the given origins.
final class GatewayFixture: Sendable {
    let engine: Engine
    let port: Int

    /// Of a fixture.
    static let mostWorkers = 8

    /// A loopback port nobody listens on at this moment.
    static func freePort() throws -> Int { try TestPort.free() }

    convenience init(
        origins: [Int], workers: Int = 1, hash: [HashPolicy] = [], shared: ClusterShared? = nil,
        configure: (inout ClusterSpec) -> Void = { _ in },
        options adjust: (inout EngineOptions) -> Void = { _ in }
    ) throws {
        try self.init(workers: workers, options: adjust) {
            try Self.snapshot(listeners: [$0], origins: origins, hash: hash, shared: shared, configure: configure)
        }
    }

    /// `snapshot` is made for the port the gateway listens on.
    init(
        workers: Int = 1, options adjust: (inout EngineOptions) -> Void = { _ in }, snapshot: (Int) throws -> Snapshot
    ) throws {
        var options = EngineOptions()
        options.workers = workers
        options.bind = "127.0.0.1"
        adjust(&options)
        engine = Engine(options: options)
        engine.start()
        var last: [ListenerProblem] = []
        // Another process may take the port between finding and listening.
        for _ in 0..<20 {
            let candidate = try Self.freePort()
            last = try Self.publish(engine, try snapshot(candidate))
            if last.isEmpty {
                port = candidate
                return
            }
        }
        throw TestSocketError(description: "no free port: \(last)")
    }

    deinit { engine.stop() }

    static func snapshot(
        generation: UInt64 = 1, listeners: [Int], origins: [Int], hash: [HashPolicy] = [],
        shared: ClusterShared? = nil, configure: (inout ClusterSpec) -> Void = { _ in },
        routing: (inout RouteSpec) -> Void = { _ in }
    ) throws -> Snapshot {
        var spec = ClusterSpec(name: "outbound|80||origin.default.svc.cluster.local")
        spec.balancer = .roundRobin
        spec.endpoints = origins.compactMap { port in
            EndpointTarget("127.0.0.1").map { ClusterSpec.Endpoint($0, port: UInt16(port)) }
        }
        configure(&spec)
        func route(_ conditions: [MatchCondition], _ cluster: Int32) -> RouteSpec {
            var route = RouteSpec(
                conditions: conditions,
                destinations: [RouteSpec.Destination(clusterID: cluster, weight: 1, clusterName: spec.name)],
                origin: RouteOrigin(resource: "VirtualService default/test", file: "test", line: 1))
            route.hashPolicies = hash
            routing(&route)
            return route
        }
        let routes = [
            route([MatchCondition(.path, .exact("/missing-cluster"))], -1),
            route([MatchCondition(.path, .prefix("/"))], 0),
        ]
        let plan = VirtualHostPlan(routes: routes)
        let hosts = [ListenerPlan.Host(pattern: "example.com", plan: plan)]
        return Snapshot(
            generation: generation, listeners: listeners.map { ListenerPlan(port: $0, bind: nil, hosts: hosts) },
            clusters: [
                ClusterPlan(
                    id: 0, spec: spec, tls: try spec.tls.map { try TLSClientContexts($0, workers: 1) },
                    shared: shared ?? ClusterShared(workers: mostWorkers))
            ], clusterCapacity: 1)
    }

    /// Publishes and waits until every worker serves it.
    @discardableResult
    static func publish(_ engine: Engine, _ snapshot: Snapshot) throws -> [ListenerProblem] {
        let box = Flag()
        let problems = engine.publish(snapshot) { box.raise() }
        try eventually("all workers serve the generation") { box.isRaised }
        return problems
    }

    func publish(_ snapshot: Snapshot) throws -> [ListenerProblem] { try Self.publish(engine, snapshot) }

    func stats() throws -> EngineStats {
        let box = StatsBox()
        engine.stats { box.put($0) }
        try eventually("the workers answer") { box.value != nil }
        return box.value ?? EngineStats()
    }

    func client() throws -> TestClient { try TestClient(port: port) }
}

/// A one-way switch between threads.
final class Flag: Sendable {
    private let raised = Atomic(false)
    func raise() { raised.store(true, ordering: .releasing) }
    var isRaised: Bool { raised.load(ordering: .acquiring) }
}

private final class StatsBox: Sendable {
    private let stats = Guarded<EngineStats?>(nil)
    func put(_ value: EngineStats) { stats.withLock { $0 = value } }
    var value: EngineStats? { stats.withLock { $0 } }
}
