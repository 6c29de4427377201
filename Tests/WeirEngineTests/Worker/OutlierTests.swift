import Synchronization
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Endpoints that fail are taken out, on a worker whose time stands still between two steps.
@Suite struct OutlierTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
    private static let grpc =
        "POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"

    private static func detecting(
        _ adjust: @escaping (inout OutlierSpec) -> Void = { _ in }
    ) -> (inout ClusterSpec) -> Void {
        { spec in
            var outlier = OutlierSpec()
            outlier.serverErrors = 3
            outlier.mostEjectedPercent = 100
            adjust(&outlier)
            spec.outlier = outlier
        }
    }

    private static func origin(_ head: String) throws -> OriginServer {
        try OriginServer { _, socket in
            try socket.send(head)
            return true
        }
    }

    /// The statuses of so many requests.
    private static func statuses(_ gateway: SteppedGateway, _ count: Int, _ request: String = get) throws -> [Int] {
        var client = try gateway.client()
        return try (0..<count).map { _ in
            try client.socket.send(request)
            let status = try gateway.answer(&client).status
            if status != 200 { client = try gateway.client() }
            return status
        }
    }

    @Test func anEndpointIsOutAfterItsThirdErrorAndBackAfterItsTime() throws {
        let bad = try Self.origin("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        let good = try OriginServer(name: "good")
        defer { for origin in [bad, good] { origin.stop() } }
        let gateway = try SteppedGateway(origins: [bad.port, good.port], configure: Self.detecting())
        #expect(try Self.statuses(gateway, 6).sorted() == [200, 200, 200, 500, 500, 500])
        #expect(try Self.statuses(gateway, 6) == Array(repeating: 200, count: 6))
        let table = try #require(gateway.health)
        #expect(table.ejectedCount == 1)
        gateway.advance(milliseconds: 29_000)
        table.sweep(now: gateway.worker.loop.now)
        #expect(try Self.statuses(gateway, 2) == [200, 200])
        gateway.advance(milliseconds: 11_000)
        table.sweep(now: gateway.worker.loop.now)
        #expect(try Self.statuses(gateway, 2).sorted() == [200, 500])
    }

    @Test func withTheOnlyEndpointOutRequestsAreAnsweredAtOnce() throws {
        let bad = try Self.origin("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        defer { bad.stop() }
        let gateway = try SteppedGateway(origins: [bad.port], configure: Self.detecting())
        _ = try Self.statuses(gateway, 3)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.text == "no healthy upstream")
        #expect(bad.requests.count == 3)
    }

    @Test func aConnectionThatIsRefusedCountsAsAnError() throws {
        let closed = try GatewayFixture.freePort()
        let gateway = try SteppedGateway(origins: [closed], configure: Self.detecting { $0.gatewayErrors = 3 })
        _ = try Self.statuses(gateway, 3)
        #expect(gateway.health?.ejectedCount == 1)
    }

    @Test func aConnectionThatIsClosedWithoutAnAnswerCountsAsAnError() throws {
        let rude = try OriginServer { _, _ in false }
        defer { rude.stop() }
        let gateway = try SteppedGateway(origins: [rude.port], configure: Self.detecting())
        _ = try Self.statuses(gateway, 3)
        #expect(gateway.health?.ejectedCount == 1)
    }

    /// Its head ends the row of errors, and what is left of it begins another.
    @Test func anAnswerThatBreaksOffCountsAsAnError() throws {
        let broken = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            return false
        }
        defer { broken.stop() }
        for (most, out) in [(UInt32(1), 1), (2, 0)] {
            let detecting = Self.detecting { $0.serverErrors = most }
            let gateway = try SteppedGateway(origins: [broken.port], configure: detecting)
            for _ in 0..<(out == 1 ? 1 : 3) {
                let client = try gateway.client()
                try client.socket.send(Self.get)
                try gateway.end(client)
            }
            #expect(gateway.health?.ejectedCount == out)
        }
    }

    @Test func anAnswerThatDoesNotComeInTimeCountsAsAnError() throws {
        try Self.expectSilenceCounts(after: 1_000) { $0.timeoutMilliseconds = 1_000 }
    }

    @Test func aTryThatTakesTooLongCountsAsAnError() throws {
        try Self.expectSilenceCounts(after: 500) { route in
            route.retry = .standard
            route.retry.conditions = []
            route.retry.tryTimeoutMilliseconds = 500
        }
    }

    /// Each of three requests that the endpoint does not answer for so long is one error.
    private static func expectSilenceCounts(
        after milliseconds: Int, routing: (inout RouteSpec) -> Void
    ) throws {
        let silent = try OriginServer { _, _ in true }
        defer { silent.stop() }
        let gateway = try SteppedGateway(origins: [silent.port], configure: detecting(), routing: routing)
        for count in 1...3 {
            var client = try gateway.client()
            try client.socket.send(get)
            try gateway.run(until: "the request arrives") { silent.requests.count == count }
            gateway.advance(milliseconds: milliseconds - 1)
            #expect(!client.socket.hasInput && gateway.health?.ejectedCount == 0)
            gateway.advance(milliseconds: 1)
            #expect(try gateway.answer(&client).status == 504)
            #expect(gateway.health?.ejectedCount == (count < 3 ? 0 : 1))
        }
    }

    @Test func everyTryCountsForTheEndpointThatFailedIt() throws {
        let bad = try Self.origin("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        defer { bad.stop() }
        let gateway = try SteppedGateway(
            origins: [bad.port], configure: Self.detecting(),
            routing: { route in
                route.retry = .standard
                route.retry.conditions = .serverError
                route.retry.backOffMilliseconds = 1
            })
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "an answer arrives") {
            gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        #expect(try client.response().status == 503 && bad.requests.count == 3)
        #expect(gateway.health?.ejectedCount == 1)
    }

    @Test func aStatusOfGRPCCountsWhereTheCallIsOne() throws {
        let bad = try Self.origin("HTTP/1.1 200 OK\r\nGrpc-Status: 14\r\nContent-Length: 0\r\n\r\n")
        defer { bad.stop() }
        for (request, ejected) in [(Self.get, 0), (Self.grpc, 1)] {
            let gateway = try SteppedGateway(origins: [bad.port], configure: Self.detecting())
            _ = try Self.statuses(gateway, 3, request)
            #expect(gateway.health?.ejectedCount == ejected)
        }
    }

    @Test func failuresToConnectAreCountedApartWhereTheRuleSaysSo() throws {
        let closed = try GatewayFixture.freePort()
        let gateway = try SteppedGateway(
            origins: [closed],
            configure: Self.detecting {
                $0.splitsLocalFailures = true
                $0.localFailures = 5
            })
        _ = try Self.statuses(gateway, 4)
        #expect(gateway.health?.ejectedCount == 0)
        _ = try Self.statuses(gateway, 1)
        #expect(gateway.health?.ejectedCount == 1)
    }

    @Test func whatBreaksOnAStandingConnectionIsNoFailureToConnect() throws {
        let rude = try OriginServer { _, _ in false }
        defer { rude.stop() }
        let gateway = try SteppedGateway(
            origins: [rude.port],
            configure: Self.detecting {
                $0.splitsLocalFailures = true
                $0.localFailures = 2
            })
        _ = try Self.statuses(gateway, 8)
        #expect(gateway.health?.ejectedCount == 0)
    }

    @Test func aRequestUnderWayEndsAtItsEndpointThatIsOut() throws {
        let held = Flag()
        let origin = try OriginServer { request, socket in
            if request.target == "/slow" { try eventually("it may go on") { held.isRaised } }
            let status = request.target == "/slow" ? "200 OK" : "500 No"
            try socket.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], configure: Self.detecting())
        var slow = try gateway.client()
        try slow.socket.send("GET /slow HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "it is at its origin") { origin.requests.count == 1 }
        _ = try Self.statuses(gateway, 3)
        #expect(gateway.health?.ejectedCount == 1)
        held.raise()
        #expect(try gateway.answer(&slow).status == 200)
    }

    @Test func severalWorkersShareWhatTheyKnow() throws {
        let bad = try Self.origin("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        let good = try OriginServer(name: "good")
        defer { for origin in [bad, good] { origin.stop() } }
        let gateway = try GatewayFixture(origins: [bad.port, good.port], workers: 4, configure: Self.detecting())
        var statuses: [Int] = []
        for _ in 0..<60 {
            var client = try gateway.client()
            statuses.append(try client.request("GET", "/", host: "example.com").status)
        }
        // Not three for each worker.
        #expect(statuses.count { $0 == 500 } == 3)
    }
}

extension SteppedGateway {
    /// What workers share of the endpoints' health.
    var health: HealthTable? { worker.currentCluster(0)?.takeUnretainedValue().plan.health }
}
