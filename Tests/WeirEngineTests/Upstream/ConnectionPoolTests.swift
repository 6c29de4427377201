import Testing

@testable import WeirEngine

@Suite struct ConnectionPoolTests {
    /// Wants nothing.
    private final class Sink: MessageSink {
        override func receive(fromUpstream event: consuming MessageEvent) {}
    }

    @Test func asManyIdleConnectionsAreKeptAsTheLimitSays() throws {
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let listener = try Socket.listen(address, shared: false)
        defer { Socket.close(listener) }
        let gateway = try SteppedGateway(origins: [Int(Socket.localAddress(listener).port)])
        var random = FastRandom(seed: 1)
        let pinned = try #require(gateway.worker.pinCurrent())
        let cluster = try #require(gateway.worker.cluster(0, pinned)).takeUnretainedValue()
        gateway.worker.unpin(pinned)
        let pool = try #require(cluster.pick(key: 0, &random)).takeUnretainedValue().pool
        // Connections whose request went away before they were established; the kernel accepts them all.
        let sink = Sink()
        let head = RequestHead()
        defer { head.free() }
        var leased: [Borrowed<ClientStream>] = []
        for _ in 0..<1030 {
            leased.append(try #require(pool.lease(for: head, to: Borrowed(sink))))
        }
        for stream in leased { stream.cancel() }
        try gateway.run(until: "all are established") {
            pool.idleCount == ConnectionPool.maxIdle && pool.connectionCount == pool.idleCount
        }
        #expect(pool.idleCount == 1024)
    }
}
