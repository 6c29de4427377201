import Testing
import WeirTestSupport

@testable import WeirEngine
@testable import WeirServer

/// The metrics of clusters' limits.
@Suite struct LimitMetricsTests {
    private static func text(_ limit: (inout ClusterLimits) -> Void, _ shared: ClusterShared) -> PrometheusText {
        var spec = ClusterSpec(name: "outbound|80||a")
        limit(&spec.limits)
        let plan = ClusterPlan(id: 0, spec: spec, shared: shared)
        let snapshot = Snapshot(generation: 1, listeners: [], clusters: [plan], clusterCapacity: 1)
        var text = MetricText()
        LimitMetrics(snapshot).write(into: &text)
        return PrometheusText(String(decoding: text.take(), as: UTF8.self))
    }

    @Test func eachLimitSaysHowMuchThereIsHowMuchThereMayBeAndHowOftenItWasMet() {
        let shared = ClusterShared(workers: 2)
        shared.limits.connections.add(2)
        shared.limits.overflows.count(.request)
        let text = Self.text(
            {
                $0.connections = 3
                $0.requests = 5
            }, shared)
        #expect(text.faults.isEmpty)
        func value(_ name: String, _ limit: String) -> Double? {
            text.sum(name, ["cluster": "outbound|80||a", "limit": limit])
        }
        #expect(value("weir_cluster_limit", "connections") == 3 && value("weir_cluster_limit", "requests") == 5)
        #expect(value("weir_cluster_limit_used", "connections") == 2)
        #expect(value("weir_cluster_limit_overflows_total", "requests") == 1)
        #expect(value("weir_cluster_limit_overflows_total", "connections") == 0)
        #expect(text.samples("weir_cluster_limit").count == 2)
    }

    @Test func withoutLimitsThereAreNone() {
        #expect(Self.text({ _ in }, ClusterShared(workers: 1)).samples.isEmpty)
        var text = MetricText()
        LimitMetrics(nil).write(into: &text)
        #expect(text.take().isEmpty)
    }
}
