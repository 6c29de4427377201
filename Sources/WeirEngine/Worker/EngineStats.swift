/// What the workers are doing, summed.
///
/// Plain counts; totals since the start unless named otherwise.
package struct EngineStats: Sendable, Equatable {
    package var acceptedConnections = 0
    /// Client connections closed at once because the process or their listener had as many as it may.
    package var refusedConnections = 0
    /// Client connections open now.
    package var activeConnections = 0
    package var requests = 0
    /// Requests being served now.
    package var activeExchanges = 0
    /// Connections to endpoints open now, idle ones included.
    package var upstreamConnections = 0
    /// Requests answered 503 because a worker had as many connections to endpoints as it may.
    package var upstreamOverflows = 0
    /// Configuration generations held by workers now, summed over workers: one each when nothing old is pinned.
    package var pinnedGenerations = 0
    /// Pooled chunks handed out now.
    package var buffersInUse = 0
    /// Connections to endpoints that wait for a request now.
    package var idleUpstreamConnections = 0
    /// Connections to endpoints begun, and those that failed to open.
    package var upstreamConnects = 0
    package var upstreamConnectFailures = 0
    /// Requests sent to an endpoint again.
    package var upstreamRetries = 0
    /// See `RetrySpec.sparesUnsafe`.
    package var sparedRetries = 0
    /// Failures that routes have made up.
    package var faults = FaultCounts()
    /// Copies of requests for mirrors.
    package var mirrors = MirrorCounts()
    /// Requests that have become tunnels: open now, and since the start.
    package var activeTunnels = 0
    package var tunnels = 0
    /// Handshakes with clients: those that succeeded, those of them that resumed a session, and those that failed.
    package var tlsHandshakes = 0
    package var tlsResumptions = 0
    package var tlsFailures = 0
    /// Connections that did not begin with the PROXY protocol header they had to begin with.
    package var proxyHeaderFailures = 0
    /// Series of metrics, summed over workers.
    package var metricSeries = 0
    /// Requests counted without their destination, because there were too many series.
    package var metricOverflow = 0
    /// Lines handed to the access log's writer.
    package var accessLogLines = 0
    /// Lines of the access log lost because the writer did not keep up.
    package var accessLogDropped = 0

    package init() {}

    init(
        acceptedConnections: Int, refusedConnections: Int, activeConnections: Int, requests: Int, activeExchanges: Int,
        upstreamConnections: Int, upstreamOverflows: Int, pinnedGenerations: Int, buffersInUse: Int
    ) {
        self.acceptedConnections = acceptedConnections
        self.refusedConnections = refusedConnections
        self.activeConnections = activeConnections
        self.requests = requests
        self.activeExchanges = activeExchanges
        self.upstreamConnections = upstreamConnections
        self.upstreamOverflows = upstreamOverflows
        self.pinnedGenerations = pinnedGenerations
        self.buffersInUse = buffersInUse
    }

    mutating func add(_ other: EngineStats) {
        acceptedConnections += other.acceptedConnections
        refusedConnections += other.refusedConnections
        activeConnections += other.activeConnections
        requests += other.requests
        activeExchanges += other.activeExchanges
        upstreamConnections += other.upstreamConnections
        upstreamOverflows += other.upstreamOverflows
        pinnedGenerations += other.pinnedGenerations
        buffersInUse += other.buffersInUse
        idleUpstreamConnections += other.idleUpstreamConnections
        upstreamConnects += other.upstreamConnects
        upstreamConnectFailures += other.upstreamConnectFailures
        upstreamRetries += other.upstreamRetries
        sparedRetries += other.sparedRetries
        faults.add(other.faults)
        mirrors.add(other.mirrors)
        activeTunnels += other.activeTunnels
        tunnels += other.tunnels
        tlsHandshakes += other.tlsHandshakes
        tlsResumptions += other.tlsResumptions
        tlsFailures += other.tlsFailures
        proxyHeaderFailures += other.proxyHeaderFailures
        metricSeries += other.metricSeries
        metricOverflow += other.metricOverflow
        accessLogLines += other.accessLogLines
        accessLogDropped += other.accessLogDropped
    }
}
