import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// Faults and mirrors as resources state them, through the whole program.
@Suite struct FaultActionTests {
    private static let routes = """
        - match: [{uri: {prefix: /abort}}]
          fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
          retries: {attempts: 3, retryOn: 5xx}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /both}}]
          fault:
            delay: {fixedDelay: 20ms, percentage: {value: 100}}
            abort: {httpStatus: 504, percentage: {value: 100}}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /delay/closed}}]
          fault: {delay: {fixedDelay: 20ms, percentage: {value: 100}}}
          route: [{destination: {host: closed}}]
        - match: [{uri: {prefix: /delay/nowhere}}]
          fault: {delay: {fixedDelay: 20ms, percentage: {value: 100}}}
          route: [{destination: {host: good, subset: none}}]
        - match: [{uri: {prefix: /delay/long}}]
          fault: {delay: {fixedDelay: 1h, percentage: {value: 100}}}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /delay}}]
          timeout: 10s
          fault: {delay: {fixedDelay: 20ms, percent: 100}}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /grpc}}]
          fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}
          route: [{destination: {host: good}}]
        - match: [{uri: {prefix: /never}}]
          fault: {abort: {httpStatus: 500}, delay: {fixedDelay: 1h}}
          route: [{destination: {host: good}}]
        - route: [{destination: {host: good}}]
        """

    /// Target, status, body, and what the log says of the request.
    private static let cases: [(String, Int, String, String)] = [
        ("/abort", 418, "fault filter abort", "FI fault_filter_abort good"),
        ("/both", 504, "fault filter abort", "DI,FI fault_filter_abort good"),
        ("/delay", 200, "/delay", "DI via_upstream good"),
        ("/delay/nowhere", 503, "", "DI,NC cluster_not_found -"),
        ("/grpc", 200, "fault filter abort", "FI fault_filter_abort good"),
        ("/never", 200, "/never", "- via_upstream good"),
    ]

    private static func documents(_ origin: OriginServer) throws -> [String] {
        [
            Documents.gateway(), Documents.virtualService(http: routes),
            Documents.serviceEntry("good", ports: [origin.port]),
            Documents.serviceEntry("closed", ports: [try TestPort.free()]),
        ]
    }

    private static func server(_ origin: OriginServer, _ directory: TemporaryDirectory) throws -> RunningServer {
        try directory.write("all.yaml", try documents(origin).asFile)
        let format = try OptionValue.accessLogFormat(
            "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%\n")
        return try RunningServer.live(directory) {
            $0.accessLog = .file(directory.path("access.log"))
            $0.accessLogFormat = format
        }
    }

    private static func lines(_ directory: TemporaryDirectory, _ count: Int) throws -> [String] {
        var lines: [String] = []
        try eventually("all lines are written") {
            lines = try String(contentsOfFile: directory.path("access.log"), encoding: .utf8)
                .split(separator: "\n").map(String.init)
            return lines.count >= count
        }
        return lines.map {
            $0.replacingOccurrences(of: "outbound|80||good.default.svc.cluster.local", with: "good")
                .replacingOccurrences(of: "outbound|80||closed.default.svc.cluster.local", with: "closed")
        }
    }

    @Test func eachRequestIsAnsweredAndLoggedForWhatBefellIt() throws {
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        let server = try Self.server(origin, directory)
        for (target, status, body, _) in Self.cases {
            let answer = try server.get(target)
            #expect(answer.status == status && answer.text == body, "\(target): \(answer.status) \(answer.text)")
        }
        let logged = try Self.lines(directory, Self.cases.count)
        #expect(logged.sorted() == Self.cases.map { "\($0.0) \($0.1) \($0.3)" }.sorted())
        #expect(origin.requests.map(\.target) == ["/delay", "/never"])
        let metrics = try server.metrics()
        #expect(metrics.sum("istio_requests_total", ["reporter": "source", "response_flags": "FI"]) == 2)
        #expect(metrics.sum("istio_requests_total", ["reporter": "source", "response_flags": "DI,FI"]) == 1)
        #expect(metrics.sum("weir_faults_injected_total", ["type": "delay"]) == 3)
        #expect(metrics.sum("weir_faults_injected_total", ["type": "abort"]) == 3)
    }

    @Test func aDelayStandsInFrontOfWhatElseGoesWrong() throws {
        let origin = try OriginServer(name: "good")
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        let server = try Self.server(origin, directory)
        #expect(try server.get("/delay/closed").status == 503)
        var client = try server.client()
        try client.socket.send("GET /delay/long HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try eventually("the request is held") {
            try server.metrics().sum("weir_faults_injected_total", ["type": "delay"]) == 2
        }
        client.socket.disconnect()
        client = try server.client()
        // Of two workers, so in either order.
        let logged = try Self.lines(directory, 2).sorted()
        #expect(logged[0].hasPrefix("/delay/closed 503 DI,URX,UF ") && logged[0].hasSuffix(" closed"))
        #expect(logged[1] == "/delay/long 0 DI,DC downstream_remote_disconnect good")
        #expect(try server.metrics().sum("weir_requests_active") == 0)
    }

    @Test func aMirrorThatIsDownOrSlowCostsNoRequest() throws {
        let origin = try OriginServer(name: "good")
        let silent = try OriginServer { _, socket in
            _ = try? socket.receive()
            return false
        }
        defer {
            origin.stop()
            silent.stop()
        }
        let mirrors = ["closed", "silent", "nowhere"].map { "{destination: {host: \($0)}}" }.joined(separator: ", ")
        let server = try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService(http: "- route: [{destination: {host: good}}]\n  mirrors: [\(mirrors)]"),
            Documents.serviceEntry("good", ports: [origin.port]),
            Documents.serviceEntry("closed", ports: [try TestPort.free()]),
            Documents.serviceEntry("silent", ports: [silent.port]),
        ])
        #expect(try server.status().problems.map(\.path) == ["spec.http[0].mirrors[2].destination.host"])
        let crew = TestCrew(8) { index in
            guard var client = try? server.client() else { return }
            for _ in 0..<25 {
                let body = [UInt8](repeating: 7, count: index * 1000)
                let status = (try? client.request("POST", "/", body: body).status) ?? -1
                #expect(status == 200)
            }
        }
        try crew.join()
        #expect(origin.requests.count == 200)
        try eventually("the copies have arrived") { silent.requests.count == 200 }
        let metrics = try server.metrics()
        #expect(metrics.sum("weir_mirrored_requests_active") == 200)
        try eventually("the others are given up") {
            try server.metrics().sum("weir_mirrored_requests_total", ["result": "failed"]) == 400
        }
        #expect(metrics.sum("istio_requests_total", ["reporter": "source"]) == 200)
    }
}
