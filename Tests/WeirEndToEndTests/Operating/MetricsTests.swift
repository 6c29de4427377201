import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// Every request is counted once, under what became of it.
@Suite struct MetricsTests {
    private static let total = "istio_requests_total"

    private static let routes = Documents.virtualService(
        http: """
            - match: [{uri: {exact: /missing-service}}]
              route: [{destination: {host: nobody}}]
            - match: [{uri: {exact: /no-endpoints}}]
              route: [{destination: {host: empty}}]
            - match: [{uri: {exact: /refused}}]
              route: [{destination: {host: closed}}]
            - match: [{uri: {exact: \(SlowOrigin.Target.beforeHead)}}]
              route: [{destination: {host: slow}}]
            - match: [{uri: {prefix: /good}}]
              route: [{destination: {host: shop, subset: v1}}]
            """)

    private func server(
        _ backends: Backends, slow: Int, configure: (inout ServerOptions) -> Void = { _ in }
    ) throws -> RunningServer {
        let closed = try TestPort.free()
        return try RunningServer.live(
            [
                Documents.gateway(), Self.routes, Documents.destinationRule("shop", versions: ["v1"]),
                Documents.serviceEntry("shop", ports: backends.ports), Documents.serviceEntry("empty", endpoints: []),
                Documents.serviceEntry("closed", endpoints: [Documents.Endpoint(port: closed, labels: "app: shut")]),
                Documents.serviceEntry("slow", endpoints: [Documents.Endpoint(port: slow)]),
            ], configure: configure)
    }

    private func count(_ metrics: PrometheusText, _ code: String, _ flags: String, _ service: String) -> Double {
        let service = service == "unknown" ? service : "\(service).default.svc.cluster.local"
        return metrics.sum(
            Self.total,
            [
                "reporter": "source", "response_code": code, "response_flags": flags, "destination_service": service,
            ])
    }

    @Test func everyAnswerIsCountedOnce() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let server = try server(backends, slow: slow.port)
        for (target, times) in [
            ("/good", 40), ("/elsewhere", 7), ("/missing-service", 5), ("/no-endpoints", 4), ("/refused", 3),
        ] {
            var client = try server.client()
            for _ in 0..<times { _ = try client.request("GET", target) }
        }
        let broken = try TestSocket(port: try server.port())
        try broken.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n")
        let left = try TestSocket(port: try server.port())
        try left.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request arrives")
        left.resetOnClose()
        left.disconnect()
        var metrics = try server.metrics()
        try eventually("all are counted") {
            metrics = try server.metrics()
            return metrics.sum(Self.total, ["reporter": "source"]) >= 61
        }
        #expect(metrics.faults.isEmpty, "\(metrics.faults)")
        #expect(metrics.sum(Self.total, ["reporter": "source"]) == 61)
        #expect(count(metrics, "200", "-", "shop") == 40)
        #expect(count(metrics, "404", "NR", "unknown") == 7)
        #expect(count(metrics, "503", "NC", "unknown") == 5)
        #expect(count(metrics, "503", "UH", "empty") == 4)
        #expect(count(metrics, "503", "URX,UF", "closed") == 3)
        #expect(count(metrics, "400", "DPE", "unknown") == 1)
        #expect(count(metrics, "0", "DC", "slow") == 1)
        // In the place of sidecars: the endpoints that were reached, or ought to have been.
        #expect(metrics.sum(Self.total, ["reporter": "destination"]) == 44)
        for histogram in ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"] {
            #expect(metrics.sum(histogram + "_count", ["reporter": "source"]) == 61)
            #expect(metrics.sum(histogram + "_bucket", ["reporter": "source", "le": "+Inf"]) == 61)
        }
        // Each of the three requests was tried three times.
        #expect(metrics.sum("weir_upstream_connect_failures_total") == 9)
        #expect(metrics.sum("weir_upstream_retries_total") == 6)
    }

    @Test func labelsNameWorkloadsAndSizesAreWhole() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let server = try server(backends, slow: slow.port) { $0.source.workload = "edge" }
        let answer = try server.get("/good")
        var metrics = try server.metrics()
        try eventually("it is counted") {
            metrics = try server.metrics()
            return !metrics.samples(Self.total).isEmpty
        }
        let sample = try #require(metrics.samples(Self.total, ["reporter": "destination"]).first)
        #expect(sample["source_workload"] == "edge")
        #expect(sample["destination_workload"] == "shop" && sample["destination_version"] == "v1")
        #expect(sample["destination_workload_namespace"] == "default")
        #expect(sample["destination_canonical_service"] == "shop" && sample["destination_canonical_revision"] == "v1")
        #expect(sample["destination_service_name"] == "shop.default.svc.cluster.local")
        #expect(sample["destination_service_namespace"] == "default")
        let sent = try #require(backends.origins.first?.requests.first)
        #expect(sent.target == "/good")
        let head = answer.headers.reduce(answer.startLine.utf8.count + 4) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 4
        }
        #expect(
            metrics.sum("istio_response_bytes_sum", ["reporter": "source"]) == Double(head + answer.body.count))
    }

    @Test func countsOutliveReloadsAndTheirClusters() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let server = try server(backends, slow: slow.port)
        func shop() throws -> Double { count(try server.metrics(), "200", "-", "shop") }
        for _ in 0..<5 { _ = try server.get("/good") }
        try eventually("they are counted") { try shop() == 5 }
        let whole = try String(contentsOfFile: server.directory.path("all.yaml"), encoding: .utf8)
        try server.reload { try server.directory.write("all.yaml", [Documents.gateway()].asFile) }
        #expect(try shop() == 5)
        #expect(try server.get("/good").status == 404)
        try server.reload { try server.directory.write("all.yaml", whole) }
        #expect(try server.get("/good").status == 200)
        try eventually("the count goes on") { try shop() == 6 }
        let metrics = try server.metrics()
        #expect(
            metrics.sum("weir_config_reloads_total", ["result": "success"])
                + metrics.sum(
                    "weir_config_reloads_total", ["result": "error"]) == 3)
        #expect(metrics.sum("weir_config_generation") == 3)
    }

    @Test func whatIsRefusedShows() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let server = try server(backends, slow: slow.port)
        var metrics = try server.metrics()
        #expect(metrics.sum("weir_config_problems", ["severity": "error"]) == 0)
        #expect(metrics.sum("weir_config_resources", ["kind": "ServiceEntry"]) == 4)
        #expect(metrics.sum("weir_listeners", ["state": "listening"]) == 1)
        #expect(metrics.sum("weir_ready") == 1 && metrics.sum("weir_workers") == 2)
        #expect(metrics.sum("weir_config_last_reload_success_timestamp_seconds") > 1_700_000_000)
        let whole = try String(contentsOfFile: server.directory.path("all.yaml"), encoding: .utf8)
        try server.reload {
            try server.directory.write(
                "all.yaml", whole.replacingOccurrences(of: "resolution: STATIC", with: "resolution: SOMEHOW"))
        }
        metrics = try server.metrics()
        #expect(metrics.sum("weir_config_kept_resources") == 4)
        #expect(metrics.sum("weir_config_rejected_resources") == 4)
        #expect(metrics.sum("weir_config_reloads_total", ["result": "error"]) == 1)
    }

    @Test func theMetricsPortServesMetricsAlone() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let server = try server(backends, slow: slow.port) { $0.metrics = HostPort(host: "127.0.0.1", port: 0) }
        _ = try server.get("/good")
        var client = try TestClient(port: try #require(server.metricsAddress).port)
        let answer = try client.request("GET", "/stats/prometheus")
        #expect(answer.status == 200)
        #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let metrics = PrometheusText(answer.text)
        #expect(metrics.faults.isEmpty)
        #expect(metrics.samples("istio_build", ["component": "proxy"]).map(\.value) == [1])
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
            "process_open_fds", "process_max_fds", "process_start_time_seconds",
        ] { #expect(metrics.sum(name) >= 0 && metrics.samples(name).count == 1, "\(name)") }
        let started = metrics.sum("process_start_time_seconds")
        #expect(abs(Date().timeIntervalSince1970 - started) < 24 * 3600)
        #expect(try client.request("HEAD", "/stats/prometheus").body.isEmpty)
        #expect(try client.request("POST", "/stats/prometheus").status == 405)
        #expect(try client.request("GET", "/ready").status == 404)
    }

    private static let promtool: String? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return ([root.appending(path: ".build-tools").path] + path.split(separator: ":").map(String.init))
            .map { $0 + "/promtool" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// Istio's name for the duration is fixed, whatever promtool thinks of its unit.
    @Test(.enabled(if: promtool != nil, "there is no promtool; .ci/promtool fetches it"))
    func promtoolFindsNothingButTheUnitOfIstiosDuration() throws {
        let backends = try Backends(1)
        let slow = try SlowOrigin()
        let log = try TemporaryDirectory()
        let server = try server(backends, slow: slow.port) { $0.accessLog = .file(log.path("access.log")) }
        for target in ["/good", "/elsewhere", "/refused", "/no-endpoints"] { _ = try server.get(target) }
        try eventually("all are counted") { try server.metrics().sum(Self.total, ["reporter": "source"]) == 4 }
        let text = try server.admin("/stats/prometheus").text
        #expect(text.contains("weir_access_log_dropped_total"))
        let directory = try TemporaryDirectory()
        try directory.write("metrics", text)
        let program = try #require(Self.promtool)
        let check = try ChildProcess(
            "/bin/sh", ["-c", "'\(program)' check metrics < '\(directory.path("metrics"))'"])
        _ = try check.end()
        let remarks = (check.output + check.errors).split(separator: "\n")
        #expect(remarks == [#"istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds""#])
    }
}
