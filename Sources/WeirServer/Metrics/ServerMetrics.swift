package import WeirEngine
package import WeirSources

/// The metrics of the process and the server: everything but the requests.
package struct ServerMetrics: Sendable {
    private let status: ServerStatus
    private let names: Guarded<NameStatistics>
    /// `nil` without an access log.
    private let accessLog: AccessLogWriter?

    package init(
        status: ServerStatus, names: Guarded<NameStatistics> = Guarded(NameStatistics()),
        accessLog: AccessLogWriter? = nil
    ) {
        self.status = status
        self.names = names
        self.accessLog = accessLog
    }

    func write(_ stats: EngineStats, into text: inout MetricText) {
        text.family("istio_build", .gauge, "Which proxy this is; always 1.")
        text.sample("istio_build", [("component", "proxy"), ("tag", weirVersion)], 1)
        text.family("weir_build_info", .gauge, "Version of Weir; always 1.")
        text.sample("weir_build_info", [("version", weirVersion)], 1)
        ProcessMetrics.read().write(into: &text)
        writeTraffic(stats, &text)
        LimitMetrics(status.snapshot).write(into: &text)
        HealthMetrics(status.snapshot).write(into: &text)
        writeConfiguration(stats, &text)
        CertificateMetrics(certificates: status.current.configuration.certificates).write(into: &text)
        names.withLock { $0 }.write(into: &text)
        if let accessLog { write(accessLog, stats, &text) }
    }

    private func write(_ accessLog: AccessLogWriter, _ stats: EngineStats, _ text: inout MetricText) {
        text.single(
            "weir_access_log_lines_total", .counter, "Lines handed to the access log's writer.",
            Double(stats.accessLogLines))
        text.family(
            "weir_access_log_dropped_total", .counter,
            "Lines lost; reason overflow: the writer did not keep up, write_error: the target could not be written.")
        text.sample("weir_access_log_dropped_total", [("reason", "overflow")], Double(stats.accessLogDropped))
        text.sample("weir_access_log_dropped_total", [("reason", "write_error")], Double(accessLog.lostLines))
    }

    private func writeTraffic(_ stats: EngineStats, _ text: inout MetricText) {
        text.single("weir_workers", .gauge, "Worker threads.", Double(status.workers))
        text.single(
            "weir_downstream_connections_active", .gauge, "Client connections open.", Double(stats.activeConnections))
        text.single(
            "weir_downstream_connections_total", .counter, "Client connections accepted.",
            Double(stats.acceptedConnections))
        text.single(
            "weir_downstream_connections_refused_total", .counter,
            "Client connections closed at once because there were as many as there may be.",
            Double(stats.refusedConnections))
        text.family(
            "weir_downstream_tls_handshakes_total", .counter,
            "TLS handshakes with clients; result full, resumed (an earlier session went on), or failed.")
        let full = stats.tlsHandshakes - stats.tlsResumptions
        text.sample("weir_downstream_tls_handshakes_total", [("result", "full")], Double(full))
        text.sample("weir_downstream_tls_handshakes_total", [("result", "resumed")], Double(stats.tlsResumptions))
        text.sample("weir_downstream_tls_handshakes_total", [("result", "failed")], Double(stats.tlsFailures))
        text.single(
            "weir_downstream_proxy_header_failures_total", .counter,
            "Client connections closed because they did not begin with the PROXY protocol header they must begin with.",
            Double(stats.proxyHeaderFailures))
        text.family(
            "weir_faults_injected_total", .counter,
            "Failures that routes made up (fault); type delay or abort, a request may have both.")
        text.sample("weir_faults_injected_total", [("type", "delay")], Double(stats.faults.delays))
        text.sample("weir_faults_injected_total", [("type", "abort")], Double(stats.faults.aborts))
        writeMirrors(stats.mirrors, &text)
        text.single("weir_requests_active", .gauge, "Requests being served.", Double(stats.activeExchanges))
        text.single("weir_tunnels_active", .gauge, "Requests that have become WebSockets.", Double(stats.activeTunnels))
        text.single(
            "weir_tunnels_total", .counter, "Requests that became WebSockets (101).", Double(stats.tunnels))
        text.single(
            "weir_upstream_connections_active", .gauge, "Connections to endpoints open, idle ones included.",
            Double(stats.upstreamConnections))
        text.single(
            "weir_upstream_connections_idle", .gauge, "Connections to endpoints waiting for a request.",
            Double(stats.idleUpstreamConnections))
        text.single(
            "weir_upstream_connects_total", .counter, "Connections to endpoints begun.",
            Double(stats.upstreamConnects))
        text.single(
            "weir_upstream_connect_failures_total", .counter,
            "Connections to endpoints that were refused or took too long.", Double(stats.upstreamConnectFailures))
        text.single(
            "weir_upstream_retries_total", .counter, "Requests sent to an endpoint again.",
            Double(stats.upstreamRetries))
        text.single(
            "weir_upstream_retries_spared_total", .counter,
            "Requests not sent again because of weir.dev/retry-unsafe.", Double(stats.sparedRetries))
        text.single(
            "weir_upstream_overflows_total", .counter,
            "Requests answered 503 because a worker had as many connections to endpoints as it may.",
            Double(stats.upstreamOverflows))
        text.single(
            "weir_buffers_in_use", .gauge, "Pooled 32 KiB chunks holding bytes on their way.",
            Double(stats.buffersInUse))
        text.single(
            "weir_metrics_series", .gauge, "Series of requests held by workers, summed over workers.",
            Double(stats.metricSeries))
        text.single(
            "weir_metrics_series_overflow_total", .counter,
            "Requests counted without their destination, because a worker held too many series.",
            Double(stats.metricOverflow))
    }

    private func writeMirrors(_ mirrors: MirrorCounts, _ text: inout MetricText) {
        text.family(
            "weir_mirrored_requests_total", .counter,
            "Copies of requests for mirrors; result answered, failed, timeout, overflow or incomplete.")
        let results = [
            ("answered", mirrors.answered), ("failed", mirrors.failed), ("timeout", mirrors.timedOut),
            ("overflow", mirrors.overflowed), ("incomplete", mirrors.incomplete),
        ]
        for (result, count) in results {
            text.sample("weir_mirrored_requests_total", [("result", result)], Double(count))
        }
        text.single(
            "weir_mirrored_requests_active", .gauge, "Copies of requests under way.", Double(mirrors.active))
    }

    private func writeConfiguration(_ stats: EngineStats, _ text: inout MetricText) {
        let current = status.current
        let configuration = current.configuration
        text.single("weir_ready", .gauge, "1 while readiness probes succeed.", status.isReady ? 1 : 0)
        text.single(
            "weir_config_generation", .gauge, "Generation that all workers serve; 0 before the first.",
            Double(current.generation))
        text.single(
            "weir_config_generations_pinned", .gauge,
            "Generations held by workers, summed over workers: one each while no request holds an old one.",
            Double(stats.pinnedGenerations))
        writeReloads(status.reloads, &text)
        text.family("weir_config_resources", .gauge, "Resources in force, by kind.")
        for (kind, count) in configuration.resources.sorted(by: { $0.key < $1.key }) {
            text.sample("weir_config_resources", [("kind", kind)], Double(count))
        }
        text.single(
            "weir_config_rejected_resources", .gauge, "Resources that have an error.",
            Double(Set(configuration.problems.lazy.filter(\.isError).compactMap(\.resource)).count))
        text.single(
            "weir_config_kept_resources", .gauge,
            "Resources in force in an earlier version, because the present one is broken.",
            Double(configuration.files.reduce(0) { $0 + $1.kept }))
        text.family("weir_config_problems", .gauge, "Problems listed at /status, by severity.")
        for severity in ["error", "warning", "info"] {
            let count = configuration.problems.count { $0.severity == severity }
            text.sample("weir_config_problems", [("severity", severity)], Double(count))
        }
        text.family("weir_listeners", .gauge, "Ports of the configuration that are listened on, and that could not be.")
        let open = configuration.listeners.count { $0.listening }
        text.sample("weir_listeners", [("state", "listening")], Double(open))
        text.sample("weir_listeners", [("state", "failed")], Double(configuration.listeners.count - open))
    }

    private func writeReloads(_ reloads: ServerStatus.ReloadCounts, _ text: inout MetricText) {
        text.family(
            "weir_config_reloads_total", .counter,
            "Configurations handed to the workers; result error: something in it was refused.")
        text.sample("weir_config_reloads_total", [("result", "success")], Double(reloads.clean))
        text.sample("weir_config_reloads_total", [("result", "error")], Double(reloads.refusing))
        if let seconds = reloads.lastCleanSeconds {
            text.single(
                "weir_config_last_reload_success_timestamp_seconds", .gauge,
                "When a configuration with nothing refused last went live, in seconds since 1970.", seconds)
        }
        if let seconds = reloads.lastSeconds {
            text.single(
                "weir_config_last_reload_duration_seconds", .gauge,
                "From the last change being read to all workers serving it.", seconds)
        }
    }
}
