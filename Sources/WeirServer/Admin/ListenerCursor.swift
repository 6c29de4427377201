import WeirEngine

/// The listeners of the configuration, those included that could not be opened.
struct ListenerCursor: RowCursor {
    private var rows: [ListenerRow]?

    init(_ listeners: [ServerStatus.Listener], _ snapshot: Snapshot, _ filter: ListingFilter) {
        rows = listeners.map { listener in
            // The process's own address stands where the Gateway names none.
            let plan = snapshot.listeners.first {
                $0.port == listener.port && $0.isLiteral == (listener.mesh == true)
                    && ($0.bind == nil || $0.bind == listener.bind)
            }
            return ListenerRow(
                address: listener.bind ?? "*", port: listener.port, localPort: listener.localPort, match: "ALL",
                destination: plan.map { "Route: \(RouteCursor.name(of: $0))" } ?? "-",
                virtualHosts: plan.map { ListedHost.all(of: $0).count } ?? 0, listening: listener.listening,
                problem: listener.problem)
        }
        .filter { filter.admits("address", $0.address) && filter.admits("port", $0.port) }
    }

    mutating func next() -> [ListenerRow]? {
        defer { rows = nil }
        return rows
    }
}
