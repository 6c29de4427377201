import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct RequestMetricsTextTests {
    private let names = DestinationNames()

    private func source() -> SourceLabels {
        var source = SourceLabels()
        source.workload = "istio-ingressgateway"
        source.namespace = "edge"
        return source
    }

    private func workload(_ version: String, hasSidecar: Bool = false) -> Int32 {
        var workload = WorkloadLabels()
        workload.workload = "reviews-\(version)"
        workload.namespace = "shop"
        workload.app = "reviews"
        workload.version = version
        workload.canonicalService = "reviews"
        workload.canonicalRevision = version
        workload.hasSidecar = hasSidecar
        return names.number(of: workload)
    }

    private func gather(_ records: [RequestRecord]) -> GatheredMetrics {
        var table = MetricTable()
        for record in records { table.count(record, now: record.startedAt) }
        let metrics = GatheredMetrics(workers: 1)
        metrics.add(table.copy(from: 0, most: .max), names.tables)
        return metrics
    }

    private func text(_ metrics: GatheredMetrics) -> String {
        let text = RequestMetricsText(metrics, source: source())
        var bytes: [UInt8] = []
        var piece = MetricText()
        while text.write(into: &piece) { bytes += piece.take() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func record(cluster: Int32 = -1, workload: Int32 = 0, status: UInt16 = 200) -> RequestRecord {
        var record = RequestRecord()
        record.clusterID = cluster
        record.workload = workload
        record.status = status
        return record
    }

    @Test func labelsAreIstiosInIstiosOrder() {
        names.cluster(0, belongsTo: ServiceLabels(host: "reviews.shop.svc", name: "reviews", namespace: "shop"))
        let lines = text(gather([record(cluster: 0, workload: workload("v2"))])).split(separator: "\n")
        let common = """
            source_workload="istio-ingressgateway",source_canonical_service="istio-ingressgateway",\
            source_canonical_revision="latest",source_workload_namespace="edge",source_principal="unknown",\
            source_app="istio-ingressgateway",source_version="unknown",source_cluster="unknown",\
            destination_workload="reviews-v2",destination_workload_namespace="shop",destination_principal="unknown",\
            destination_app="reviews",destination_version="v2",destination_service="reviews.shop.svc",\
            destination_canonical_service="reviews",destination_canonical_revision="v2",\
            destination_service_name="reviews",destination_service_namespace="shop",destination_cluster="unknown",\
            request_protocol="http",response_code="200",grpc_response_status="",response_flags="-"
            """
        let source = #"{reporter="source",\#(common),connection_security_policy="unknown""#
        #expect(lines[1] == "# TYPE istio_requests_total counter")
        #expect(lines[2] == "istio_requests_total\(source)} 1")
        #expect(
            lines[3]
                == #"istio_requests_total{reporter="destination",\#(common),connection_security_policy="none"} 1"#)
        #expect(lines.contains(#"istio_request_duration_milliseconds_bucket\#(source),le="0.5"} 1"#))
        #expect(lines.contains(#"istio_response_bytes_bucket\#(source),le="+Inf"} 1"#))
        #expect(lines.contains("istio_request_bytes_sum\(source)} 0"))
        #expect(lines.contains("istio_request_bytes_count\(source)} 1"))
    }

    @Test func whatIsNotKnownIsCalledUnknown() throws {
        var refused = record(status: 0)
        refused.flags = [.downstreamLeft, .upstreamClosed]
        refused.isGRPC = true
        refused.grpcStatus = 14
        let read = PrometheusText(text(gather([refused])))
        #expect(read.faults.isEmpty)
        let samples = read.samples("istio_requests_total")
        let sample = try #require(samples.first)
        // Nobody reports for an endpoint that was not reached.
        #expect(samples.count == 1)
        #expect(sample["destination_service"] == "unknown" && sample["destination_workload"] == "unknown")
        #expect(sample["destination_canonical_revision"] == "latest")
        #expect(sample["response_code"] == "0" && sample["response_flags"] == "UC,DC")
        #expect(sample["request_protocol"] == "grpc" && sample["grpc_response_status"] == "14")
    }

    @Test func bucketsAccumulate() {
        var slow = record()
        slow.requestBodyBytes = 300
        slow.responseBodyBytes = 5_000_000
        let read = PrometheusText(text(gather([record(), slow])))
        func values(_ name: String) -> [Double] { read.samples(name + "_bucket").map(\.value) }
        #expect(values("istio_request_bytes") == Array(repeating: 1, count: 8) + Array(repeating: 2, count: 12))
        #expect(values("istio_response_bytes") == Array(repeating: 1, count: 19) + [2])
        #expect(read.sum("istio_response_bytes_sum") == 5_000_000)
        #expect(read.sum("istio_response_bytes_count") == 2)
        #expect(read.types["istio_request_bytes"] == "histogram")
    }

    @Test func clustersOfOneServiceAreOneSeries() {
        let service = ServiceLabels(host: "a.b", name: "a.b", namespace: "b")
        names.cluster(3, belongsTo: service)
        names.cluster(5, belongsTo: service)
        let number = workload("v1")
        let read = PrometheusText(
            text(gather([record(cluster: 3, workload: number), record(cluster: 5, workload: number)])))
        #expect(read.faults.isEmpty)
        #expect(read.samples("istio_requests_total", ["reporter": "source"]).map(\.value) == [2])
    }

    @Test func aSidecarReportsForItself() {
        let plain = workload("v1")
        let meshed = workload("v2", hasSidecar: true)
        // Half of a workload's pods were injected.
        let (half, otherHalf) = (workload("v3", hasSidecar: true), workload("v3"))
        let read = PrometheusText(
            text(gather([plain, meshed, half, half, otherHalf].map { record(workload: $0) })))
        #expect(read.faults.isEmpty)
        func count(_ reporter: String, _ version: String) -> Double {
            read.sum("istio_requests_total", ["reporter": reporter, "destination_version": version])
        }
        #expect(count("source", "v1") == 1 && count("destination", "v1") == 1)
        #expect(count("source", "v2") == 1 && count("destination", "v2") == 0)
        #expect(count("source", "v3") == 3 && count("destination", "v3") == 1)
        #expect(
            read.sum(
                "istio_request_duration_milliseconds_count", ["reporter": "destination", "destination_version": "v3"])
                == 1)
    }

    @Test func labelValuesAreEscaped() {
        names.cluster(0, belongsTo: ServiceLabels(host: "a\"b\\c\nd", name: "", namespace: ""))
        let text = text(gather([record(cluster: 0)]))
        #expect(text.contains(#"destination_service="a\"b\\c\nd""#))
        let read = PrometheusText(text)
        #expect(read.faults.isEmpty)
        #expect(read.samples("istio_requests_total").first?["destination_service"] == "a\"b\\c\nd")
    }

    @Test func manySeriesComeInPieces() {
        let metrics = gather((0..<200).map { record(status: UInt16(200 + $0)) })
        let text = RequestMetricsText(metrics, source: source())
        var piece = MetricText()
        var sizes: [Int] = []
        while text.write(into: &piece) { sizes.append(piece.take().count) }
        #expect(sizes.count > 100)
        // A piece ends with the series that fills it.
        #expect(sizes.allSatisfy { $0 < RequestMetricsText.pieceBytes + 64 * 1024 })
    }
}
