import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// A route's timeout, and a gRPC client's, on a worker whose time stands still between two steps.
@Suite struct RouteTimeoutTests {
    /// An origin that takes requests, and answers as far as `head` says and no further.
    private final class Silent {
        let server: OriginServer
        let asked = Guarded<[TestMessage]>([])

        init(saying head: String = "") throws {
            let asked = asked
            server = try OriginServer(raw: { reader, socket in
                while let request = try reader.next() {
                    asked.withLock { $0.append(request) }
                    if !head.isEmpty { try socket.send(head) }
                }
            })
        }

        deinit { server.stop() }

        var requests: [TestMessage] { asked.withLock { $0 } }
    }

    private static func fiveSeconds(_ route: inout RouteSpec) { route.timeoutMilliseconds = 5000 }

    private static func request(_ lines: String = "", body: String? = nil) -> String {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        return "POST / HTTP/1.1\r\nHost: example.com\r\n\(length)\(lines)\r\n\(body ?? "")"
    }

    /// What the client takes to send its body is not the upstream's.
    @Test func theUpstreamsTimeBeginsOnceTheRequestIsWhole() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nab")
        try gateway.run(until: "the request is on its way") { origin.acceptedConnections == 1 }
        gateway.advance(milliseconds: 600)
        try client.socket.send("cd")
        #expect(try gateway.answer(&client)["x-envoy-upstream-service-time"] == "0")
    }

    @Test func anAnswerThatDoesNotBeginInTimeIs504() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [silent.server.port], routing: Self.fiveSeconds)
        var client = try gateway.client()
        for count in 1...2 {
            try client.socket.send(Self.request(body: "abc"))
            try gateway.run(until: "the request arrives") { silent.requests.count == count }
            #expect(silent.requests.last?["x-envoy-expected-rq-timeout-ms"] == "5000")
            gateway.advance(milliseconds: 4999)
            #expect(gateway.activeExchanges == 1 && !client.socket.hasInput)
            gateway.advance(milliseconds: 1)
            let answer = try gateway.answer(&client)
            #expect(answer.status == 504 && answer.text == "upstream request timeout")
            #expect(answer["content-type"] == "text/plain")
            // Nobody wants what the upstream would still say.
            #expect(gateway.stats().upstreamConnections == 0 && gateway.activeExchanges == 0)
        }
        // One timer for the exchange, whichever request it serves.
        #expect(gateway.worker.loop.timerCount <= 2)
    }

    @Test func theTimeBeginsWithTheRequestsLastByte() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [silent.server.port], routing: Self.fiveSeconds)
        var client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\na")
        try gateway.run(until: "the head is read") { gateway.activeExchanges == 1 }
        gateway.advance(milliseconds: 30_000)
        #expect(gateway.activeExchanges == 1)
        try client.socket.send("b")
        try gateway.run(until: "the request arrives") { silent.requests.count == 1 }
        gateway.advance(milliseconds: 4999)
        #expect(!client.socket.hasInput)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).status == 504)
    }

    @Test func anAnswerThatDoesNotEndInTimeIsCutOff() throws {
        let silent = try Silent(saying: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        let gateway = try SteppedGateway(origins: [silent.server.port], routing: Self.fiveSeconds)
        var client = try gateway.client()
        try client.socket.send(Self.request(body: "abc"))
        try gateway.run(until: "the answer begins") { client.socket.hasInput }
        gateway.advance(milliseconds: 5000)
        try gateway.end(client)
        let answer = try client.response()
        #expect(answer.status == 200 && answer.isTruncated && gateway.activeExchanges == 0)
    }

    @Test func anAnswerInTimeStopsTheClock() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port], routing: Self.fiveSeconds)
        var client = try gateway.client()
        for _ in 0..<3 {
            try client.socket.send(Self.request(body: "abc"))
            #expect(try gateway.answer(&client).status == 200)
            gateway.advance(milliseconds: 6000)
            #expect(gateway.stats().upstreamConnections == 1)
        }
    }

    @Test func withoutATimeoutNothingIsArmedOrAnnounced() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [silent.server.port])
        let client = try gateway.client()
        try client.socket.send(Self.request("Grpc-Timeout: 1S\r\n", body: "abc"))
        try gateway.run(until: "the request arrives") { silent.requests.count == 1 }
        #expect(silent.requests.first?["x-envoy-expected-rq-timeout-ms"] == nil)
        #expect(silent.requests.first?["grpc-timeout"] == "1S")
        gateway.advance(milliseconds: 3_600_000 - 1)
        #expect(gateway.activeExchanges == 1)
    }

    @Test func oneClockRunsForAllTriesAndWaits() throws {
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()]) { _ in
        } routing: { route in
            route.timeoutMilliseconds = 5000
            route.retry = .standard
            route.retry.backOffMilliseconds = 1_000_000
        }
        var client = try gateway.client()
        try client.socket.send(Self.request(body: "abc"))
        try gateway.run(until: "the first try has failed") { gateway.stats().upstreamConnectFailures == 1 }
        gateway.advance(milliseconds: 5000)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 504 && answer.text == "upstream request timeout")
        gateway.advance(milliseconds: 1_000_000)
        #expect(gateway.stats().upstreamConnectFailures == 1 && gateway.worker.replayBytes == 0)
    }

    @Test func aFurtherTryIsToldWhatTimeIsLeft() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [try GatewayFixture.freePort()]) { _ in
        } routing: { route in
            route.timeoutMilliseconds = 5000
            route.retry = .standard
            route.retry.backOffMilliseconds = 2000
        }
        let client = try gateway.client()
        try client.socket.send(Self.request(body: "abc"))
        try gateway.run(until: "the first try has failed") { gateway.stats().upstreamConnectFailures == 1 }
        try gateway.adopt(generation: 2, origins: [silent.server.port])
        let begun = gateway.worker.loop.now
        try gateway.run(until: "the next try arrives") {
            gateway.advance(milliseconds: 1)
            return silent.requests.count == 1
        }
        let passed = Int((gateway.worker.loop.now - begun) / 1_000_000)
        let told = Int(silent.requests.first?["x-envoy-expected-rq-timeout-ms"] ?? "") ?? 0
        #expect(told < 5000 && told >= 5000 - passed && silent.requests.first?["x-envoy-attempt-count"] == "2")
    }

    // MARK: gRPC

    private static let grpc = "Content-Type: application/grpc\r\n"

    @Test func aGRPCClientsTimeoutHoldsWithoutOneOfTheRoute() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [silent.server.port])
        var client = try gateway.client()
        try client.socket.send(Self.request(Self.grpc + "Grpc-Timeout: 200m\r\n", body: "abc"))
        try gateway.run(until: "the request arrives") { silent.requests.count == 1 }
        #expect(silent.requests.first?["x-envoy-expected-rq-timeout-ms"] == "200")
        #expect(silent.requests.first?.all("grpc-timeout") == ["200m"])
        gateway.advance(milliseconds: 200)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 200 && answer["grpc-status"] == "14" && answer["content-type"] == "application/grpc")
        #expect(answer["grpc-message"] == "upstream request timeout" && answer.body.isEmpty)
    }

    @Test func theRouteBoundsWhatAGRPCClientAsksFor() throws {
        let silent = try Silent()
        let gateway = try SteppedGateway(origins: [silent.server.port], routing: Self.fiveSeconds)
        let client = try gateway.client()
        try client.socket.send(Self.request(Self.grpc + "Grpc-Timeout: 1H\r\n", body: "abc"))
        try gateway.run(until: "the request arrives") { silent.requests.count == 1 }
        #expect(silent.requests.first?.all("grpc-timeout") == ["5000m"])
    }

    @Test func everyAnswerOfOurOwnIsOneInGRPCForItsClients() throws {
        let gateway = try SteppedGateway(origins: [])
        var client = try gateway.client()
        for (path, host, status, message) in [
            ("/", "example.com", "14", "no healthy upstream"), ("/missing-cluster", "example.com", "14", nil),
            ("/", "elsewhere.com", "12", nil),
        ] {
            try client.socket.send("POST \(path) HTTP/1.1\r\nHost: \(host)\r\n\(Self.grpc)\r\n")
            let answer = try gateway.answer(&client)
            #expect(answer.status == 200 && answer["content-type"] == "application/grpc" && answer.body.isEmpty)
            #expect(answer["grpc-status"] == status && answer["grpc-message"] == message && answer["server"] == "weir")
        }
    }
}
