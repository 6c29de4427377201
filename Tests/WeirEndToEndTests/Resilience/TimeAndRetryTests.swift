import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// Timeouts and retries as resources state them, through the whole program.
@Suite struct TimeAndRetryTests {
    /// Waits for half a minute on `/slow...`, drops the connection on `/drop...`, and says on `/unavailable...` that it
    /// is; for the rest it answers with the number of the try.
    private static func origin() throws -> OriginServer {
        try OriginServer { request, socket in
            if request.target.hasPrefix("/slow") {
                // Ends early with the connection, which the gateway closes.
                _ = try? socket.receive()
                return false
            }
            if request.target.hasPrefix("/drop") { return false }
            let attempt = request["x-envoy-attempt-count"] ?? "-"
            let status = request.target.hasPrefix("/unavailable") ? "Grpc-Status: 14\r\n" : ""
            try socket.send("HTTP/1.1 200 OK\r\n\(status)Content-Length: \(attempt.utf8.count)\r\n\r\n\(attempt)")
            return true
        }
    }

    private static let routes = """
        - match: [{uri: {prefix: /slow}}]
          timeout: 50ms
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /closed/never}}]
          retries: {attempts: 0}
          route: [{destination: {host: closed}}]
        - match: [{uri: {prefix: /closed/empty}}]
          retries: {}
          route: [{destination: {host: closed}}]
        - match: [{uri: {prefix: /closed}}]
          route: [{destination: {host: closed}}]
        - match: [{uri: {prefix: /half}}]
          route: [{destination: {host: half}}]
        - match: [{uri: {prefix: /drop/repeated}}]
          retries: {attempts: 1, retryOn: reset}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /patient}}]
          timeout: 60ms
          retries: {attempts: 1000, retryOn: connect-failure, backoff: 60s}
          route: [{destination: {host: closed}}]
        - route: [{destination: {host: good}}]
        """

    private static let failed = "upstream connect error or disconnect/reset before headers. "
    private static let again = failed + "retried and the latest reset reason: "
    private static let connectDetails =
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
    private static let endDetails = "upstream_reset_before_response_started{connection_termination}"

    /// Target, status, body, and what the log says of the request.
    private static let cases: [(String, Int, String, String)] = [
        ("/", 200, "1", "- via_upstream"),
        ("/slow", 504, "upstream request timeout", "UT response_timeout"),
        ("/closed", 503, again + "remote connection failure", "URX,UF \(connectDetails)"),
        ("/closed/never", 503, failed + "reset reason: remote connection failure", "UF \(connectDetails)"),
        ("/closed/empty", 503, failed + "reset reason: remote connection failure", "UF \(connectDetails)"),
        ("/unavailable", 200, "3", "URX via_upstream"),
        ("/drop", 503, failed + "reset reason: connection termination", "UC \(endDetails)"),
        ("/drop/repeated", 503, again + "connection termination", "URX,UC \(endDetails)"),
        ("/patient", 504, "upstream request timeout", "UT response_timeout"),
    ]

    private static func documents(good: Int, closed: Int) -> [String] {
        [
            Documents.gateway(), Documents.virtualService(http: routes), Documents.serviceEntry("good", ports: [good]),
            Documents.serviceEntry("closed", ports: [closed]), Documents.serviceEntry("half", ports: [closed, good]),
            Documents.destinationRule("half", versions: [], balancer: "ROUND_ROBIN"),
        ]
    }

    @Test func eachRequestIsAnsweredAndLoggedOnceForWhatBecameOfItsLastTry() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        let documents = Self.documents(good: origin.port, closed: try TestPort.free())
        try directory.write("all.yaml", documents.asFile)
        let format = try OptionValue.accessLogFormat(
            "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n")
        let server = try RunningServer.live(directory) {
            $0.accessLog = .file(directory.path("access.log"))
            $0.accessLogFormat = format
        }
        #expect(try server.status().problems.isEmpty)
        for (target, status, body, _) in Self.cases {
            let answer = try server.get(target)
            #expect(answer.status == status && answer.text == body, "\(target): \(answer.text)")
        }
        var lines: [String] = []
        try eventually("all lines are written") {
            lines = try String(contentsOfFile: directory.path("access.log"), encoding: .utf8)
                .split(separator: "\n").map(String.init)
            return lines.count >= Self.cases.count
        }
        #expect(lines.sorted() == Self.cases.map { "\($0.0) \($0.1) \($0.3)" }.sorted())
        #expect(try server.metrics().sum("istio_requests_total", ["reporter": "source"]) == Double(Self.cases.count))
    }

    @Test func theLogTellsHowOftenARequestWasTried() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", Self.documents(good: origin.port, closed: try TestPort.free()).asFile)
        let format = try OptionValue.accessLogFormat("%REQ(:PATH)% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n")
        let server = try RunningServer.live(directory) {
            $0.accessLog = .file(directory.path("access.log"))
            $0.accessLogFormat = format
        }
        let expected = ["/ 1", "/closed 3", "/drop/repeated 2", "/unavailable 3"]
        for line in expected { _ = try server.get(String(line.dropLast(2))) }
        var lines: [String] = []
        try eventually("all lines are written") {
            lines = try String(contentsOfFile: directory.path("access.log"), encoding: .utf8)
                .split(separator: "\n").map(String.init)
            return lines.count >= expected.count
        }
        #expect(lines.sorted() == expected)
    }

    @Test func anEndpointThatRefusesCostsNoRequest() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try RunningServer.live(
            Self.documents(good: origin.port, closed: try TestPort.free()))
        for _ in 0..<20 {
            var client = try server.client()
            let answer = try client.request("POST", "/half", body: Array("order=42".utf8))
            #expect(answer.status == 200 && ["1", "2"].contains(answer.text))
        }
        #expect(origin.requests.count == 20 && origin.requests.allSatisfy { $0.text == "order=42" })
    }

    @Test func aRequestWithABodyFailsForWantOfAFurtherTryLikeAnyOther() throws {
        let flags = "headers: {response: {set: {x-flags: '%RESPONSE_FLAGS%'}}}"
        let server = try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService(http: "- route: [{destination: {host: closed}}]\n  \(flags)"),
            Documents.serviceEntry("closed", ports: [try TestPort.free()]),
        ])
        for body in [nil, Array("order=42".utf8), []] as [[UInt8]?] {
            var client = try server.client()
            let answer = try client.request("POST", "/", body: body)
            #expect(answer.status == 503 && answer["x-flags"] == "URX,UF")
        }
    }

    @Test func underLoadNothingIsLeftOfRequestsThatFailHoweverOftenTheyAreTried() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try RunningServer.live(
            Self.documents(good: origin.port, closed: try TestPort.free()))
        let targets = ["/closed", "/half", "/slow", "/patient", "/unavailable", "/drop/repeated"]
        let statuses = Guarded<[Int: Int]>([:])
        let crew = TestCrew(24) { index in
            for round in 0..<12 {
                let target = targets[(index + round) % targets.count]
                guard var client = try? server.client() else { continue }
                let body = [UInt8](repeating: 7, count: index * 1000)
                if round % 5 == 4 {
                    // Leaves while its request is on its way, or waits for another try.
                    try? client.socket.send(
                        "POST \(target) HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.count)\r\n\r\n")
                    client.socket.resetOnClose()
                    client.socket.disconnect()
                    continue
                }
                let status = (try? client.request("POST", target, body: body).status) ?? -1
                statuses.withLock { $0[status, default: 0] += 1 }
            }
        }
        try crew.join()
        let seen = statuses.withLock { $0 }
        #expect(Set(seen.keys).isSubset(of: [200, 503, 504]), "\(seen)")
        try eventually("everything is given back") {
            let metrics = try server.metrics()
            return metrics.sum("weir_requests_active") == 0
                && metrics.sum("weir_config_generations_pinned") == metrics.sum("weir_workers")
        }
    }
}
