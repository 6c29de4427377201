/// Who metrics say the requests come from: the gateway itself; empty = unknown.
///
/// The workload's name is also its app and canonical service.
package struct SourceLabels: Sendable, Hashable {
    package var workload = ""
    package var namespace = ""
    package var cluster = ""

    package init() {}
}

/// The text of the metrics about requests (compatibility A5, A3), made piece by piece.
///
/// One thread at a time.
package final class RequestMetricsText {
    /// Bytes after which a piece is passed on.
    static let pieceBytes = 24 * 1024

    private enum Family: Int {
        case total
        case duration
        case requestBytes
        case responseBytes
        case streamsOpened
        case streamsClosed
        case streamBytesSent
        case streamBytesReceived

        /// About connections whose bytes pass through.
        var isOfStreams: Bool { rawValue >= Family.streamsOpened.rawValue }
    }

    /// Who reports: Weir as the client's side, or in the place of a sidecar the endpoint does not have.
    private enum Reporter {
        case source
        case destination
    }

    private let metrics: GatheredMetrics
    private let source: SourceLabels
    private var family: Family? = .total
    private var next = 0
    /// A series without those of its requests that a sidecar reports.
    private let rest: MetricSeries

    package init(_ metrics: GatheredMetrics, source: SourceLabels) {
        self.metrics = metrics
        self.source = source
        rest = MetricSeries(making: MetricKey(rawValue: 0), at: .allocate(capacity: MetricSeries.words))
    }

    deinit { rest.base.deallocate() }

    /// Writes the next piece; `false` when there was nothing left.
    package func write(into text: inout MetricText) -> Bool {
        guard family != nil else { return false }
        while let current = family, text.bytes.count < Self.pieceBytes {
            if next == 0 { begin(current, &text) }
            guard next < metrics.series.count else {
                family = Family(rawValue: current.rawValue + 1)
                next = 0
                continue
            }
            write(metrics.series[next], current, &text)
            next += 1
        }
        return true
    }

    private func begin(_ family: Family, _ text: inout MetricText) {
        switch family {
        case .total:
            text.family("istio_requests_total", .counter, "Requests answered, refused or left by their client.")
        case .duration:
            text.family(
                "istio_request_duration_milliseconds", .histogram,
                "Whole milliseconds from a request's head to the end of its answer.")
        case .requestBytes:
            text.family("istio_request_bytes", .histogram, "Bytes of requests, head and body.")
        case .responseBytes:
            text.family("istio_response_bytes", .histogram, "Bytes of answers, head and body.")
        case .streamsOpened:
            text.family(
                "istio_tcp_connections_opened_total", .counter, "Connections begun whose bytes pass through.")
        case .streamsClosed:
            text.family("istio_tcp_connections_closed_total", .counter, "Connections of these that are over.")
        case .streamBytesSent:
            text.family("istio_tcp_sent_bytes_total", .counter, "Bytes that passed through to clients.")
        case .streamBytesReceived:
            text.family("istio_tcp_received_bytes_total", .counter, "Bytes that passed through from clients.")
        }
    }

    private func write(_ series: MetricSeries, _ family: Family, _ text: inout MetricText) {
        let key = series.key
        guard key.isStream == family.isOfStreams else { return }
        write(series, key, family, .source, &text)
        // Nothing but an endpoint reports as one.
        guard key.workload > 0 else { return }
        guard let part = metrics.withSidecar.find(key) else {
            return write(series, key, family, .destination, &text)
        }
        rest.clear()
        rest.add(series)
        rest.subtract(part)
        if rest.count > 0 { write(rest, key, family, .destination, &text) }
    }

    private func write(
        _ series: MetricSeries, _ key: MetricKey, _ family: Family, _ reporter: Reporter, _ text: inout MetricText
    ) {
        let labels = labels(key, reporter)
        switch family {
        case .total: write(series.count, "istio_requests_total", labels, &text)
        case .streamsOpened: write(series.openedStreams, "istio_tcp_connections_opened_total", labels, &text)
        case .streamsClosed: write(series.closedStreams, "istio_tcp_connections_closed_total", labels, &text)
        case .streamBytesSent: write(series.sentStreamBytes, "istio_tcp_sent_bytes_total", labels, &text)
        case .streamBytesReceived: write(series.receivedStreamBytes, "istio_tcp_received_bytes_total", labels, &text)
        case .duration: write(series, .duration, "istio_request_duration_milliseconds", labels, &text)
        case .requestBytes: write(series, .requestBytes, "istio_request_bytes", labels, &text)
        case .responseBytes: write(series, .responseBytes, "istio_response_bytes", labels, &text)
        }
    }

    private func write(_ count: UInt64, _ name: StaticString, _ labels: [UInt8], _ text: inout MetricText) {
        text.append(name)
        text.append("{")
        text.append(labels)
        text.append("} ")
        text.append(count)
        text.append("\n")
    }

    private func write(
        _ series: MetricSeries, _ histogram: MetricSeries.Histogram, _ name: StaticString, _ labels: [UInt8],
        _ text: inout MetricText
    ) {
        var count: UInt64 = 0
        for bucket in 0..<HistogramBounds.bucketCount {
            count += series.bucket(bucket, histogram)
            text.append(name)
            text.append("_bucket{")
            text.append(labels)
            text.append(",le=\"")
            text.append(HistogramBounds.texts[bucket])
            text.append("\"} ")
            text.append(count)
            text.append("\n")
        }
        text.append(name)
        text.append("_sum{")
        text.append(labels)
        text.append("} ")
        text.append(series.sum(histogram))
        text.append("\n")
        text.append(name)
        text.append("_count{")
        text.append(labels)
        text.append("} ")
        text.append(count)
        text.append("\n")
    }

    // MARK: Labels

    /// Istio's labels in Istio's order.
    private func labels(_ key: MetricKey, _ reporter: Reporter) -> [UInt8] {
        var labels = LabelText()
        let service = metrics.names.services[key.cluster]
        let workload = metrics.names.workloads[key.workload]
        labels.add("reporter", reporter == .source ? "source" : "destination")
        labels.add("source_workload", source.workload)
        labels.add("source_canonical_service", source.workload)
        labels.add("source_canonical_revision", "latest")
        labels.add("source_workload_namespace", source.namespace)
        labels.add("source_principal", "")
        labels.add("source_app", source.workload)
        labels.add("source_version", "")
        labels.add("source_cluster", source.cluster)
        labels.add("destination_workload", workload.workload)
        labels.add("destination_workload_namespace", workload.namespace)
        labels.add("destination_principal", "")
        labels.add("destination_app", workload.app)
        labels.add("destination_version", workload.version)
        labels.add("destination_service", service.host)
        labels.add("destination_canonical_service", workload.canonicalService)
        labels.add(
            "destination_canonical_revision", workload.canonicalRevision.isEmpty ? "latest" : workload.canonicalRevision
        )
        labels.add("destination_service_name", service.name)
        labels.add("destination_service_namespace", service.namespace)
        labels.add("destination_cluster", key.workload > 0 ? source.cluster : "")
        labels.add("request_protocol", key.isStream ? "tcp" : key.isGRPC ? "grpc" : "http")
        if !key.isStream {
            labels.add("response_code", key.status == MetricKey.lostStatus ? "" : "\(key.status)")
            labels.text.append(",grpc_response_status=\"")
            if let status = key.grpcStatus { labels.text.append(UInt64(status)) }
            labels.text.append("\"")
        }
        labels.add("response_flags", metrics.series.flags(key.flags).text)
        labels.add("connection_security_policy", reporter == .source ? "" : "none")
        return labels.text.bytes
    }
}

/// Labels behind one another; an empty value is written as `unknown`.
private struct LabelText {
    var text = MetricText()

    mutating func add(_ name: StaticString, _ value: String) {
        if !text.bytes.isEmpty { text.append(",") }
        text.append(label: name, value.isEmpty ? "unknown" : value)
    }
}
