import Testing
import WeirTestSupport

@testable import WeirEngine

/// The limit on the further tries that a cluster's requests may have at a time (`maxRetries`, `retryBudget`).
@Suite struct RetryLimitTests {
    private static let failing = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfail"

    /// A gateway before an endpoint that answers 503 always; waits between tries take so long that a test can act in them.
    private struct Scene {
        let origin: OriginServer
        let shared = ClusterShared(workers: 1)
        let gateway: SteppedGateway

        init(retries: Int = 3, timeout: Int = 0, _ limit: (inout ClusterLimits) -> Void) throws {
            origin = try OriginServer { _, socket in
                try socket.send(failing)
                return true
            }
            gateway = try SteppedGateway(
                origins: [origin.port], shared: shared, configure: { limit(&$0.limits) },
                routing: { route in
                    route.timeoutMilliseconds = timeout
                    route.retry = RetrySpec(retries: retries, conditions: .serverError)
                    route.retry.backOffMilliseconds = 50_000
                })
        }

        var now: Int { shared.limits.retries.now }

        func ask() throws -> TestClient {
            let client = try gateway.client()
            try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            return client
        }

        /// A client whose request waits for its second try.
        func waiting() throws -> TestClient {
            let before = (now, origin.requests.count)
            let client = try ask()
            try gateway.run(until: "the first try has failed") { now > before.0 && origin.requests.count > before.1 }
            return client
        }

        /// Lets time go on until an answer is there.
        func answer(_ client: inout TestClient) throws -> TestMessage {
            try gateway.run(until: "an answer arrives") {
                gateway.worker.loop.advance(milliseconds: 1000)
                return client.socket.hasInput
            }
            return try client.response()
        }
    }

    @Test func beyondTheLimitTheUpstreamsAnswerIsPassedOn() throws {
        let scene = try Scene { $0.retries = 1 }
        defer { scene.origin.stop() }
        var first = try scene.waiting()
        var second = try scene.ask()
        let answer = try scene.gateway.answer(&second)
        #expect(answer.status == 503 && answer.text == "fail" && answer["x-envoy-overloaded"] == nil)
        #expect(scene.shared.limits.overflows[.retry] == 1 && scene.now == 1 && scene.origin.requests.count == 2)
        // The one that was admitted has all its tries, one after the other.
        #expect(try scene.answer(&first).status == 503)
        #expect(scene.origin.requests.count == 5 && scene.now == 0)
        #expect(scene.shared.limits.overflows[.retry] == 1)
    }

    @Test func whatEndsARequestGivesItsTryBack() throws {
        let scene = try Scene { $0.retries = 1 }
        defer { scene.origin.stop() }
        let client = try scene.waiting()
        client.socket.disconnect()
        try scene.gateway.run(until: "the request is over") { scene.gateway.activeExchanges == 0 }
        #expect(scene.now == 0)
        let timed = try Scene(timeout: 500) { $0.retries = 1 }
        defer { timed.origin.stop() }
        var late = try timed.waiting()
        timed.gateway.advance(milliseconds: 500)
        #expect(try timed.gateway.answer(&late).status == 504)
        #expect(timed.now == 0)
    }

    @Test func anAnswerThatGoesOutGivesTheTryBack() throws {
        let answered = Guarded(0)
        let origin = try OriginServer(raw: { reader, socket in
            while try reader.next() != nil {
                let count = answered.withLock { count in
                    count += 1
                    return count
                }
                try socket.send(count == 1 ? Self.failing : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            }
        })
        defer { origin.stop() }
        let shared = ClusterShared(workers: 1)
        let gateway = try SteppedGateway(
            origins: [origin.port], shared: shared, configure: { $0.limits.retries = 1 },
            routing: { $0.retry = RetrySpec(retries: 1, conditions: .serverError) })
        let client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the answer begins") {
            gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        // A long answer is no try any more.
        #expect(shared.limits.retries.now == 0 && gateway.activeExchanges == 1)
    }

    @Test func aBudgetIsAShareOfTheRequestsUnderWayAndAtLeastSoMany() throws {
        let scene = try Scene { $0.retryBudget = ClusterLimits.RetryBudget(percent: 20, least: 2) }
        defer { scene.origin.stop() }
        let waiting = [try scene.waiting(), try scene.waiting()]
        #expect(scene.now == 2)
        var refused = try scene.ask()
        #expect(try scene.gateway.answer(&refused).text == "fail")
        #expect(scene.now == 2 && scene.shared.limits.overflows[.retry] == 1)
        withExtendedLifetime(waiting) {}
    }

    @Test(arguments: [1, 2, .max])
    func aRequestThatWaitsForItsConnectionIsOneOfThoseUnderWay(connections: Int) throws {
        let silent = try FullPort()
        let shared = ClusterShared(workers: 1)
        let gateway = try SteppedGateway(
            origins: [silent.port], shared: shared,
            configure: {
                $0.limits.connections = connections
                $0.limits.retryBudget = ClusterLimits.RetryBudget(percent: 100, least: 0)
            })
        var clients: [TestClient] = []
        for count in 1...4 {
            clients.append(try gateway.client())
            try clients[count - 1].socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            try gateway.run(until: "it waits") { shared.limits.pending.now == count }
            let plan = gateway.worker.currentCluster(0)?.takeUnretainedValue().plan
            #expect(plan?.limitUses?.last?.limit == count)
        }
        gateway.advance(milliseconds: 10_000)
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 503) }
        #expect(shared.limits.requestsUnderWay == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func withoutALimitNothingIsCounted() throws {
        let scene = try Scene { _ in }
        defer { scene.origin.stop() }
        var clients = try (0..<3).map { _ in try scene.ask() }
        for index in clients.indices { #expect(try scene.answer(&clients[index]).status == 503) }
        #expect(scene.origin.requests.count == 12 && scene.now == 0 && scene.shared.limits.overflows[.retry] == 0)
    }
}
