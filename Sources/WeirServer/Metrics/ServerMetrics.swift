import WeirEngine

/// The metrics of the process and the server: everything but the requests.
struct ServerMetrics: Sendable {
    private let status: ServerStatus

    init(status: ServerStatus) { self.status = status }

    func write(_ stats: EngineStats, into text: inout MetricText) {
        text.family("istio_build", .gauge, "Which proxy this is; always 1.")
        text.sample("istio_build", [("component", "proxy"), ("tag", weirVersion)], 1)
        text.family("weir_build_info", .gauge, "Version of Weir; always 1.")
        text.sample("weir_build_info", [("version", weirVersion)], 1)
        ProcessMetrics.read().write(into: &text)
        writeTraffic(stats, &text)
        writeConfiguration(stats, &text)
    }

    private func writeTraffic(_ stats: EngineStats, _ text: inout MetricText) {
        text.single(
            "weir_workers", .gauge, "Worker threads.", Double(status.workers))
        text.single(
            "weir_downstream_connections_active", .gauge, "Client connections open.", Double(stats.activeConnections))
        text.single(
            "weir_downstream_connections_total", .counter, "Client connections accepted.",
            Double(stats.acceptedConnections))
        text.single(
            "weir_requests_active", .gauge, "Requests being served.", Double(stats.activeExchanges))
        text.single(
            "weir_upstream_connections_active", .gauge, "Connections to endpoints open, idle ones included.",
            Double(stats.upstreamConnections))
        text.single(
            "weir_buffers_in_use", .gauge, "Pooled 32 KiB chunks holding bytes on their way.",
            Double(stats.buffersInUse))
    }

    private func writeConfiguration(_ stats: EngineStats, _ text: inout MetricText) {
        let current = status.current
        text.single(
            "weir_config_generation", .gauge,
            "Generation of the configuration that all workers serve; 0 before the first.",
            Double(current.generation))
        text.single(
            "weir_config_generations_pinned", .gauge,
            "Generations held by workers, summed over workers: one each while no request holds an old one.",
            Double(stats.pinnedGenerations))
    }
}
