import Testing
import WeirTestSupport

@testable import WeirEngine
@testable import WeirServer

/// The metrics of endpoints that fail.
@Suite struct HealthMetricsTests {
    private static func snapshot(_ endpoints: Int, detects: Bool = true) -> Snapshot {
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.endpoints = (0..<endpoints).map {
            ClusterSpec.Endpoint(.ipv4(UInt32(bigEndian: 0x0a00_0000 + UInt32($0))), port: 80)
        }
        if detects {
            spec.outlier = OutlierSpec()
            spec.outlier?.mostEjectedPercent = 50
        }
        return Snapshot(
            generation: 1, listeners: [], clusters: [ClusterPlan(id: 0, spec: spec)], clusterCapacity: 1)
    }

    private static func text(_ snapshot: Snapshot?) -> PrometheusText {
        var text = MetricText()
        HealthMetrics(snapshot).write(into: &text)
        return PrometheusText(String(decoding: text.take(), as: UTF8.self))
    }

    @Test func eachEndpointIsInOrOutAndSaysHowOftenItWasOut() {
        let snapshot = Self.snapshot(2)
        for cell in snapshot.clusters[0].cells {
            for _ in 0..<5 { cell.failed(isGatewayError: true, OutlierPlan(OutlierSpec()), now: 0) }
        }
        let text = Self.text(snapshot)
        #expect(text.faults.isEmpty)
        let cluster = ["cluster": "outbound|80||a"]
        #expect(text.sum("weir_cluster_ejected_endpoints", cluster) == 1)
        #expect(text.sum("weir_cluster_ejections_refused_total", cluster) == 1)
        #expect(text.sum("weir_endpoint_ejected", ["endpoint": "10.0.0.0:80"]) == 1)
        #expect(text.sum("weir_endpoint_ejected", ["endpoint": "10.0.0.1:80"]) == 0)
        let counts = text.samples("weir_endpoint_ejections_total")
        #expect(counts.count == 1 && counts[0]["reason"] == "consecutive_5xx" && counts[0].value == 1)
    }

    @Test func withoutOutlierDetectionThereAreNone() {
        #expect(Self.text(nil).samples.isEmpty && Self.text(Self.snapshot(2, detects: false)).samples.isEmpty)
    }

    @Test func endpointsOfALargeClusterAreBounded() {
        let text = Self.text(Self.snapshot(HealthMetrics.mostEndpoints + 5))
        #expect(text.samples("weir_endpoint_ejected").count == HealthMetrics.mostEndpoints)
        #expect(text.samples("weir_cluster_ejected_endpoints").count == 1)
    }
}
