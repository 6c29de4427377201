import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// The limits of `connectionPool` over HTTP/2, on one worker.
@Suite struct SharedConnectionLimitTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"

    private static func gateway(
        _ origins: [Int], _ shared: ClusterShared, _ configure: (inout ClusterSpec) -> Void
    ) throws -> SteppedGateway {
        try SteppedGateway(origins: origins, shared: shared) {
            $0.httpVersion = .http2
            configure(&$0)
        }
    }

    /// Answers a request only when the next one has come, or the flag is raised.
    private static func hesitant(maxStreams: UInt32? = nil, _ goes: Flag) throws -> OriginServer {
        try makeH2Origin { _, peer in
            try peer.sendSettings(maxStreams: maxStreams)
            while true {
                let stream = try peer.request()
                while !goes.isRaised { usleep(500) }
                try peer.answer(stream)
            }
        }
    }

    private static func ask(_ gateway: SteppedGateway, _ count: Int) throws -> [TestClient] {
        try (0..<count).map { _ in
            let before = gateway.activeExchanges
            let client = try gateway.client()
            try client.socket.send(get)
            try gateway.run(until: "the request is read") {
                gateway.activeExchanges > before || client.socket.hasInput
            }
            return client
        }
    }

    @Test func requestsForWhichTheConnectionsHaveNoRoomWait() throws {
        let goes = Flag()
        let origin = try Self.hesitant(maxStreams: 2, goes)
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared) { $0.limits.connections = 1 }
        var first = try Self.ask(gateway, 1)
        try gateway.run(until: "it is connected") { shared.limits.pending.now == 0 }
        first += try Self.ask(gateway, 4)
        #expect(shared.limits.pending.now == 3 && shared.limits.requests.now == 2)
        goes.raise()
        for index in first.indices { #expect(try gateway.answer(&first[index]).status == 200) }
        #expect(origin.acceptedConnections == 1)
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        #expect(shared.limits.connections.now == 1 && gateway.stats().idleUpstreamConnections == 1)
    }

    @Test func requestsThatWaitForAConnectionThatIsBeingOpenedAreCounted() throws {
        let silent = try FullPort()
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([silent.port], shared) { $0.limits.pending = 2 }
        var clients = try Self.ask(gateway, 3)
        let answer = try gateway.answer(&clients[2])
        #expect(answer.status == 503 && answer["x-envoy-overloaded"] == "true")
        gateway.advance(milliseconds: 10_000)
        for index in 0..<2 { #expect(try gateway.answer(&clients[index]).text.hasSuffix("connection timeout")) }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        #expect(shared.limits.connections.now == 0)
        withExtendedLifetime(silent) {}
    }

    @Test(arguments: [true, false])
    func allThatWaitForAnEndpointFailWithTheFirstConnectionThatDoes(isAccepted: Bool) throws {
        let full = try FullPort()
        // The kernel accepts, and nobody says a word.
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let listener = try Socket.listen(address, shared: false)
        defer { Socket.close(listener) }
        let shared = ClusterShared(workers: 1)
        let port = isAccepted ? Int(Socket.localAddress(listener).port) : full.port
        let gateway = try Self.gateway([port], shared) {
            $0.limits.connections = 1
            $0.maxConcurrentStreams = 1
        }
        var clients = try Self.ask(gateway, 4)
        #expect(shared.limits.pending.now == 4 && shared.limits.requests.now == 1)
        gateway.advance(milliseconds: 10_000)
        for index in clients.indices {
            #expect(try gateway.answer(&clients[index]).text.hasSuffix("connection timeout"))
        }
        try gateway.run(until: "the permit has found nobody") { shared.limits.connections.now == 0 }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        withExtendedLifetime(full) {}
    }

    @Test func requestsBeyondTheLimitAreRefused() throws {
        let goes = Flag()
        let origin = try Self.hesitant(goes)
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared) { $0.limits.requests = 2 }
        var clients = try Self.ask(gateway, 3)
        #expect(try gateway.answer(&clients[2]).text.hasSuffix("overflow"))
        goes.raise()
        for index in 0..<2 { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.requests.now == 0 && shared.limits.overflows[.request] == 1)
    }

    @Test func aConnectionEndsForTheSakeOfOneToAnotherEndpoint() throws {
        let goes = Flag()
        goes.raise()
        let origins = try (0..<2).map { _ in try Self.hesitant(goes) }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway(origins.map(\.port), shared) { $0.limits.connections = 1 }
        for _ in 0..<6 {
            var client = try Self.ask(gateway, 1)
            #expect(try gateway.answer(&client[0]).status == 200)
            #expect(shared.limits.connections.now == 1 && gateway.stats().upstreamConnections == 1)
        }
        #expect(origins[0].acceptedConnections + origins[1].acceptedConnections == 6)
    }

    @Test func aBusyConnectionTakesNoMoreRequestsWhereOthersWaitTooLong() throws {
        let goes = Flag()
        let origins = try (0..<2).map { _ in try Self.hesitant(goes) }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway(origins.map(\.port), shared) { $0.limits.connections = 1 }
        // Round robin: the second waits, as the first keeps the connection there may be; the third would find room on it.
        var clients = try Self.ask(gateway, 1)
        try gateway.run(until: "it is connected") { shared.limits.pending.now == 0 }
        clients += try Self.ask(gateway, 1)
        gateway.advance(milliseconds: 60)
        clients += try Self.ask(gateway, 1)
        #expect(shared.limits.pending.now == 2)
        goes.raise()
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(shared.limits.pending.now == 0 && shared.limits.connections.now == 1)
    }

    @Test func aConnectionThatEndsGivesItsRequestsThatNobodyHasSeenToThoseWhoWait() throws {
        let origin = try makeH2Origin { number, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            // Says that it has not looked at it, and goes.
            if number == 1 { return try peer.sendGoAway(last: 0) }
            try peer.answer(stream)
            while true { try peer.answer(try peer.request()) }
        }
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared) {
            $0.limits.connections = 1
            $0.limits.requests = 1
        }
        var clients = try Self.ask(gateway, 1)
        #expect(try gateway.answer(&clients[0]).status == 200)
        #expect(origin.acceptedConnections == 2)
        #expect(shared.limits.requests.now == 0 && shared.limits.connections.now == 1)
    }

    @Test func anEndpointThatHasLeftKeepsNoConnectionBehindThoseWhoWaitedForIt() throws {
        let goes = Flag()
        let origin = try Self.hesitant(goes)
        defer { origin.stop() }
        let other = try Self.hesitant(goes)
        defer { other.stop() }
        let shared = ClusterShared(workers: 1)
        let limit = { (spec: inout ClusterSpec) in
            spec.httpVersion = .http2
            spec.limits.connections = 1
            spec.maxConcurrentStreams = 1
        }
        let gateway = try Self.gateway([origin.port], shared, limit)
        var clients = try Self.ask(gateway, 2)
        #expect(shared.limits.overflows[.connection] == 1)
        try gateway.adopt(generation: 2, origins: [other.port], shared: shared, configure: limit)
        goes.raise()
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        try gateway.run(until: "its permit is free") { shared.limits.connections.now == 0 }
        try clients[0].socket.send(Self.get)
        #expect(try gateway.answer(&clients[0]).status == 200)
        #expect(origin.acceptedConnections == 2 && other.acceptedConnections == 1)
    }

    @Test func aRequestThatNoConnectionTakesIsGivenUpOnThoughItHasToWaitForEach() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            _ = try peer.request()
            try peer.sendGoAway(last: 0)
        }
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared) { $0.limits.connections = 1 }
        var clients = try Self.ask(gateway, 1)
        #expect(try gateway.answer(&clients[0]).status == 503)
        #expect(origin.acceptedConnections == H2Pool.maxMoves + 1)
        #expect(shared.limits.requests.now == 0 && shared.limits.pending.now == 0)
        try gateway.run(until: "its permit is free") { shared.limits.connections.now == 0 }
    }

    @Test func aRequestThatFailsMakesRoomForTheNextWithinTheLimitOfRequests() throws {
        let goes = Flag()
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            while !goes.isRaised { usleep(500) }
            try peer.sendReset(stream, .internalError)
            try peer.answer(try peer.request())
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway([origin.port], shared) {
            $0.limits.connections = 1
            $0.limits.requests = 1
            $0.maxConcurrentStreams = 1
        }
        var clients = try Self.ask(gateway, 2)
        goes.raise()
        #expect(try gateway.answer(&clients[0]).text.hasSuffix("remote reset"))
        #expect(try gateway.answer(&clients[1]).status == 200)
        #expect(shared.limits.overflows[.request] == 0 && shared.limits.requests.now == 0)
    }

    @Test func theBodyOfARequestThatWaitsIsKeptUpToABoundAndSentOn() throws {
        let goes = Flag()
        let origin = try makeH2Origin { _, peer in
            // Windows of 1 MiB for each stream and for all.
            try peer.send(H2TestPeer.Frame(type: H2TestPeer.Frame.settings, payload: [0, 4, 0, 16, 0, 0]))
            try peer.send(H2TestPeer.Frame(type: 8, payload: [0, 16, 0, 0]))
            let first = try peer.request()
            while !goes.isRaised { usleep(500) }
            try peer.answer(first)
            let second = try peer.request()
            var count = 0
            while true {
                let frame = try peer.next(H2TestPeer.Frame.data)
                count += frame.payload.count
                if frame.isLast { break }
            }
            try peer.answer(second, "\(count)")
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], ClusterShared(workers: 1)) {
            $0.limits.connections = 1
            $0.maxConcurrentStreams = 1
        }
        var first = try Self.ask(gateway, 1)
        var second = try gateway.client()
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 800_000)
        let socket = second.socket
        try socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.count)\r\n\r\n")
        let crew = TestCrew(1) { _ in try socket.send(body) }
        try gateway.run(until: "the client has to wait") {
            gateway.worker.loop.pool.inUse * BufferPool.chunkBytes >= PendingStream.highMarkBytes
        }
        goes.raise()
        #expect(try gateway.answer(&first[0]).status == 200)
        #expect(try gateway.answer(&second).text == "\(body.count)")
        try crew.join()
    }

    @Test func aConnectionThatALongRequestKeepsFromClosingGoesOnWithItsOwn() throws {
        let goes = Flag()
        let isFirst = Guarded(true)
        let origins = try (0..<2).map { _ in
            try makeH2Origin { _, peer in
                try peer.sendSettings()
                let isHeld = isFirst.withLock { isFirst in
                    defer { isFirst = false }
                    return isFirst
                }
                let stream = try peer.request()
                if isHeld {
                    for _ in 0..<4 { try peer.answer(try peer.request()) }
                    while !goes.isRaised { usleep(500) }
                }
                try peer.answer(stream)
                while true { try peer.answer(try peer.request()) }
            }
        }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 1)
        let gateway = try Self.gateway(origins.map(\.port), shared) { $0.limits.connections = 1 }
        // Round robin: every other request is for the endpoint that the one connection leads to; those between wait.
        var clients = try Self.ask(gateway, 1)
        try gateway.run(until: "it is connected") { shared.limits.pending.now == 0 }
        clients += try Self.ask(gateway, 1)
        gateway.advance(milliseconds: 60)
        for rest in [1_000, 2_000] {
            // It gives way, for a second.
            clients += try Self.ask(gateway, 1)
            let waiting = shared.limits.pending.now
            gateway.advance(milliseconds: 990)
            #expect(shared.limits.pending.now == waiting)
            gateway.advance(milliseconds: 20)
            #expect(try gateway.answer(&clients[clients.count - 1]).status == 200)
            // Then it is left alone.
            gateway.advance(milliseconds: rest - 30)
            clients += try Self.ask(gateway, 2)
            #expect(try gateway.answer(&clients[clients.count - 1]).status == 200)
            gateway.advance(milliseconds: 30)
            clients += try Self.ask(gateway, 1)
        }
        clients += try Self.ask(gateway, 1)
        #expect(shared.limits.pending.now == 6 && shared.limits.connections.now == 1)
        goes.raise()
        for index in [0, 1, 3, 5, 7, 9, 10] {
            #expect(try gateway.answer(&clients[index]).status == 200)
        }
        #expect(shared.limits.pending.now == 0 && shared.limits.connections.now == 1)
    }
}
