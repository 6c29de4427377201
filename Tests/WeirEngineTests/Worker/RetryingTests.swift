import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Failed tries are repeated as the route says, on a worker whose time stands still between two steps.
@Suite struct RetryingTests {
    private static let refused = "upstream connect error or disconnect/reset before headers. "
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"

    private static func standard(_ route: inout RouteSpec) { route.retry = .standard }

    /// Waits so long before a retry that a test has the time to do something meanwhile.
    private static func patient(_ route: inout RouteSpec) {
        route.retry = .standard
        route.retry.backOffMilliseconds = 50_000
    }

    /// An origin that answers each request's first tries with a status, and the next one with its body's size.
    private static func failing(_ head: String, times: Int) throws -> OriginServer {
        let failures = Guarded(0)
        return try OriginServer { request, socket in
            let fails = failures.withLock { count in
                count += 1
                return count <= times
            }
            let size = "\(request.body.count)"
            try socket.send(
                fails ? head : "HTTP/1.1 200 OK\r\nContent-Length: \(size.utf8.count)\r\n\r\n\(size)")
            return true
        }
    }

    private static let unavailable = "HTTP/1.1 200 OK\r\nGrpc-Status: 14\r\nContent-Length: 0\r\n\r\n"

    /// Lets the worker work, and its time go on, until an answer is there.
    private static func answer(_ gateway: SteppedGateway, _ client: inout TestClient) throws -> TestMessage {
        try gateway.run(until: "an answer arrives") {
            gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        return try client.response()
    }

    @Test func anEndpointThatRefusesIsReplacedByAnother() throws {
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let closed = try GatewayFixture.freePort()
        let gateway = try SteppedGateway(origins: [closed, origin.port], routing: Self.standard)
        var client = try gateway.client()
        for _ in 0..<20 {
            try client.socket.send(Self.get)
            let answer = try Self.answer(gateway, &client)
            #expect(answer.status == 200 && answer["x-backend"] == "good")
        }
        let counts = Set(origin.requests.map { $0["x-envoy-attempt-count"] })
        #expect(counts.isSubset(of: ["1", "2"]), "an endpoint that has failed was tried again: \(counts)")
        #expect(gateway.activeExchanges == 0)
    }

    @Test func triesEndWithTheRoutesLast() throws {
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 503)
        #expect(answer.text == Self.refused + "retried and the latest reset reason: remote connection failure")
        let stats = gateway.stats()
        #expect(stats.upstreamConnectFailures == 3 && stats.upstreamRetries == 2)
    }

    @Test func withoutRetriesThereIsOneTry() throws {
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()])
        var client = try gateway.client()
        try client.socket.send(Self.get)
        #expect(try Self.answer(gateway, &client).text == Self.refused + "reset reason: remote connection failure")
        #expect(gateway.stats().upstreamConnectFailures == 1)
    }

    @Test func anAnswerWithAGRPCStatusInItsHeadIsRepeatedForAnyRequest() throws {
        let origin = try Self.failing(Self.unavailable, times: 2)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        #expect(try Self.answer(gateway, &client).text == "0")
        #expect(origin.requests.map { $0["x-envoy-attempt-count"] } == ["1", "2", "3"])
        // An answer without a body leaves the connection for the next try.
        #expect(origin.acceptedConnections == 1)
        #expect(Set(origin.requests.map { $0["x-request-id"] }).count == 1)
    }

    @Test func theLastAnswerIsPassedOn() throws {
        let origin = try Self.failing(Self.unavailable, times: 9)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 200 && answer["grpc-status"] == "14" && origin.requests.count == 3)
    }

    @Test func whatAnUpstreamHasSeenIsNotRepeatedByDefault() throws {
        let origin = try OriginServer { _, _ in false }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        #expect(try Self.answer(gateway, &client).text == Self.refused + "reset reason: connection termination")
        #expect(origin.requests.count == 1)
    }

    @Test func aLineWrittenBetweenTwoTriesNamesNoConnectionThatIsGone() throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nGrpc-Status: 14\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return false
        }
        defer { origin.stop() }
        let log = try AccessLog(
            format: AccessLogFormat("%RESPONSE_FLAGS% %UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_HOST%\n"), workers: 1)
        let gateway = try SteppedGateway(origins: [origin.port], accessLog: log, routing: Self.patient)
        let client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "the first try has failed") {
            let stats = gateway.stats()
            return stats.upstreamConnects == 1 && stats.upstreamConnections == 0
        }
        client.socket.resetOnClose()
        client.socket.disconnect()
        try gateway.run(until: "the request is given up") { gateway.activeExchanges == 0 }
        #expect(String(decoding: log.rings[0].waiting, as: UTF8.self) == "DC - 127.0.0.1:\(origin.port)\n")
    }

    // MARK: Bodies

    @Test(arguments: [1, 3000, 100_000, 1024 * 1024])
    func aBodyOfUpToAMebibyteIsSentAgain(size: Int) throws {
        let origin = try Self.failing(Self.unavailable, times: 2)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        let body = Scattered(socket: client.socket, size: size)
        body.start()
        #expect(try Self.answer(gateway, &client).text == "\(size)")
        #expect(origin.requests.allSatisfy { $0.body == body.bytes } && origin.requests.count == 3)
        #expect(gateway.worker.replayBytes == 0)
    }

    @Test func aChunkedBodyIsSentAgain() throws {
        let origin = try Self.failing(Self.unavailable, times: 1)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in ["order", "=", "42"] { try client.socket.send("\(piece.utf8.count)\r\n\(piece)\r\n") }
        try client.socket.send("0\r\n\r\n")
        #expect(try Self.answer(gateway, &client).text == "8")
        #expect(origin.requests.map(\.text) == ["order=42", "order=42"])
    }

    @Test func aLongerBodyIsSentOnAndNotRepeated() throws {
        let origin = try Self.failing(Self.unavailable, times: 1)
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        Scattered(socket: client.socket, size: 1024 * 1024 + 1).start()
        let answer = try Self.answer(gateway, &client)
        #expect(answer["grpc-status"] == "14" && origin.requests.count == 1)
        #expect(gateway.worker.replayBytes == 0)
    }

    @Test func aClientWaitsWhileNobodyTakesItsBody() throws {
        let origin = try OriginServer { request, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Size: \(request.body.count)\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let closed = try GatewayFixture.freePort()
        let gateway = try SteppedGateway(origins: [closed], routing: Self.patient)
        var client = try gateway.client()
        let size = 4 * 1024 * 1024
        Scattered(socket: client.socket, size: size).start()
        try gateway.run(until: "as much is kept as may be") { gateway.worker.replayBytes >= ReplayBuffer.maxBytes }
        for _ in 0..<50 { gateway.worker.loop.tick(wait: false) }
        #expect(gateway.worker.replayBytes <= ReplayBuffer.maxBytes + BufferPool.chunkBytes)
        // While it waits, the configuration brings an endpoint that serves: the body goes there, whole.
        try gateway.adopt(generation: 2, origins: [origin.port])
        try Self.passWait(gateway)
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 200 && answer["x-size"] == "\(size)")
        #expect(gateway.worker.replayBytes == 0)
    }

    @Test func anInterimAnswerThatWentOutRulesOutAnotherTry() throws {
        let origin = try OriginServer { request, socket in
            try socket.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + Self.unavailable)
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.standard)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "an answer arrives") { client.socket.hasInput && gateway.activeExchanges == 0 }
        #expect(try client.responseHead()?.status == 103)
        #expect(try client.response()["grpc-status"] == "14")
        #expect(origin.requests.count == 1)
    }

    // MARK: What happens during the wait

    /// A gateway with a request that waits for its next try.
    private static func waiting(_ body: String = "") throws -> (SteppedGateway, TestClient) {
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()], routing: patient)
        let client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\n\(body)")
        try gateway.run(until: "the first try has failed") { gateway.stats().upstreamConnectFailures == 1 }
        #expect(gateway.activeExchanges == 1 && gateway.stats().upstreamConnections == 0)
        return (gateway, client)
    }

    /// Lets the time go on until the next try begins, and not so far that it would have to connect in no time.
    private static func passWait(_ gateway: SteppedGateway) throws {
        let before = gateway.stats().upstreamRetries
        try gateway.run(until: "the next try begins") {
            gateway.advance(milliseconds: 1000)
            return gateway.stats().upstreamRetries > before
        }
    }

    @Test func aClientThatLeavesEndsTheWait() throws {
        for body in ["", "abc", "abcde"] {
            let (gateway, client) = try Self.waiting(body)
            client.socket.resetOnClose()
            client.socket.disconnect()
            try gateway.run(until: "the request is over") { gateway.activeExchanges == 0 }
            #expect(gateway.worker.replayBytes == 0)
            // Nothing is left that would make another try.
            gateway.advance(milliseconds: 600_000)
            #expect(gateway.stats().upstreamConnectFailures == 1 && gateway.stats().upstreamRetries == 0)
        }
    }

    @Test func anEndpointThatLeavesTheConfigurationIsNotTriedAgain() throws {
        let origin = try OriginServer(name: "new")
        defer { origin.stop() }
        var (gateway, client) = try Self.waiting("abcde")
        try gateway.adopt(generation: 2, origins: [origin.port])
        #expect(gateway.stats().pinnedGenerations == 2)
        try Self.passWait(gateway)
        #expect(try gateway.answer(&client)["x-backend"] == "new")
        #expect(gateway.stats().pinnedGenerations == 1 && gateway.stats().upstreamConnectFailures == 1)
    }

    @Test func whenNoEndpointIsLeftTheAnswerSaysSo() throws {
        var (gateway, client) = try Self.waiting("abcde")
        try gateway.adopt(generation: 2, origins: [])
        try Self.passWait(gateway)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.text == "no healthy upstream")
        #expect(gateway.stats().pinnedGenerations == 1)
    }

    @Test func aDrainLetsTheTriesEnd() throws {
        let (gateway, client) = try Self.waiting("abcde")
        var reader = client
        let done = Flag()
        gateway.drain(done)
        #expect(!done.isRaised)
        for failures in 2...3 {
            try Self.passWait(gateway)
            try gateway.run(until: "a try has failed") { gateway.stats().upstreamConnectFailures == failures }
        }
        let answer = try gateway.answer(&reader)
        #expect(answer.status == 503 && answer["connection"] == "close")
        client.socket.shutDown()
        try gateway.run(until: "the worker is drained") {
            gateway.advance(milliseconds: 1000)
            return done.isRaised
        }
    }

    @Test func aTimerIsKeptForTheExchangesNextRequestAndThenSilent() throws {
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()], routing: Self.standard)
        var client = try gateway.client()
        for _ in 0..<30 {
            try client.socket.send(Self.get)
            #expect(try Self.answer(gateway, &client).status == 503)
        }
        let timers = gateway.worker.loop.timerCount
        #expect(timers <= 3, "one exchange serves one request after the other")
        gateway.advance(milliseconds: 1000)
        // That of the client's connection, which is idle.
        #expect(gateway.worker.loop.timerCount == 1)
    }

    // MARK: Over a multiplexed connection

    @Test func aStreamThatWasRefusedIsRepeatedWithItsTrailers() throws {
        let worker = try MemoryWorker.serving(retry: .standard)
        worker.loop.holdTime()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 0, path: "/", hasBody: true)
        _ = stream.data([1, 2])
        _ = stream.data([3])
        stream.trailers("x-sum", "6")
        stream.clientEnded()
        let pool = try #require(worker.pools.first)
        pool.streams[0].fail(.refusedStream)
        worker.loop.advance(milliseconds: 25)
        let again = try #require(pool.streams.last)
        #expect(pool.streams.count == 2 && again.gotEnd)
        #expect(again.received == [1, 2, 3] && again.receivedTrailer == "x-sum")
        again.answer(status: 200, last: true)
        #expect(stream.ended && worker.report().activeExchanges == 0 && worker.replayBytes == 0)
    }

    @Test func whatComesOfTheBodyDuringTheWaitGoesToTheNextTry() throws {
        let worker = try MemoryWorker.serving(retry: .standard)
        worker.loop.holdTime()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 0, path: "/", hasBody: true)
        _ = stream.data([1])
        let pool = try #require(worker.pools.first)
        pool.streams[0].fail(.connectFailure)
        _ = stream.data([2])
        #expect(pool.streams.count == 1)
        worker.loop.advance(milliseconds: 25)
        _ = stream.data([3])
        let again = try #require(pool.streams.last)
        #expect(again.received == [1, 2, 3] && !again.gotEnd)
        stream.clientEnded()
        #expect(again.gotEnd)
        again.fail(.connectFailure)
        worker.loop.advance(milliseconds: 50)
        let third = try #require(pool.streams.last)
        #expect(pool.streams.count == 3 && third.received == [1, 2, 3] && third.gotEnd)
        // It was the last try: nothing is kept for another.
        #expect(worker.replayBytes == 0)
        third.fail(.connectFailure)
        #expect(stream.ended && connection.sent.contains { if case .head(_, 503) = $0 { true } else { false } })
    }
}

/// A request whose body goes out in pieces, on a thread of its own.
private final class Scattered: Sendable {
    let bytes: [UInt8]
    private let socket: TestSocket

    init(socket: TestSocket, size: Int) {
        self.socket = socket
        bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
    }

    func start() {
        TestThread { [self] in
            try? socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(bytes.count)\r\n\r\n")
            for start in stride(from: 0, to: bytes.count, by: 40_000) {
                try? socket.send(Array(bytes[start..<min(start + 40_000, bytes.count)]))
            }
        }
        .start()
    }
}
