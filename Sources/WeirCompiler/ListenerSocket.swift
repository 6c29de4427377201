import WeirEngine

/// What is listened on at one address: a route table, a table of streams, or servers of TLS that have one each.
final class ListenerSocket {
    /// What is behind a server of TLS.
    enum Table {
        case http(ListenerState)
        case stream(StreamTable)
        case passthrough(StreamTable)
    }

    /// A server of TLS.
    struct Secured {
        /// Place in the layout's servers.
        let server: Int
        /// Of its table.
        let name: String
        let names: [String]
        let table: Table
    }

    private enum Content {
        case plain(ListenerState)
        case stream(StreamTable)
        case secured([Secured])
    }

    /// What a server's plan was made of; the plan keeps it alive.
    private struct Part: Equatable {
        let routes: ObjectIdentifier
        let contexts: ObjectIdentifier?
    }

    private let content: Content
    private let port: Int
    private let bind: String?
    /// In the servers' order.
    private var parts: [Part] = []
    private(set) var plan: ListenerPlan
    /// Connections begin with a PROXY protocol header.
    var expectsProxyHeader = false
    private var expecting: (plan: ListenerPlan, published: ListenerPlan)?

    /// The plan as workers get it; the same object as before if nothing changed.
    var publishedPlan: ListenerPlan {
        guard expectsProxyHeader else { return plan }
        if let expecting, expecting.plan === plan { return expecting.published }
        let published = plan.expectingProxyHeaders()
        expecting = (plan, published)
        return published
    }

    init(_ table: ListenerState) {
        content = .plain(table)
        port = table.port
        bind = table.bind
        plan = table.plan
    }

    init(port: Int, bind: String?, stream: StreamTable) {
        content = .stream(stream)
        self.port = port
        self.bind = bind
        plan = ListenerPlan(port: port, bind: bind, hosts: [], stream: stream.plan)
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
        case .stream: []
        case .secured(let servers):
            servers.compactMap { server in
                if case .http(let table) = server.table { table } else { nil }
            }
        }
    }

    /// The tables of streams behind it.
    var streams: [StreamTable] {
        switch content {
        case .plain: []
        case .stream(let table): [table]
        case .secured(let servers):
            servers.compactMap { server in
                switch server.table {
                case .http: nil
                case .stream(let table), .passthrough(let table): table
                }
            }
        }
    }

    /// Takes in what became of the tables and certificates; the plan stays the same object if nothing did.
    func refresh(_ certificates: TLSServerCompiler) {
        switch content {
        case .plain(let table): plan = table.plan
        case .stream(let table):
            guard table.plan !== plan.stream else { return }
            plan = ListenerPlan(port: port, bind: bind, hosts: [], stream: table.plan)
        case .secured(let servers):
            let current = servers.map { server in
                Part(routes: server.table.routes, contexts: certificates[server.server].map { ObjectIdentifier($0) })
            }
            if current == parts { return }
            parts = current
            plan = ListenerPlan(
                port: port, bind: bind,
                servers: servers.map { server in
                    TLSServerPlan(
                        name: server.name, patterns: server.patterns, contexts: certificates[server.server],
                        content: server.table.content)
                })
        }
    }
}

extension ListenerSocket.Secured {
    /// The names that lead here: of what is passed through, only those that routes take.
    fileprivate var patterns: [String] {
        if case .passthrough(let table) = table { table.plan.serverNames } else { names }
    }
}

extension ListenerSocket.Table {
    fileprivate var routes: ObjectIdentifier {
        switch self {
        case .http(let table): ObjectIdentifier(table.plan)
        case .stream(let table), .passthrough(let table): ObjectIdentifier(table.plan)
        }
    }

    fileprivate var content: TLSServerPlan.Content {
        switch self {
        case .http(let table): .http(table.plan)
        case .stream(let table): .stream(table.plan)
        case .passthrough(let table): .passthrough(table.plan)
        }
    }
}
