/// What the workers are doing, summed.
///
/// Plain counts; totals since the start unless named otherwise.
package struct EngineStats: Sendable, Equatable {
    package var acceptedConnections = 0
    /// Client connections open now.
    package var activeConnections = 0
    package var requests = 0
    /// Requests being served now.
    package var activeExchanges = 0
    /// Connections to endpoints open now, idle ones included.
    package var upstreamConnections = 0
    /// Configuration generations held by workers now, summed over workers: one each when nothing old is pinned.
    package var pinnedGenerations = 0
    /// Pooled chunks handed out now.
    package var buffersInUse = 0

    package init() {}

    init(
        acceptedConnections: Int, activeConnections: Int, requests: Int, activeExchanges: Int, upstreamConnections: Int,
        pinnedGenerations: Int, buffersInUse: Int
    ) {
        self.acceptedConnections = acceptedConnections
        self.activeConnections = activeConnections
        self.requests = requests
        self.activeExchanges = activeExchanges
        self.upstreamConnections = upstreamConnections
        self.pinnedGenerations = pinnedGenerations
        self.buffersInUse = buffersInUse
    }

    mutating func add(_ other: EngineStats) {
        acceptedConnections += other.acceptedConnections
        activeConnections += other.activeConnections
        requests += other.requests
        activeExchanges += other.activeExchanges
        upstreamConnections += other.upstreamConnections
        pinnedGenerations += other.pinnedGenerations
        buffersInUse += other.buffersInUse
    }
}
