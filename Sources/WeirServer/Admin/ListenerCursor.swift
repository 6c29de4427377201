import WeirEngine

/// The listeners of the configuration, those included that could not be opened.
struct ListenerCursor: RowCursor {
    private var rows: [ListenerRow]?

    init(_ listeners: [ServerStatus.Listener], _ snapshot: Snapshot, _ filter: ListingFilter) {
        rows = listeners.flatMap { listener in
            // The process's own address stands where the Gateway names none.
            let plan = snapshot.listeners.first {
                $0.port == listener.port && $0.isLiteral == (listener.mesh == true)
                    && ($0.bind == nil || $0.bind == listener.bind)
            }
            guard let plan, !plan.servers.isEmpty else { return [Self.row(listener, plan)] }
            return plan.servers.map { Self.row(listener, $0) }
        }
        .filter { filter.admits("address", $0.address) && filter.admits("port", $0.port) }
    }

    private static func row(_ listener: ServerStatus.Listener, _ plan: ListenerPlan?) -> ListenerRow {
        var row = ListenerRow(
            address: listener.bind ?? "*", port: listener.port, localPort: listener.localPort, match: "ALL",
            destination: "-", virtualHosts: 0, listening: listener.listening, problem: listener.problem)
        guard let plan else { return row }
        if let stream = plan.stream {
            row.destination = stream.destinationText
        } else {
            row.destination = "Route: \(RouteTable.name(of: plan))"
            row.virtualHosts = ListedHost.all(of: plan).count
        }
        return row
    }

    private static func row(_ listener: ServerStatus.Listener, _ server: TLSServerPlan) -> ListenerRow {
        var row = row(listener, nil)
        row.match = "SNI: \(server.patterns.joined(separator: ","))"
        switch server.content {
        case .http(let table):
            row.destination = "Route: \(server.name)"
            row.virtualHosts = ListedHost.all(of: table).count
        case .stream(let plan), .passthrough(let plan): row.destination = plan.destinationText
        }
        if server.contexts == nil, !server.isPassedThrough {
            row.tlsProblem = "no usable certificate"
        }
        return row
    }

    mutating func next() -> [ListenerRow]? {
        defer { rows = nil }
        return rows
    }
}

extension StreamPlan {
    /// The clusters of its routes.
    fileprivate var destinationText: String {
        var seen: Set<String> = []
        let clusters = routes.flatMap(\.destinations).map(\.clusterName).filter { seen.insert($0).inserted }
        return clusters.isEmpty ? "-" : "Cluster: \(clusters.joined(separator: ","))"
    }
}

extension TLSServerPlan {
    fileprivate var isPassedThrough: Bool { if case .passthrough = content { true } else { false } }
}
