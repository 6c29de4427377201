import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// Endpoints that fail are taken out and come back, and endpoints come and go, through the whole program.
@Suite struct OutlierDetectionTests {
    /// Answers with the status that it holds at the moment.
    private final class MoodyOrigin: Sendable {
        let server: OriginServer
        private let status: Guarded<Int>

        init(_ name: String, status first: Int = 200) throws {
            let status = Guarded(first)
            self.status = status
            server = try OriginServer { _, socket in
                let status = status.withLock { $0 }
                try socket.send("HTTP/1.1 \(status) Mood\r\nx-backend: \(name)\r\ncontent-length: 0\r\n\r\n")
                return true
            }
        }

        deinit { server.stop() }

        var port: Int { server.port }

        func become(_ new: Int) { status.withLock { $0 = new } }
    }

    private struct Row: Decodable {
        var endpoint: String
        var status: String
        var outlierCheck: String
        var ejections: Int?
        var priority: Int?
        var locality: String?
    }

    private struct Listing: Decodable { var endpoints: [Row] }

    private func rows(_ server: RunningServer) throws -> [Row] {
        try JSONDecoder().decode(Listing.self, from: Data(try server.admin("/endpoints").body)).endpoints
    }

    private static func rule(_ policy: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: shop}
        spec:
          host: shop
          trafficPolicy: \(policy)

        """
    }

    private static func documents(_ ports: [Int], _ policy: String) -> [String] {
        [
            Documents.gateway(),
            Documents.virtualService(http: "- {retries: {attempts: 0}, route: [{destination: {host: shop}}]}"),
            rule(policy), Documents.serviceEntry("shop", ports: ports),
        ]
    }

    @Test func anEndpointThatFailsIsTakenOutShownAndPutBack() throws {
        let bad = try MoodyOrigin("bad", status: 500)
        let good = try MoodyOrigin("good")
        let directory = try TemporaryDirectory()
        func write(_ interval: String) throws {
            let policy = """
                {loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 3, interval: \(interval),
                    baseEjectionTime: 50ms, maxEjectionPercent: 100}}
                """
            try directory.write("all.yaml", Self.documents([bad.port, good.port], policy).asFile)
        }
        // Long enough to look at it while it is out.
        try write("1h")
        let server = try RunningServer.live(directory)
        #expect(try server.status().problems.isEmpty)
        #expect(try server.tally(20) == ["bad": 3, "good": 17])
        let out = try rows(server)
        #expect(out.map(\.outlierCheck).sorted() == ["FAILED", "OK"] && out.allSatisfy { $0.status == "HEALTHY" })
        #expect(out.first { $0.outlierCheck == "FAILED" }?.endpoint == "127.0.0.1:\(bad.port)")
        let metrics = try server.metrics()
        let cluster = "outbound|80||shop.default.svc.cluster.local"
        #expect(metrics.sum("weir_cluster_ejected_endpoints", ["cluster": cluster]) == 1)
        let endpoint = ["cluster": cluster, "endpoint": "127.0.0.1:\(bad.port)"]
        #expect(metrics.sum("weir_endpoint_ejected", endpoint) == 1)
        #expect(metrics.sum("weir_endpoint_ejected", [:]) == 1)
        #expect(metrics.sum("weir_endpoint_ejections_total", endpoint) == 1 && metrics.faults.isEmpty)
        // A reload does not put it back, but changes how long it is out.
        bad.become(200)
        try server.reload { try write("20ms") }
        try eventually("it is back") { try server.tally(10) == ["bad": 5, "good": 5] }
        #expect(try rows(server).allSatisfy { $0.outlierCheck == "OK" })
    }

    @Test func anEndpointStaysOutOverAReload() throws {
        let bad = try MoodyOrigin("bad", status: 500)
        let good = try MoodyOrigin("good")
        let directory = try TemporaryDirectory()
        func write(_ balancer: String) throws {
            let policy = """
                {loadBalancer: {simple: \(balancer)}, outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}
                """
            try directory.write("all.yaml", Self.documents([bad.port, good.port], policy).asFile)
        }
        try write("ROUND_ROBIN")
        let server = try RunningServer.live(directory)
        #expect(try server.tally(10)["bad"] == 1)
        try server.reload { try write("RANDOM") }
        #expect(try server.tally(50) == ["good": 50])
    }

    @Test func withTooFewInServiceAllEndpointsAreUsed() throws {
        let origins = try [MoodyOrigin("one", status: 503), MoodyOrigin("two", status: 503)]
        let policy = """
            {loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100,
                minHealthPercent: 30}}
            """
        let server = try RunningServer.live(Self.documents(origins.map(\.port), policy))
        let counts = try server.tally(20)
        #expect(counts["one"] ?? 0 >= 9 && counts["two"] ?? 0 >= 9)
    }

    @Test func endpointsComeAndGoUnderLoadWithoutAnError() throws {
        let backends = try Backends(3)
        let directory = try TemporaryDirectory()
        let policy = "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {maxEjectionPercent: 100}}"
        func write(_ ports: [Int]) throws {
            try directory.write("all.yaml", Self.documents(ports, policy).asFile)
        }
        try write(backends.ports)
        let server = try RunningServer.live(directory)
        let isOver = Guarded(false)
        let failures = Guarded<[String]>([])
        let crew = TestCrew(3) { _ in
            do {
                var client = try server.client()
                while !isOver.withLock({ $0 }) {
                    let answer = try client.request("GET", "/", host: "example.com")
                    if answer.status != 200 { failures.withLock { $0.append("\(answer.status) \(answer.text)") } }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        for turn in 0..<12 {
            let ports = turn % 2 == 0 ? [backends.ports[turn / 2 % 3]] : backends.ports
            try server.reload { try write(ports) }
        }
        isOver.withLock { $0 = true }
        try crew.join()
        #expect(failures.withLock { $0 } == [])
    }

    @Test func aSubsetThatEmptiesIsAnsweredForUntilItFillsAgain() throws {
        let backends = try Backends(2)
        let directory = try TemporaryDirectory()
        func write(_ versions: [String]) throws {
            let endpoints = zip(backends.ports, versions).map { port, version in
                Documents.Endpoint(port: port, labels: "version: \(version)")
            }
            let route = "- route: [{destination: {host: shop, subset: v2}}]"
            try directory.write(
                "all.yaml",
                [
                    Documents.gateway(), Documents.virtualService(http: route),
                    Documents.destinationRule("shop", versions: ["v1", "v2"]),
                    Documents.serviceEntry("shop", endpoints: endpoints),
                ].asFile)
        }
        try write(["v1", "v2"])
        let server = try RunningServer.live(directory)
        #expect(try server.get()["x-backend"] == "v2")
        try server.reload { try write(["v1", "v1"]) }
        let empty = try server.get()
        #expect(empty.status == 503 && empty.text == "no healthy upstream")
        try server.reload { try write(["v2", "v1"]) }
        #expect(try server.get()["x-backend"] == "v1")
    }

    @Test func requestsStayNearAndGoFurtherWhenNobodyNearServes() throws {
        let origins = try [MoodyOrigin("near"), MoodyOrigin("zone"), MoodyOrigin("far")]
        let places = ["r1/z1", "r1/z2", "r2/z1"]
        let endpoints = zip(origins, places).map { origin, place in
            "  - {address: 127.0.0.1, ports: {http: \(origin.port)}, locality: \(place)}\n"
        }
        let entry = Documents.serviceEntry("shop", ports: []) + "  endpoints:\n" + endpoints.joined()
        let policy = "{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}"
        let documents = Self.documents([], policy).dropLast() + [entry]
        let server = try RunningServer.live(Array(documents)) { $0.binding.locality = "r1/z1" }
        #expect(try server.tally(20) == ["near": 20])
        let rows = try rows(server)
        #expect(rows.map(\.priority) == [0, 1, 2] && rows.map(\.locality) == places)
        origins[0].become(503)
        #expect(try server.tally(20) == ["near": 1, "zone": 19])
        origins[1].become(503)
        #expect(try server.tally(20) == ["zone": 1, "far": 19])
    }
}
