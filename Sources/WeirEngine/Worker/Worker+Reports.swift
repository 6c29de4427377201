/// What a worker tells of itself when it is asked.
extension Worker {
    /// The load of the endpoints from a place on, and where to go on if that is not all.
    func endpointLoads(from start: EndpointPosition, most: Int) -> ([ClusterLoads], EndpointPosition?) {
        var parts: [ClusterLoads] = []
        var left = most
        var position = start
        while position.cluster < clusterCapacity {
            if let cluster = clusters[position.cluster]?.takeUnretainedValue() {
                let part = cluster.loads(from: position.endpoint, most: left)
                if !part.loads.isEmpty { parts.append(part) }
                left -= part.loads.count
                position.endpoint += part.loads.count
                if position.endpoint < cluster.plan.endpointCount { return (parts, position) }
            }
            position = EndpointPosition(cluster: position.cluster + 1)
        }
        return (parts, nil)
    }

    var stats: EngineStats {
        var idleConnections = 0
        for id in 0..<clusterCapacity { idleConnections += clusters[id]?.takeUnretainedValue().idleCount ?? 0 }
        var stats = EngineStats(
            acceptedConnections: acceptedCount, refusedConnections: refusedCount, activeConnections: connectionCount,
            requests: requestCount, activeExchanges: activeExchanges, upstreamConnections: upstreamCount,
            upstreamOverflows: overflowCount,
            pinnedGenerations: older.count + (current == nil ? 0 : 1), buffersInUse: loop.pool.inUse)
        stats.idleUpstreamConnections = idleConnections
        stats.upstreamConnects = connectCount
        stats.upstreamConnectFailures = connectFailureCount
        stats.upstreamRetries = retryCount
        stats.sparedRetries = sparedRetryCount
        stats.faults = faults
        stats.mirrors = mirrors.counts
        stats.activeTunnels = activeTunnels
        stats.tunnels = tunnelCount
        stats.tlsHandshakes = tlsHandshakes
        stats.tlsResumptions = tlsResumptions
        stats.tlsFailures = tlsFailures
        stats.proxyHeaderFailures = proxyHeaderFailures
        stats.metricSeries = metrics.count
        stats.metricOverflow = Int(metrics.overflowed)
        stats.accessLogLines = accessLogger?.lines ?? 0
        stats.accessLogDropped = accessLogger?.dropped ?? 0
        return stats
    }
}
