import WeirEngine

/// What is listened on at one address: a route table, or servers of TLS that have one each.
final class ListenerSocket {
    /// A server of TLS.
    struct Secured {
        /// Place in the layout's servers.
        let server: Int
        let names: [String]
        let table: ListenerState
    }

    private enum Content {
        case plain(ListenerState)
        case secured([Secured])
    }

    private let content: Content
    private let port: Int
    private let bind: String?
    /// What `plan` was made of, in the servers' order.
    private var parts: [(table: ListenerPlan, contexts: TLSServerContexts?)] = []
    private(set) var plan: ListenerPlan

    init(_ table: ListenerState) {
        content = .plain(table)
        port = table.port
        bind = table.bind
        plan = table.plan
    }

    init(port: Int, bind: String?, servers: [Secured]) {
        content = .secured(servers)
        self.port = port
        self.bind = bind
        plan = ListenerPlan(port: port, bind: bind, servers: [])
    }

    /// The route tables behind it.
    var tables: [ListenerState] {
        switch content {
        case .plain(let table): [table]
        case .secured(let servers): servers.map(\.table)
        }
    }

    /// Takes in what became of the tables and certificates; the plan stays the same object if nothing did.
    func refresh(_ certificates: TLSServerCompiler) {
        switch content {
        case .plain(let table): plan = table.plan
        case .secured(let servers):
            let current = servers.map { (table: $0.table.plan, contexts: certificates[$0.server]) }
            if current.elementsEqual(parts, by: { $0.table === $1.table && $0.contexts === $1.contexts }) { return }
            parts = current
            plan = ListenerPlan(
                port: port, bind: bind,
                servers: zip(servers, current).map { server, part in
                    TLSServerPlan(
                        name: server.table.name, patterns: server.names, contexts: part.contexts,
                        content: .http(part.table))
                })
        }
    }
}
