import Testing
import WeirTestSupport

@testable import WeirEngine

/// The time that one try may take (`perTryTimeout`), where time stands still between two steps.
@Suite struct TryTimeoutTests {
    /// One request from a client, and the tries it leads to.
    private struct Scene {
        let worker: MemoryWorker
        let connection: MemoryServerConnection
        let stream: MemoryServerStream

        var pool: MemoryPool { worker.pools[0] }

        init(
            timeout: Int = 0, tryTimeout: Int = 300, conditions: RetryConditions = .serverError, retries: Int = 2,
            hasBody: Bool = false, connects: Bool = true, endpoint: String = "192.0.2.1",
            prepare: (RequestHead) -> Void = { _ in }
        ) throws {
            var retry = RetrySpec(retries: retries, conditions: conditions)
            retry.tryTimeoutMilliseconds = tryTimeout
            retry.backOffMilliseconds = 1
            worker = try MemoryWorker.serving(timeoutMilliseconds: timeout, retry: retry)
            worker.loop.holdTime()
            connection = MemoryServerConnection(worker: worker)
            // The first request of all makes the pool.
            let first = connection.open(stream: 1, path: "/first", hasBody: false)
            worker.pools[0].streams[0].answer(status: 200, last: true)
            #expect(first.ended)
            worker.pools[0].isConnecting = !connects
            stream = connection.open(stream: 2, path: "/", hasBody: hasBody, prepare: prepare)
        }

        func advance(_ milliseconds: Int) { worker.loop.advance(milliseconds: milliseconds) }

        /// The tries of the request, in order.
        var tries: [MemoryClientStream] { Array(pool.streams.dropFirst()) }

        func expected(_ number: Int) -> String? { tries[number].headers["x-envoy-expected-rq-timeout-ms"] }

        var status: Int? {
            connection.sent.compactMap { frame in
                if case .head(stream.id, let status) = frame { status } else { nil }
            }
            .last
        }
    }

    @Test func aTryThatTakesTooLongIsFollowedByAnother() throws {
        let scene = try Scene()
        scene.advance(299)
        #expect(scene.tries.count == 1 && !scene.tries[0].isCancelled)
        scene.advance(1)
        // Its answer would go nowhere.
        #expect(scene.tries[0].isCancelled)
        scene.advance(0)
        #expect(scene.tries.count == 2)
        scene.tries[1].answer(status: 200, last: true)
        #expect(scene.status == 200 && scene.worker.retryCount == 1)
        #expect(scene.tries.map { $0.headers["x-envoy-attempt-count"] } == ["1", "2"])
        scene.advance(10_000)
        #expect(scene.worker.report().activeExchanges == 0)
    }

    @Test func theLastOfTheTriesEndsTheRequest() throws {
        let scene = try Scene(retries: 1)
        scene.advance(300)
        scene.advance(300)
        #expect(scene.tries.count == 2 && scene.tries.allSatisfy { $0.isCancelled })
        #expect(scene.status == 504 && scene.stream.ended)
        #expect(scene.worker.report().activeExchanges == 0)
    }

    @Test(arguments: [RetryConditions.connectFailure, .resetBeforeRequest, .statusCodes])
    func whereItIsNoReasonForAnotherTryItEndsTheRequest(conditions: RetryConditions) throws {
        let scene = try Scene(conditions: conditions)
        scene.advance(300)
        #expect(scene.status == 504 && scene.tries.count == 1 && scene.tries[0].isCancelled)
    }

    @Test func anAnswerThatHasBegunMayTakeAnyTime() throws {
        let scene = try Scene()
        scene.advance(299)
        scene.tries[0].answer(status: 200)
        scene.advance(60_000)
        #expect(!scene.tries[0].isCancelled && !scene.stream.ended)
        scene.tries[0].answerEnd()
        #expect(scene.stream.ended)
    }

    @Test func itsTimeBeginsWhenTheRequestIsWhole() throws {
        let scene = try Scene(hasBody: true)
        _ = scene.stream.data([1])
        scene.advance(5000)
        #expect(scene.tries.count == 1 && !scene.tries[0].isCancelled)
        scene.stream.clientEnded()
        scene.advance(299)
        #expect(!scene.tries[0].isCancelled)
        scene.advance(1)
        #expect(scene.tries[0].isCancelled)
        scene.advance(1)
        #expect(scene.tries[1].received == [1] && scene.tries[1].gotEnd)
    }

    @Test func itsTimeBeginsWhenThereIsAConnection() throws {
        let scene = try Scene(connects: false)
        scene.advance(5000)
        #expect(!scene.tries[0].isCancelled)
        scene.tries[0].connect()
        scene.advance(299)
        #expect(!scene.tries[0].isCancelled)
        scene.advance(1)
        #expect(scene.tries[0].isCancelled)
    }

    @Test func theWholeRequestsTimeEndsATryAsWell() throws {
        let scene = try Scene(timeout: 500)
        scene.advance(300)
        scene.advance(0)
        #expect(scene.tries.count == 2)
        scene.advance(199)
        #expect(scene.status == nil)
        scene.advance(1)
        #expect(scene.status == 504 && scene.tries[1].isCancelled)
        scene.advance(10_000)
        #expect(scene.tries.count == 2)
    }

    @Test func aLimitThatIsNoShorterThanTheRoutesIsNone() throws {
        for limit in [500, 600] {
            let scene = try Scene(timeout: 500, tryTimeout: limit)
            #expect(scene.expected(0) == "500")
            scene.advance(500)
            #expect(scene.status == 504 && scene.tries.count == 1)
        }
    }

    @Test func theUpstreamIsToldTheShorterOfBothTimes() throws {
        let scene = try Scene(timeout: 500)
        #expect(scene.expected(0) == "300")
        scene.advance(300)
        scene.advance(0)
        #expect(scene.expected(1) == "200")
        #expect(try Scene().expected(0) == "300")
        #expect(try Scene(tryTimeout: 0).expected(0) == nil)
    }

    @Test func aServerOfGRPCIsToldTheTrysTime() throws {
        let scene = try Scene { head in
            head.isGRPC = true
            head.block.append(.other, "grpc-timeout", value: "2S")
        }
        #expect(scene.expected(0) == "300" && scene.tries[0].headers["grpc-timeout"] == "300m")
        scene.advance(300)
        scene.advance(0)
        #expect(scene.tries[1].headers["grpc-timeout"] == "300m")
        // What the client asks for holds for the whole request.
        let short = try Scene { head in
            head.isGRPC = true
            head.block.append(.other, "grpc-timeout", value: "200m")
        }
        #expect(short.expected(0) == "200")
        short.advance(200)
        #expect(short.stream.ended && short.tries.count == 1)
    }

    @Test func anInterimAnswerIsNoAnswerYetAndRulesOutAnotherTry() throws {
        let scene = try Scene()
        scene.tries[0].answer(status: 103)
        scene.advance(300)
        #expect(scene.status == 504 && scene.tries.count == 1 && scene.tries[0].isCancelled)
    }

    @Test func aClientThatLeavesStopsTheClock() throws {
        let scene = try Scene()
        scene.stream.clientReset()
        #expect(scene.tries[0].isCancelled)
        scene.advance(10_000)
        #expect(scene.tries.count == 1 && scene.status == nil && scene.worker.report().activeExchanges == 0)
    }

    @Test func theNextRequestOfAnExchangeHasAClockOfItsOwn() throws {
        let scene = try Scene()
        scene.advance(200)
        scene.tries[0].answer(status: 200, last: true)
        let next = scene.connection.open(stream: 4, path: "/", hasBody: false)
        scene.advance(299)
        #expect(scene.tries.count == 2 && !scene.tries[1].isCancelled && !next.ended)
        scene.advance(1)
        #expect(scene.tries[1].isCancelled)
    }

    // MARK: Over sockets

    private static func limited(_ route: inout RouteSpec) {
        route.retry = RetrySpec(retries: 1, conditions: .serverError)
        route.retry.tryTimeoutMilliseconds = 300
        route.retry.backOffMilliseconds = 1
    }

    @Test func anHTTP1ConnectionOfATryThatTookTooLongIsClosed() throws {
        let slow = Guarded(true)
        let asked = Guarded(0)
        let origin = try OriginServer { _, socket in
            asked.withLock { $0 += 1 }
            if slow.withLock({ isSlow in
                defer { isSlow = false }
                return isSlow
            }) {
                return true
            }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.limited)
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the first try arrives") { asked.withLock { $0 } == 1 }
        gateway.advance(milliseconds: 299)
        #expect(gateway.stats().upstreamRetries == 0)
        gateway.advance(milliseconds: 1)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).status == 200)
        #expect(gateway.stats().upstreamRetries == 1 && origin.acceptedConnections == 2)
        #expect(gateway.stats().upstreamConnections == 1)
    }

    @Test func anHTTP2StreamOfATryThatTookTooLongIsResetAlone() throws {
        let asked = Guarded(0)
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            _ = try peer.request()
            asked.withLock { $0 += 1 }
            _ = try peer.next(H2TestPeer.Frame.reset)
            try peer.answer(try peer.request())
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(
            origins: [origin.port], configure: { $0.httpVersion = .http2 }, routing: Self.limited)
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the first try arrives") { asked.withLock { $0 } == 1 }
        gateway.advance(milliseconds: 300)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).text == "ok")
        #expect(gateway.stats().upstreamRetries == 1 && origin.acceptedConnections == 1)
    }

    @Test func aTryThatTookTooLongCountsAgainstItsEndpoint() throws {
        let origin = try OriginServer { _, _ in true }
        defer { origin.stop() }
        let gateway = try SteppedGateway(
            origins: [origin.port],
            configure: { spec in
                var outlier = OutlierSpec()
                outlier.serverErrors = 2
                outlier.mostEjectedPercent = 100
                spec.outlier = outlier
            }, routing: Self.limited)
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        for count in 1...2 {
            #expect(gateway.health?.ejectedCount == 0)
            try gateway.run(until: "a try arrives") {
                gateway.worker.loop.advance(milliseconds: 0)
                return origin.requests.count == count
            }
            gateway.advance(milliseconds: 300)
        }
        #expect(try gateway.answer(&client).status == 504)
        #expect(gateway.health?.ejectedCount == 1)
    }

    @Test func connectingIsTimedByItsOwnLimitAlone() throws {
        let full = try FullPort()
        let gateway = try SteppedGateway(
            origins: [full.port], configure: { $0.connectTimeoutMilliseconds = 1000 }, routing: Self.limited)
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the first try connects") { gateway.stats().upstreamConnects == 1 }
        gateway.advance(milliseconds: 999)
        #expect(gateway.stats().upstreamConnectFailures == 0)
        gateway.advance(milliseconds: 1)
        #expect(gateway.stats().upstreamConnectFailures == 1)
        gateway.advance(milliseconds: 1)
        gateway.advance(milliseconds: 1000)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503)
        #expect(answer.text.hasSuffix("retried and the latest reset reason: connection timeout"))
    }
}
