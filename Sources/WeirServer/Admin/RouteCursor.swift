import WeirEngine

/// The routes of a snapshot: listeners by port, hosts by name, routes in the order they are tried.
struct RouteCursor: RowCursor {
    /// Rows made at one time.
    private static let rowsPerStep = 64

    /// A virtual host being listed.
    private struct Progress {
        let table: RouteTable
        let host: ListedHost
        /// By route, the earlier one that shadows it.
        let shadows: [Int?]
        var next = 0
    }

    private let tables: [RouteTable]
    private let filter: ListingFilter
    private var table = 0
    /// The present table's, in reverse.
    private var hosts: [ListedHost] = []
    private var progress: Progress?

    init(_ snapshot: Snapshot, _ filter: ListingFilter) {
        self.filter = filter
        tables = snapshot.listeners.flatMap(RouteTable.all).filter { filter.admits("name", $0.name) }
            .sorted { ($0.plan.port, $0.plan.bind ?? "", $0.name) < ($1.plan.port, $1.plan.bind ?? "", $1.name) }
    }

    mutating func next() -> [RouteRow]? {
        if var current = progress ?? nextHost() {
            let end = min(current.next + Self.rowsPerStep, current.host.plan.specs.count)
            let rows = (current.next..<end).compactMap { row($0, of: current) }
            current.next = end
            progress = end < current.host.plan.specs.count ? current : nil
            return rows
        }
        return nil
    }

    private mutating func nextHost() -> Progress? {
        while hosts.isEmpty {
            guard table < tables.count else { return nil }
            hosts = ListedHost.all(of: tables[table].plan)
                .filter { host in host.domains.contains { filter.admits("host", anyCase: $0) } }
                .sorted { $0.name > $1.name }
            table += 1
        }
        let host = hosts.removeLast()
        let shadows = ShadowedRoutes.find(in: host.plan.specs.map(\.conditions))
        return Progress(table: tables[table - 1], host: host, shadows: shadows)
    }

    private func row(_ index: Int, of progress: Progress) -> RouteRow? {
        let shadow = progress.shadows[index]
        guard filter.admits("shadowed", shadow == nil ? "false" : "true") else { return nil }
        let (host, listener) = (progress.host, progress.table.plan)
        let spec = host.plan.specs[index]
        let isAlone = spec.destinations.count == 1
        var row = RouteRow(
            name: progress.table.name, port: listener.port, bind: listener.bind,
            virtualHost: host.name, domains: host.domains,
            order: index + 1, match: MatchText.short(spec.conditions),
            conditions: spec.conditions.map(\.description), resource: spec.origin.resource, root: spec.origin.root,
            file: spec.origin.file, line: spec.origin.line,
            destinations: spec.destinations.map {
                RouteRow.Destination(
                    cluster: $0.clusterName, weight: isAlone ? 100 : Int($0.weight),
                    missing: $0.clusterID < 0 ? true : nil, policies: $0.actions?.texts)
            })
        let policies = (host.redirectsToHTTPS ? ["requests are sent to https first"] : []) + spec.policyTexts
        if !policies.isEmpty { row.policies = policies }
        if !spec.origin.name.isEmpty { row.routeName = spec.origin.name }
        if let shadow {
            let origin = host.plan.specs[shadow].origin
            row.shadowedBy = RouteRow.Place(
                order: shadow + 1, resource: origin.resource, file: origin.file, line: origin.line)
        }
        return row
    }
}

/// The virtual hosts of a listener, or of one server of a port that speaks TLS.
struct RouteTable {
    /// As Istio names it.
    let name: String
    let plan: ListenerPlan

    static func all(of listener: ListenerPlan) -> [RouteTable] {
        guard !listener.servers.isEmpty else { return [RouteTable(name: name(of: listener), plan: listener)] }
        return listener.servers.compactMap { server in
            if case .http(let plan) = server.content { RouteTable(name: server.name, plan: plan) } else { nil }
        }
    }

    /// Of one that serves in the clear.
    static func name(of listener: ListenerPlan) -> String { "\(listener.isLiteral ? "mesh" : "http").\(listener.port)" }
}

/// A virtual host with all names it goes by.
struct ListedHost {
    let name: String
    private(set) var domains: [String]
    let plan: VirtualHostPlan
    /// As in `ListenerPlan.Host`.
    var redirectsToHTTPS = false

    /// Where services are found by name, several names share a plan; at a Gateway each has its own.
    static func all(of listener: ListenerPlan) -> [ListedHost] {
        guard listener.isLiteral else {
            return listener.hosts.map {
                ListedHost(
                    name: "\($0.pattern):\(listener.port)", domains: [$0.pattern], plan: $0.plan,
                    redirectsToHTTPS: $0.redirectsToHTTPS)
            }
        }
        var hosts: [ListedHost] = []
        var places: [ObjectIdentifier: Int] = [:]
        func add(_ domain: String, _ port: Int?, _ plan: VirtualHostPlan) {
            let written = port.map { "\(domain):\($0)" } ?? domain
            if let place = places[ObjectIdentifier(plan)] { return hosts[place].domains.append(written) }
            places[ObjectIdentifier(plan)] = hosts.count
            // Names come full ones first, so that these name the host.
            hosts.append(ListedHost(name: "\(domain):\(port.map(String.init) ?? "*")", domains: [written], plan: plan))
        }
        for host in listener.hosts {
            for entry in host.ports { add(host.pattern, entry.port, entry.plan) }
            add(host.pattern, nil, host.plan)
        }
        return hosts
    }
}
