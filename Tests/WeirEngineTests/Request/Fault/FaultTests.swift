import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Delays and aborts that a route makes up, on a worker whose time stands still between two steps.
@Suite struct FaultTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"

    private static func delay(_ milliseconds: Int, percent: Int = 100) -> FaultInjection.Delay {
        FaultInjection.Delay(milliseconds: milliseconds, share: RequestShare(millionths: percent * 10_000))
    }

    private static func abort(_ failure: FaultInjection.Failure, percent: Int = 100) -> FaultInjection.Abort {
        FaultInjection.Abort(failure, share: RequestShare(millionths: percent * 10_000))
    }

    private static func gateway(
        _ origins: [Int], delay: FaultInjection.Delay? = nil, abort: FaultInjection.Abort? = nil,
        cors: CORSPolicy? = nil, edits: HeaderEdits = HeaderEdits(), routing: (inout RouteSpec) -> Void = { _ in }
    ) throws -> SteppedGateway {
        let fault = FaultInjection(delay: delay, abort: abort)
        return try SteppedGateway(
            origins: origins,
            routing: {
                $0.actions = RouteActions(cors: cors, fault: fault, responseEdits: edits)
                routing(&$0)
            })
    }

    /// A request is on its way through the gateway.
    private static func begin(_ gateway: SteppedGateway, _ client: TestClient, _ bytes: String = get) throws {
        try client.socket.send(bytes)
        try gateway.run(until: "the request is read") { gateway.activeExchanges > 0 }
    }

    // MARK: Aborts

    @Test func anAbortedRequestReachesNobody() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], abort: Self.abort(.status(418)))
        var client = try gateway.client()
        for _ in 0..<3 {
            try client.socket.send(Self.get)
            let answer = try gateway.answer(&client)
            #expect(answer.status == 418 && answer.text == "fault filter abort")
            #expect(answer["content-type"] == "text/plain" && answer["content-length"] == "18")
            #expect(answer["x-envoy-upstream-service-time"] == nil && answer["server"] == "weir")
        }
        let stats = gateway.stats()
        #expect(origin.requests.isEmpty && stats.upstreamConnects == 0 && stats.faults.aborts == 3)
        #expect(stats.activeExchanges == 0 && stats.faults.delays == 0)
    }

    @Test func anAbortIsNotTriedAgainAndTakesTheRoutesHeaders() throws {
        var edits = HeaderEdits()
        try edits.set("x-set", to: "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        let gateway = try Self.gateway([], abort: Self.abort(.status(503)), edits: edits) { route in
            route.retry = .standard
            route.retry.conditions = [.serverError]
        }
        var client = try gateway.client()
        try client.socket.send(Self.get)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer["x-set"] == "FI fault_filter_abort")
        #expect(gateway.stats().upstreamRetries == 0)
    }

    @Test func anAnswerToHEADTellsTheLengthOfTheBodyItLacks() throws {
        let gateway = try Self.gateway([], abort: Self.abort(.status(500)))
        let client = try gateway.client()
        try client.socket.send("HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "an answer arrives") { client.socket.hasInput }
        let text = String(decoding: try client.socket.receive(), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 500 ") && text.contains("content-length: 18\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: [
        (FaultInjection.Failure.grpc(14), "14"), (.grpc(0), "0"), (.status(503), "14"), (.status(404), "12"),
        (.status(200), "2"),
    ])
    func aClientOfGRPCIsToldInItsOwnTerms(_ failure: FaultInjection.Failure, _ status: String) throws {
        let gateway = try Self.gateway([], abort: Self.abort(failure))
        var client = try gateway.client()
        try client.socket.send(
            "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
        let answer = try gateway.answer(&client)
        #expect(answer.status == 200 && answer["content-type"] == "application/grpc" && answer.body.isEmpty)
        #expect(answer["grpc-status"] == status && answer["grpc-message"] == "fault filter abort")
    }

    @Test func otherClientsSeeAStatusOfGRPCAsText() throws {
        let gateway = try Self.gateway([], abort: Self.abort(.grpc(14)))
        var client = try gateway.client()
        try client.socket.send(Self.get)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 200 && answer.text == "fault filter abort" && answer["grpc-status"] == nil)
    }

    @Test func aPreflightIsAbortedLikeAnyRequestAndGetsNothingOfCORS() throws {
        var cors = CORSPolicy()
        cors.origins = [.exact("https://a.b")]
        let gateway = try Self.gateway([], abort: Self.abort(.status(500)), cors: cors)
        var client = try gateway.client()
        try client.socket.send(
            "OPTIONS / HTTP/1.1\r\nHost: example.com\r\nOrigin: https://a.b\r\n"
                + "Access-Control-Request-Method: PUT\r\n\r\n")
        let answer = try gateway.answer(&client)
        #expect(answer.status == 500 && answer["access-control-allow-origin"] == nil)
    }

    @Test func aShareOfTheRequestsIsAborted() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], abort: Self.abort(.status(500), percent: 50))
        var client = try gateway.client()
        var statuses: [Int: Int] = [:]
        for _ in 0..<200 {
            try client.socket.send(Self.get)
            statuses[try gateway.answer(&client).status, default: 0] += 1
        }
        // Five standard deviations.
        #expect(abs((statuses[500] ?? 0) - 100) < 36 && statuses.count == 2)
        #expect(gateway.stats().faults.aborts == statuses[500] && origin.requests.count == statuses[200])
    }

    // MARK: Delays

    @Test func aDelayHoldsTheRequestAndNothingOfItsTimeout() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], delay: Self.delay(5000)) { $0.timeoutMilliseconds = 100 }
        var client = try gateway.client()
        for count in 1...2 {
            try Self.begin(gateway, client)
            gateway.advance(milliseconds: 4999)
            #expect(gateway.activeExchanges == 1 && origin.requests.count == count - 1)
            gateway.advance(milliseconds: 1)
            let answer = try gateway.answer(&client)
            #expect(answer.status == 200 && answer["x-envoy-upstream-service-time"] == "0")
            #expect(origin.requests.last?["x-envoy-expected-rq-timeout-ms"] == "100")
        }
        #expect(gateway.stats().faults.delays == 2 && gateway.worker.replayBytes == 0)
    }

    @Test func theTimeoutBeginsWithTheDelaysEnd() throws {
        let origin = try OriginServer { _, socket in
            // Ends with the connection, which the gateway closes.
            _ = try? socket.receive()
            return false
        }
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], delay: Self.delay(5000)) { $0.timeoutMilliseconds = 1000 }
        var client = try gateway.client()
        try Self.begin(gateway, client, "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc")
        gateway.advance(milliseconds: 5000)
        try gateway.run(until: "the request arrives") { origin.requests.count == 1 }
        gateway.advance(milliseconds: 999)
        #expect(gateway.activeExchanges == 1)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).status == 504)
    }

    @Test(arguments: [1, 100_000, 1024 * 1024 + 1, 5_000_000])
    func aBodyThatComesMeanwhileFollows(size: Int) throws {
        let origin = try OriginServer { request, socket in
            let text = "\(request.body.count)"
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            return true
        }
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], delay: Self.delay(5000)) { $0.retry = .standard }
        var client = try gateway.client()
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        let socket = client.socket
        TestThread {
            try? socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(size)\r\n\r\n")
            try? socket.send(body)
        }
        .start()
        // What is kept meanwhile is bounded: then the client waits as well.
        let kept = min(size, ReplayBuffer.maxBytes)
        try gateway.run(until: "as much has come as is kept") { gateway.worker.replayBytes >= kept }
        #expect(gateway.worker.replayBytes < kept + BufferPool.chunkBytes)
        #expect(gateway.stats().upstreamConnections == 0)
        gateway.advance(milliseconds: 5000)
        #expect(try gateway.answer(&client).text == "\(size)")
        #expect(origin.requests.first?.body == body && gateway.worker.replayBytes == 0)
    }

    @Test func theDelayComesFirstAndThenTheAbort() throws {
        let gateway = try Self.gateway([], delay: Self.delay(3000), abort: Self.abort(.status(504)))
        var client = try gateway.client()
        try Self.begin(gateway, client)
        gateway.advance(milliseconds: 2999)
        #expect(!client.socket.hasInput)
        gateway.advance(milliseconds: 1)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 504 && answer.text == "fault filter abort")
        let faults = gateway.stats().faults
        #expect(faults.delays == 1 && faults.aborts == 1)
    }

    @Test func bothTossesAreIndependent() throws {
        let gateway = try Self.gateway(
            [try GatewayFixture.freePort()], delay: Self.delay(1000, percent: 50),
            abort: Self.abort(.status(418), percent: 50))
        var client = try gateway.client()
        var seen: [String: Int] = [:]
        for _ in 0..<400 {
            try client.socket.send(Self.get)
            var delays = 0
            try gateway.run(until: "an answer arrives") {
                let soFar = gateway.stats().faults.delays
                if soFar > delays {
                    delays = soFar
                    gateway.worker.loop.advance(milliseconds: 1000)
                }
                return client.socket.hasInput
            }
            seen["\(try client.response().status)", default: 0] += 1
        }
        let faults = gateway.stats().faults
        // Five standard deviations of 400 tosses.
        #expect(abs(faults.delays - 200) < 50 && abs(faults.aborts - 200) < 50)
        #expect(seen["418"] == faults.aborts && seen["503"] == 400 - faults.aborts)
    }

    @Test func aClientThatLeavesMeanwhileCostsNothingFurther() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], delay: Self.delay(5000))
        for body in ["", "Content-Length: 10\r\n"] {
            let client = try gateway.client()
            try Self.begin(gateway, client, "POST / HTTP/1.1\r\nHost: example.com\r\n\(body)\r\n")
            client.socket.disconnect()
            try gateway.run(until: "the request is over") { gateway.activeExchanges == 0 }
        }
        gateway.advance(milliseconds: 10_000)
        let stats = gateway.stats()
        #expect(stats.upstreamConnects == 0 && stats.pinnedGenerations == 1 && origin.requests.isEmpty)
        #expect(stats.faults.delays == 2)
    }

    @Test func aReloadMeanwhileLeadsToTheEndpointsOfTheMoment() throws {
        let former = try OriginServer(name: "former")
        let later = try OriginServer(name: "later")
        defer {
            former.stop()
            later.stop()
        }
        let gateway = try Self.gateway([former.port], delay: Self.delay(5000))
        var client = try gateway.client()
        try Self.begin(gateway, client)
        try gateway.adopt(generation: 2, origins: [later.port])
        #expect(gateway.stats().pinnedGenerations == 2)
        gateway.advance(milliseconds: 5000)
        #expect(try gateway.answer(&client)["x-backend"] == "later")
        #expect(gateway.stats().pinnedGenerations == 1 && former.requests.isEmpty)
    }

    @Test func aClusterThatHasLeftMeanwhileIsSaidToBeMissing() throws {
        let gateway = try Self.gateway([try GatewayFixture.freePort()], delay: Self.delay(5000))
        var client = try gateway.client()
        try Self.begin(gateway, client)
        gateway.adopt(
            Snapshot(
                generation: 2, listeners: [ListenerPlan(port: gateway.port, bind: nil, hosts: [])], clusters: [],
                clusterCapacity: 1))
        gateway.advance(milliseconds: 5000)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.body.isEmpty)
        #expect(gateway.stats().pinnedGenerations == 1)
    }

    @Test func aRouteWithoutAClusterIsDelayedToo() throws {
        let gateway = try Self.gateway([], delay: Self.delay(5000)) { $0.destinations[0].clusterID = -1 }
        var client = try gateway.client()
        try Self.begin(gateway, client)
        gateway.advance(milliseconds: 5000)
        #expect(try gateway.answer(&client).status == 503)
    }

    @Test func aRouteThatAnswersByItselfIsDelayedAndAbortedToo() throws {
        let answer = RouteAnswer.direct(status: 200, body: Array("hello".utf8))
        let fault = FaultInjection(delay: Self.delay(2000), abort: nil)
        let gateway = try SteppedGateway(routing: { $0.actions = RouteActions(answer: answer, fault: fault) })
        var client = try gateway.client()
        try Self.begin(gateway, client)
        gateway.advance(milliseconds: 2000)
        #expect(try gateway.answer(&client).text == "hello")
    }

    @Test func aDelayedRequestIsTriedAgainLikeAnyOther() throws {
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let closed = try GatewayFixture.freePort()
        let gateway = try Self.gateway([closed, origin.port], delay: Self.delay(1000)) { $0.retry = .standard }
        var client = try gateway.client()
        for _ in 0..<4 {
            try Self.begin(gateway, client, "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc")
            try gateway.run(until: "an answer arrives") {
                gateway.worker.loop.advance(milliseconds: 100)
                return client.socket.hasInput
            }
            #expect(try client.response()["x-backend"] == "good")
        }
        #expect(origin.requests.allSatisfy { $0.text == "abc" })
    }

    @Test func anUpgradeIsHeldWithWhatFollowsIt() throws {
        let origin = try OriginServer(raw: { reader, socket in
            guard let request = try reader.nextHead(), let key = request["sec-websocket-key"] else { return }
            try socket.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: \(key)\r\n\r\n")
            while true {
                let bytes = try reader.someBytes()
                if bytes.isEmpty { return }
                try socket.send(bytes)
            }
        })
        defer { origin.stop() }
        let gateway = try Self.gateway([origin.port], delay: Self.delay(1000))
        let client = try gateway.client()
        try Self.begin(
            gateway, client,
            "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nping")
        #expect(gateway.stats().upstreamConnections == 0)
        gateway.advance(milliseconds: 1000)
        var text = ""
        try gateway.run(until: "the echo arrives") {
            if client.socket.hasInput { text += String(decoding: try client.socket.receive(), as: UTF8.self) }
            return text.hasSuffix("ping")
        }
        #expect(text.hasPrefix("HTTP/1.1 101 "))
    }
}
