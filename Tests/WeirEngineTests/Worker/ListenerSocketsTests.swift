import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Listening sockets that pass from one engine to the next.
@Suite struct ListenerSocketsTests {
    private let origin: EchoOrigin
    private let address: SocketAddress
    /// The first of the port's sockets, which a test may share out.
    private let first: Int32

    init() throws {
        origin = try EchoOrigin()
        first = try Socket.listen(try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)), shared: true)
        address = Socket.localAddress(first)
    }

    private var port: Int { Int(address.port) }

    private func engine(workers: Int, inheriting sockets: [Int32]) throws -> Engine {
        var options = EngineOptions()
        options.workers = workers
        options.bind = "127.0.0.1"
        let engine = Engine(options: options)
        engine.start()
        engine.inherit(InheritedSockets(sockets.map { OfferedSocket(.gateway, $0) }))
        let problems = try GatewayFixture.publish(
            engine, try GatewayFixture.snapshot(listeners: [port], origins: [origin.port]))
        #expect(problems.isEmpty)
        return engine
    }

    private func sockets(_ count: Int) throws -> [Int32] {
        try [first] + (1..<max(count, 1)).map { _ in try Socket.listen(address, shared: true) }
    }

    private func answers(_ count: Int) throws {
        for number in 0..<count {
            var client = try TestClient(port: port)
            #expect(try client.request("GET", "/\(number)").status == 200)
        }
    }

    @Test(arguments: [(1, 3, 3), (2, 3, 3), (3, 2, 4), (4, 2, 4), (5, 3, 6)])
    func eachWorkerHasAsManySocketsAsTheOthersAndNoneIsClosed(inherited: Int, workers: Int, then: Int) throws {
        let engine = try engine(workers: workers, inheriting: sockets(inherited))
        defer { engine.stop() }
        engine.beginAccepting()
        #expect(engine.offeredSockets.count == then)
        // The kernel spreads connections over all sockets: one that nobody accepts on would leave some waiting.
        try answers(8 * then)
    }

    @Test func beyondTheLimitNoneIsAdded() throws {
        let many = try sockets(ListenerSockets.maxPerPort)
        let engine = try engine(workers: 3, inheriting: many)
        defer { engine.stop() }
        engine.beginAccepting()
        #expect(engine.offeredSockets.map(\.socket.descriptor) == many)
    }

    @Test func nothingIsAcceptedBeforeItBegins() throws {
        let engine = try engine(workers: 2, inheriting: sockets(2))
        defer { engine.stop() }
        var client = try TestClient(port: port)
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        // The workers have had their turn: the configuration is in force.
        #expect(try stats(engine).acceptedConnections == 0)
        engine.beginAccepting()
        #expect(try client.response().status == 200)
    }

    private func stats(_ engine: Engine) throws -> EngineStats {
        let box = Guarded<EngineStats?>(nil)
        engine.stats { stats in box.withLock { $0 = stats } }
        try eventually("the workers answer") { box.withLock { $0 != nil } }
        return box.withLock { $0 } ?? EngineStats()
    }

    @Test func whatIsQueuedWhereTheSuccessorListensIsLeftToIt() throws {
        let drained = Flag()
        let copy = dup(first)
        let before = try engine(workers: 1, inheriting: [first])
        before.beginAccepting()
        try answers(1)
        let slots = Set(before.offeredSockets.map(\.slot))
        _ = before.beginDrain(handedOver: slots) { drained.raise() }
        try eventually("the first has ended") { drained.isRaised }
        // Nobody accepts now, and nobody is refused.
        var client = try TestClient(port: port)
        try client.socket.send("GET /queued HTTP/1.1\r\nHost: example.com\r\n\r\n")
        before.stop()
        let after = try engine(workers: 1, inheriting: [copy])
        defer { after.stop() }
        after.beginAccepting()
        #expect(try client.response().status == 200)
    }

    @Test func whatNoListenerNeedsIsClosedWhenAcceptingBegins() throws {
        let other = try Socket.listen(try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)), shared: true)
        let unneeded = Int(Socket.localAddress(other).port)
        let engine = try engine(workers: 1, inheriting: [first, other])
        defer { engine.stop() }
        #expect(!TestPort.isFree(unneeded))
        engine.beginAccepting()
        #expect(TestPort.isFree(unneeded))
        try answers(1)
    }

    @Test func aListenerThatLeavesBeforeItBeganIsClosed() throws {
        let engine = try engine(workers: 1, inheriting: [first])
        defer { engine.stop() }
        try GatewayFixture.publish(engine, try GatewayFixture.snapshot(generation: 2, listeners: [], origins: []))
        engine.beginAccepting()
        #expect(TestPort.isFree(port))
        #expect(engine.offeredSockets.isEmpty)
    }
}
