import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Connections of a port of TCP, on a worker whose time stands still between two steps.
@Suite struct StreamConnectionTests {
    /// A gateway whose one port passes bytes to clusters of one origin each, by weights.
    private static func gateway(
        _ origins: [Int], weights: [UInt32]? = nil, cluster: Int32? = nil, routes: Int = 1,
        configure: @escaping (inout ClusterSpec) -> Void = { _ in }
    ) throws -> SteppedGateway {
        try SteppedGateway(snapshot: { port in
            let clusters = origins.enumerated().map { index, origin in
                var spec = ClusterSpec(name: "outbound|90||tcp-\(index).default.svc.cluster.local")
                if origin > 0, let target = EndpointTarget("127.0.0.1") {
                    spec.endpoints = [ClusterSpec.Endpoint(target, port: UInt16(origin))]
                }
                configure(&spec)
                return ClusterPlan(id: Int32(index), spec: spec, shared: ClusterShared(workers: 1))
            }
            let weighted = origins.indices.map { (cluster ?? Int32($0), weights?[$0] ?? 1) }
            let plan = StreamPlan(routes: (0..<routes).map { _ in .to(weighted) })
            return Snapshot(
                generation: 1, listeners: [ListenerPlan(port: port, bind: nil, hosts: [], stream: plan)],
                clusters: clusters, clusterCapacity: clusters.count)
        })
    }

    /// Sends back what comes, and ends when the client does.
    private static func echo(_ ended: Flag = Flag()) throws -> OriginServer {
        try OriginServer(raw: { reader, socket in
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { try socket.send(bytes) }
            ended.raise()
        })
    }

    private static func expect(_ text: String, _ gateway: SteppedGateway, _ client: inout TestClient) throws {
        var got = ""
        while got.utf8.count < text.utf8.count {
            try gateway.run(until: "bytes arrive") { client.hasBuffered || client.socket.hasInput }
            let bytes = try client.someBytes()
            if bytes.isEmpty { break }
            got += String(decoding: bytes, as: UTF8.self)
        }
        #expect(got == text)
    }

    private static func nothingIsLeft(_ gateway: SteppedGateway) throws {
        try gateway.run(until: "nothing is left") {
            let stats = gateway.stats()
            return stats.activeConnections == 0 && stats.upstreamConnections == 0
        }
    }

    @Test func bytesPassBothWaysAndEachSideEndsForItself() throws {
        let ended = Flag()
        let origin = try OriginServer(raw: { reader, socket in
            try socket.send("220 ready\r\n")
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { try socket.send(bytes) }
            try socket.send("221 bye\r\n")
            ended.raise()
        })
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port])
        var client = try gateway.client()
        try Self.expect("220 ready\r\n", gateway, &client)
        for text in ["HELO\r\n", "\u{0}\u{1}", String(repeating: "x", count: 100_000)] {
            try client.socket.send(text)
            try Self.expect(text, gateway, &client)
        }
        client.socket.endWriting()
        try Self.expect("221 bye\r\n", gateway, &client)
        try Self.nothingIsLeft(gateway)
        #expect(ended.isRaised)
        #expect(try client.someBytes().isEmpty, "an end, not a reset")
    }

    @Test func aClientMaySpeakAndEndBeforeTheEndpointIsConnected() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port])
        var client = TestReader(try TestSocket(port: gateway.port))
        try client.socket.send("early")
        client.socket.endWriting()
        try Self.nothingIsLeft(gateway)
        try gateway.run(until: "the answer is there") { client.socket.hasInput }
        #expect(try client.someBytes() == Array("early".utf8))
        #expect(try client.someBytes().isEmpty)
    }

    @Test func aSlowReaderHoldsBackItsSenderAndMemoryStaysBounded() throws {
        let go = Flag()
        let total = Guarded(0)
        let origin = try OriginServer(raw: { reader, _ in
            try eventually("the test goes on", seconds: 60) { go.isRaised }
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { total.withLock { $0 += bytes.count } }
        })
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port])
        let client = try gateway.client()
        let size = 32 * 1024 * 1024
        let sender = BackgroundSender(client.socket, prefix: "", size: size)
        var most = 0
        for _ in 0..<2_000 {
            gateway.worker.loop.tick(wait: false)
            most = max(most, gateway.worker.loop.pool.inUse)
        }
        #expect(!sender.isDone)
        go.raise()
        try gateway.run(until: "everything has arrived") {
            most = max(most, gateway.worker.loop.pool.inUse)
            return total.withLock { $0 == size }
        }
        #expect(most <= 24)
    }

    @Test func connectionsAreSharedOutByWeight() throws {
        let origins = try [Self.echo(), Self.echo(), Self.echo()]
        defer { for origin in origins { origin.stop() } }
        let gateway = try Self.gateway(origins.map(\.port), weights: [30, 0, 70])
        for _ in 0..<100 {
            var client = try gateway.client()
            try client.socket.send("x")
            try Self.expect("x", gateway, &client)
            client.socket.endWriting()
        }
        let counts = origins.map(\.acceptedConnections)
        #expect(counts[1] == 0 && counts[0] + counts[2] == 100)
        // Six standard deviations.
        #expect(abs(counts[0] - 30) <= 28)
    }

    @Test(arguments: ["no route", "no cluster", "no endpoint", "refused"])
    func withoutAnEndpointTheConnectionEndsAtOnce(why: String) throws {
        let port = why == "refused" ? try GatewayFixture.freePort() : 0
        let gateway = try Self.gateway(
            [port], cluster: why == "no cluster" ? -1 : nil, routes: why == "no route" ? 0 : 1)
        let client = try gateway.client()
        try gateway.end(client)
        try Self.nothingIsLeft(gateway)
        #expect(gateway.stats().upstreamConnectFailures == (why == "refused" ? 1 : 0))
    }

    @Test func anEndpointThatDoesNotAnswerIsGivenUpAfterTheConnectTimeout() throws {
        let silent = try FullPort()
        let gateway = try Self.gateway([silent.port]) { $0.connectTimeoutMilliseconds = 700 }
        let client = try gateway.client()
        try client.socket.send("waiting")
        gateway.advance(milliseconds: 699)
        #expect(gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: 1)
        try gateway.end(client)
        #expect(gateway.stats().upstreamConnections == 0 && gateway.stats().upstreamConnectFailures == 1)
        withExtendedLifetime(silent) {}
    }

    @Test func silenceIsTimedFromTheLastByteEitherWay() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        for limit in [StreamLimits.idleMilliseconds, 5_000] {
            let gateway = try Self.gateway([origin.port]) {
                if limit != StreamLimits.idleMilliseconds { $0.idleTimeoutMilliseconds = limit }
            }
            var client = try gateway.client()
            for _ in 0..<3 {
                try client.socket.send("tick")
                try Self.expect("tick", gateway, &client)
                gateway.advance(milliseconds: limit - 1)
                #expect(gateway.worker.connectionCount == 1)
            }
            gateway.advance(milliseconds: 1)
            try gateway.end(client)
            try Self.nothingIsLeft(gateway)
        }
    }

    @Test func anIdleTimeoutOfZeroIsNone() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port]) { $0.idleTimeoutMilliseconds = 0 }
        var client = try gateway.client()
        try client.socket.send("x")
        try Self.expect("x", gateway, &client)
        gateway.advance(milliseconds: 100 * StreamLimits.idleMilliseconds)
        #expect(gateway.worker.connectionCount == 1)
    }

    @Test func aBrokenSideBreaksTheOther() throws {
        let gone = Flag()
        let origin = try OriginServer(raw: { reader, socket in
            if try reader.someBytes() == Array("break".utf8) {
                socket.resetOnClose()
                return socket.disconnect()
            }
            // The client's reset shows as an error.
            defer { gone.raise() }
            while try !reader.someBytes().isEmpty {}
        })
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port])
        var client = try gateway.client()
        try client.socket.send("break")
        try gateway.end(client)
        #expect(throws: TestSocketError.self) { try client.someBytes() }
        try Self.nothingIsLeft(gateway)

        let other = try gateway.client()
        try other.socket.send("go on")
        try gateway.run(until: "it is connected") { origin.acceptedConnections == 2 }
        other.socket.resetOnClose()
        other.socket.disconnect()
        try Self.nothingIsLeft(gateway)
        try eventually("the origin hears of it") { gone.isRaised }
    }

    @Test func aClientThatLeavesUnreadBytesBehindIsNoticed() throws {
        let origin = try OriginServer(raw: { reader, _ in try eventually("the end", seconds: 60) { false } })
        let gateway = try Self.gateway([origin.port])
        let client = try gateway.client()
        _ = BackgroundSender(client.socket, prefix: "", size: 64 * 1024 * 1024)
        for _ in 0..<2_000 { gateway.worker.loop.tick(wait: false) }
        #expect(gateway.worker.connectionCount == 1)
        client.socket.resetOnClose()
        client.socket.disconnect()
        try gateway.run(until: "it is noticed") {
            gateway.advance(milliseconds: H1ServerLimits.presenceMilliseconds)
            return gateway.worker.connectionCount == 0
        }
        origin.stop()
    }

    @Test func connectionsOutliveTheirRouteAndADrain() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port])
        var client = try gateway.client()
        try client.socket.send("one")
        try Self.expect("one", gateway, &client)
        try gateway.adopt(generation: 2, origins: [])
        #expect(gateway.stats().pinnedGenerations == 1)
        let done = Flag()
        gateway.drain(done)
        gateway.advance(milliseconds: 60_000)
        try client.socket.send("two")
        try Self.expect("two", gateway, &client)
        client.socket.endWriting()
        try gateway.run(until: "the drain is over") { done.isRaised }
    }

    @Test func aConnectionEndsAtItsAgeWhateverPasses() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port]) { $0.life.maxMilliseconds = 10_000 }
        var client = try gateway.client()
        for _ in 0..<2 {
            try client.socket.send("on")
            try Self.expect("on", gateway, &client)
            gateway.advance(milliseconds: 4_999)
        }
        #expect(gateway.stats().activeConnections == 1)
        gateway.advance(milliseconds: 2)
        try Self.nothingIsLeft(gateway)
    }

    @Test func connectionsBeyondTheClustersLimitAreClosed() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port]) { $0.limits.connections = 1 }
        var client = try gateway.client()
        try client.socket.send("one")
        try Self.expect("one", gateway, &client)
        let second = try gateway.client()
        try gateway.end(second)
        #expect(gateway.stats().upstreamConnections == 1)
        client.socket.disconnect()
        try Self.nothingIsLeft(gateway)
        // The place is free again.
        var third = try gateway.client()
        try third.socket.send("three")
        try Self.expect("three", gateway, &third)
    }

    @Test func bytesAreCountedWhileTheyPass() throws {
        var table = MetricTable()
        var record = RequestRecord()
        record.isStream = true
        record.clusterID = 4
        let series = table.stream(record)
        series.streamOpened()
        series.streamReceived(10)
        series.streamSent(20)
        record.flags.insert(.upstreamClosed)
        table.stream(record).streamClosed()
        #expect(table.count == 2)
        #expect(table[0].key.isStream && !table[0].key.isGRPC && table[0].key.grpcStatus == nil)
        #expect(table[0].openedStreams == 1 && table[0].receivedStreamBytes == 10 && table[0].sentStreamBytes == 20)
        #expect(table[0].closedStreams == 0 && table[1].closedStreams == 1)
    }
}
