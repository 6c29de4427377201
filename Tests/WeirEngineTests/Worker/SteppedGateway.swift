import Glibc
import WeirTestSupport

@testable import WeirEngine

/// A worker on a free loopback port, driven by hand on the test's thread, whose time stands still until a test moves it.
final class SteppedGateway {
    let worker: Worker
    let port: Int
    private let mailbox = Mailbox<WorkerMessage>()

    init(
        origins: [Int] = [], permits: ListenerPermits? = nil, accessLog: AccessLog? = nil, shared: ClusterShared? = nil,
        configure: (inout ClusterSpec) -> Void = { _ in }, routing: (inout RouteSpec) -> Void = { _ in },
        snapshot: ((Int) throws -> Snapshot)? = nil
    ) throws {
        worker = Worker(
            index: 0, mailbox: mailbox, serverName: ServerName("weir"), retired: RetiredSnapshots(notify: {}),
            accessLog: accessLog)
        worker.loop.holdTime()
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else { preconditionFailure("an address") }
        let socket = try Socket.listen(address, shared: false)
        port = Int(Socket.localAddress(socket).port)
        let first =
            try snapshot?(port)
            ?? GatewayFixture.snapshot(
                listeners: [port], origins: origins, shared: shared, configure: configure, routing: routing)
        mailbox.post(.adopt(first, slots: [0], ticket: AdoptionTicket(workers: 1) {}))
        mailbox.post(.listen(socket: socket, slot: 0, permits: permits))
        worker.loop.tick(wait: true)
    }

    /// A later generation with these origins.
    func adopt(
        generation: UInt64, origins: [Int], shared: ClusterShared? = nil,
        configure: (inout ClusterSpec) -> Void = { _ in },
        routing: (inout RouteSpec) -> Void = { _ in }
    ) throws {
        adopt(
            try GatewayFixture.snapshot(
                generation: generation, listeners: [port], origins: origins, shared: shared, configure: configure,
                routing: routing))
    }

    /// A later generation whose one listener is this gateway's.
    func adopt(_ snapshot: Snapshot) {
        mailbox.post(.adopt(snapshot, slots: [0], ticket: AdoptionTicket(workers: 1) {}))
        worker.loop.tick(wait: true)
    }

    deinit {
        mailbox.post(.stop)
        worker.run()
    }

    /// Lets the worker work until the condition holds.
    func run(until what: String, _ condition: () throws -> Bool) throws {
        try eventually(what) {
            worker.loop.tick(wait: false)
            return try condition()
        }
    }

    /// Moves the time on, and lets the worker do what follows from it.
    func advance(milliseconds: Int) {
        worker.loop.advance(milliseconds: milliseconds)
        worker.loop.tick(wait: false)
    }

    /// A connection that the worker has accepted.
    func client() throws -> TestClient {
        let before = worker.acceptedCount
        let client = try TestClient(port: port)
        try run(until: "the connection is accepted") { worker.acceptedCount > before }
        return client
    }

    /// Sends bytes that are less than a whole head, and returns when the worker has read them.
    func send(partialHead bytes: String, _ client: TestClient) throws {
        let before = worker.loop.pool.inUse
        try client.socket.send(bytes)
        try run(until: "the bytes are read") { worker.loop.pool.inUse > before }
    }

    /// The next answer.
    func answer(_ client: inout TestClient) throws -> TestMessage {
        let socket = client.socket
        // Its head and its body may come at different ticks.
        return try client.response { try self.run(until: "an answer arrives") { socket.hasInput } }
    }

    /// Waits for the client's connection to be ended by the gateway.
    func end(_ client: TestClient) throws {
        try run(until: "the connection is ended") { client.socket.peerHasGone }
    }

    /// Counts of the worker at this moment.
    func stats() -> EngineStats {
        let counted = Guarded(EngineStats())
        mailbox.post(.stats(StatsCollector(workers: 1) { stats in counted.withLock { $0 = stats } }))
        worker.loop.tick(wait: false)
        return counted.withLock { $0 }
    }

    /// Requests being served.
    var activeExchanges: Int { stats().activeExchanges }

    func drain(_ done: Flag) {
        mailbox.post(.drain(DrainTicket(workers: 1) { done.raise() }))
        worker.loop.tick(wait: false)
    }
}
