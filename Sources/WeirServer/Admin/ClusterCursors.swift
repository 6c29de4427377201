import WeirEngine

/// The clusters of a snapshot by service, port and subset.
struct ClusterCursor: RowCursor {
    private static let rowsPerStep = 64

    private let clusters: [ClusterPlan]
    private let filter: ListingFilter
    private var place = 0

    init(_ snapshot: Snapshot, _ filter: ListingFilter) {
        self.filter = filter
        clusters = ClusterName.sorted(snapshot.clusters)
    }

    mutating func next() -> [ClusterRow]? {
        guard place < clusters.count else { return nil }
        let end = min(place + Self.rowsPerStep, clusters.count)
        defer { place = end }
        return clusters[place..<end].compactMap { row($0) }
    }

    private func row(_ cluster: ClusterPlan) -> ClusterRow? {
        let name = ClusterName(cluster.spec.name)
        guard filter.admits("fqdn", within: name.fqdn), filter.admits("port", name.port),
            filter.admits("subset", name.subset), filter.admits("direction", anyCase: name.direction)
        else { return nil }
        let described = cluster.describe()
        return ClusterRow(
            name: described.name, fqdn: name.fqdn, port: name.port,
            subset: name.subset.isEmpty ? nil : name.subset, direction: name.direction,
            type: cluster.spec.listedType, destinationRule: cluster.spec.destinationRule,
            balancer: described.balancer, endpoints: described.endpoints.count,
            connectTimeoutMilliseconds: described.connectTimeoutMilliseconds,
            idleTimeoutMilliseconds: described.idleTimeoutMilliseconds, limits: limits(of: cluster))
    }

    private func limits(of cluster: ClusterPlan) -> [ClusterRow.Limit]? {
        cluster.limitUses?.compactMap { use in
            use.limit.map { ClusterRow.Limit(of: use.name, limit: $0, used: use.used, overflows: use.overflows) }
        }
    }
}

extension ClusterSpec {
    /// In Envoy's words.
    fileprivate var listedType: String {
        if balancer == .passthrough { return "ORIGINAL_DST" }
        return switch discovery {
        case .listed: "EDS"
        case .names: "STRICT_DNS"
        case .firstAddress: "LOGICAL_DNS"
        }
    }
}

/// The endpoints of a snapshot's clusters, in the order of the clusters' names.
struct EndpointCursor: RowCursor {
    private static let rowsPerStep = 256

    private let clusters: [ClusterPlan]
    private let loads: EndpointLoads
    private let filter: ListingFilter
    private var place = 0
    /// The present cluster's endpoints that are left, in reverse.
    private var left: [(offset: Int, element: SnapshotDescription.Endpoint)] = []

    init(_ snapshot: Snapshot, _ loads: EndpointLoads, _ filter: ListingFilter) {
        self.loads = loads
        self.filter = filter
        clusters = ClusterName.sorted(snapshot.clusters).filter { filter.admits("cluster", $0.spec.name) }
    }

    mutating func next() -> [EndpointRow]? {
        while left.isEmpty {
            guard place < clusters.count else { return nil }
            left = clusters[place].describe().endpoints.enumerated().reversed()
            place += 1
        }
        let cluster = clusters[place - 1]
        let count = min(left.count, Self.rowsPerStep)
        let rows = left.suffix(count).reversed().compactMap { row($0.element, at: $0.offset, of: cluster) }
        left.removeLast(count)
        return rows
    }

    private func row(
        _ endpoint: SnapshotDescription.Endpoint, at index: Int, of cluster: ClusterPlan
    ) -> EndpointRow? {
        let address = EndpointText(endpoint.address)
        let load = loads[cluster: Int(cluster.id), address: endpoint.address]
        let health = cluster.endpointHealth(at: index)
        let row = EndpointRow(
            endpoint: endpoint.address, status: "HEALTHY", outlierCheck: health?.isEjected == true ? "FAILED" : "OK",
            cluster: cluster.spec.name, weight: endpoint.weight, activeRequests: load.activeRequests,
            connections: load.connections, idleConnections: load.idleConnections, priority: endpoint.priority,
            locality: endpoint.locality.isEmpty ? nil : endpoint.locality, ejections: health?.ejections)
        guard filter.admits("address", address.host), filter.admits("port", address.port),
            filter.admits("status", anyCase: row.status)
        else { return nil }
        return row
    }
}

/// `ip:port`, `[ip]:port`, or a path.
private struct EndpointText {
    let host: String
    /// 0 = none.
    let port: Int

    init(_ text: String) {
        guard !text.hasPrefix("/"), !text.hasPrefix("@"), let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...])
        else {
            host = text
            port = 0
            return
        }
        host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        self.port = port
    }
}

/// The parts of `outbound|<port>|<subset>|<fqdn>`.
struct ClusterName {
    let direction: String
    let port: Int
    let subset: String
    let fqdn: String

    init(_ name: String) {
        let parts = name.split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else {
            (direction, port, subset, fqdn) = ("", 0, "", name)
            return
        }
        (direction, port, subset, fqdn) = (parts[0], Int(parts[1]) ?? 0, parts[2], parts[3])
    }

    /// By service, then port, then subset.
    static func sorted(_ clusters: [ClusterPlan]) -> [ClusterPlan] {
        clusters.map { (name: ClusterName($0.spec.name), cluster: $0) }
            .sorted { ($0.name.fqdn, $0.name.port, $0.name.subset) < ($1.name.fqdn, $1.name.port, $1.name.subset) }
            .map(\.cluster)
    }
}
