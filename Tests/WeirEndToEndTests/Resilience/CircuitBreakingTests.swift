import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// `connectionPool` as resources state it, through the whole program with two workers.
@Suite struct CircuitBreakingTests {
    /// Answers once so many requests have been let go; counts those it has at a time.
    private final class Gate: Sendable {
        private let counts = Guarded((now: 0, most: 0, served: 0, open: 0))

        func origin() throws -> OriginServer {
            try OriginServer { [counts] _, socket in
                let place = counts.withLock { counts in
                    counts.now += 1
                    counts.most = max(counts.most, counts.now)
                    counts.served += 1
                    return counts.served
                }
                while counts.withLock({ $0.open }) < place { usleep(500) }
                counts.withLock { $0.now -= 1 }
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return true
            }
        }

        func open() { counts.withLock { $0.open = .max } }
        var most: Int { counts.withLock { $0.most } }
        var served: Int { counts.withLock { $0.served } }
    }

    private static func rule(_ pool: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: app}
        spec:
          host: app.default.svc.cluster.local
          trafficPolicy:
            connectionPool: \(pool)
        """
    }

    private static func server(_ origin: OriginServer, _ pool: String) throws -> RunningServer {
        try RunningServer.live([
            Documents.gateway(), Documents.virtualService(http: "- route: [{destination: {host: app}}]"),
            Documents.serviceEntry("app", ports: [origin.port]), rule(pool),
        ])
    }

    /// Asks from several clients at once; those that were refused or could not be served yet are waited for after `then`.
    private static func ask(
        _ server: RunningServer, _ count: Int, once ready: @escaping @Sendable () throws -> Bool,
        then: @escaping @Sendable () -> Void
    ) throws -> [TestMessage] {
        let answers = Guarded<[TestMessage]>([])
        let crew = TestCrew(count) { _ in
            var client = try server.client()
            let answer = try client.request()
            answers.withLock { $0.append(answer) }
        }
        try eventually("all are where they belong", ready)
        then()
        try crew.join()
        return answers.withLock { $0 }
    }

    @Test func requestsBeyondTheConnectionsWaitAndNoneFails() throws {
        let gate = Gate()
        let origin = try gate.origin()
        defer { origin.stop() }
        let server = try Self.server(origin, "{tcp: {maxConnections: 1}}")
        let answers = try Self.ask(server, 4) {
            try server.metrics().sum("weir_cluster_limit_overflows_total", ["limit": "connections"]) == 3
        } then: {
            gate.open()
        }
        #expect(answers.allSatisfy { $0.status == 200 } && gate.most == 1 && gate.served == 4)
        #expect(try server.status().problems.isEmpty)
    }

    @Test func oneWaitsAndTheOthersAreRefused() throws {
        let gate = Gate()
        let origin = try gate.origin()
        defer { origin.stop() }
        let pool = "{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
        let server = try Self.server(origin, pool)
        let answers = try Self.ask(server, 4) {
            try server.metrics().sum("weir_cluster_limit_overflows_total", ["limit": "pending_requests"]) == 2
        } then: {
            gate.open()
        }
        #expect(answers.count { $0.status == 200 } == 2)
        let refused = answers.filter { $0.status == 503 }
        #expect(refused.count == 2 && refused.allSatisfy { $0["x-envoy-overloaded"] == "true" })
        let overflow = "upstream connect error or disconnect/reset before headers. reset reason: overflow"
        #expect(refused.allSatisfy { $0.text == overflow })
        #expect(try server.metrics().sum("istio_requests_total", ["response_flags": "UO", "reporter": "source"]) == 2)
    }

    @Test func theExampleRefusesWhatIsTooMuch() throws {
        let gate = Gate()
        let origin = try gate.origin()
        defer { origin.stop() }
        let server = try Example.server("circuit-breaking.yaml", ports: [origin.port])
        let answers = Guarded<[Int]>([])
        let crew = TestCrew(4) { _ in
            var client = try server.client(port: 8080)
            let status = try client.request().status
            answers.withLock { $0.append(status) }
        }
        try eventually("two are refused") { answers.withLock { $0 } == [503, 503] }
        gate.open()
        try crew.join()
        #expect(answers.withLock { $0 }.sorted() == [200, 200, 503, 503])
    }
}
