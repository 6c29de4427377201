import WeirEngine

/// What outlier detection knows of endpoints, for clusters that have it.
struct HealthMetrics {
    /// Endpoints told of; of others their clusters' numbers alone.
    static let mostEndpoints = 10_000

    private let clusters: [ClusterPlan]

    init(_ snapshot: Snapshot?) {
        clusters = snapshot?.clusters.filter { $0.spec.outlier != nil && $0.health != nil } ?? []
    }

    func write(into text: inout MetricText) {
        guard !clusters.isEmpty else { return }
        text.family("weir_cluster_ejected_endpoints", .gauge, "Endpoints that outlier detection has taken out.")
        for cluster in clusters {
            text.sample("weir_cluster_ejected_endpoints", labels(cluster), Double(cluster.health?.ejectedCount ?? 0))
        }
        text.family(
            "weir_cluster_ejections_refused_total", .counter,
            "Ejections that were due while as many endpoints were out as maxEjectionPercent allows.")
        for cluster in clusters {
            let count = Double(cluster.health?.refusedEjections ?? 0)
            text.sample("weir_cluster_ejections_refused_total", labels(cluster), count)
        }
        writeEndpoints(&text)
    }

    private func labels(_ cluster: ClusterPlan) -> [(StaticString, String)] { [("cluster", cluster.spec.name)] }

    private func writeEndpoints(_ text: inout MetricText) {
        var rows: [(labels: [(StaticString, String)], health: EndpointHealth)] = []
        for cluster in clusters where rows.count < Self.mostEndpoints {
            for (index, endpoint) in cluster.describe().endpoints.enumerated().prefix(Self.mostEndpoints - rows.count) {
                guard let health = cluster.endpointHealth(at: index) else { continue }
                rows.append((labels(cluster) + [("endpoint", endpoint.address)], health))
            }
        }
        text.family("weir_endpoint_ejected", .gauge, "1 while outlier detection has taken the endpoint out.")
        for row in rows { text.sample("weir_endpoint_ejected", row.labels, row.health.isEjected ? 1 : 0) }
        text.family(
            "weir_endpoint_ejections_total", .counter,
            "Times the endpoint was taken out, by what there were too many of in a row.")
        for row in rows {
            for (reason, count) in row.health.ejectionsByReason where count > 0 {
                text.sample("weir_endpoint_ejections_total", row.labels + [("reason", reason)], Double(count))
            }
        }
    }
}

extension EndpointHealth {
    /// In Envoy's words.
    fileprivate var ejectionsByReason: [(reason: String, count: Int)] {
        [
            ("consecutive_5xx", serverErrorEjections), ("consecutive_gateway_failure", gatewayErrorEjections),
            ("consecutive_local_origin_failure", localFailureEjections),
        ]
    }
}
