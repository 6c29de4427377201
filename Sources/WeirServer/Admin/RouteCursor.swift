import WeirEngine

/// The routes of a snapshot: listeners by port, hosts by name, routes in the order they are tried.
struct RouteCursor: RowCursor {
    /// Rows made at one time.
    private static let rowsPerStep = 64

    /// A virtual host being listed.
    private struct Progress {
        let listener: ListenerPlan
        let host: ListenerPlan.Host
        /// By route, the earlier one that shadows it.
        let shadows: [Int?]
        var next = 0
    }

    private let listeners: [ListenerPlan]
    private let filter: ListingFilter
    private var listener = 0
    /// The present listener's, in reverse.
    private var hosts: [ListenerPlan.Host] = []
    private var progress: Progress?

    init(_ snapshot: Snapshot, _ filter: ListingFilter) {
        self.filter = filter
        listeners = snapshot.listeners.filter { filter.admits("name", Self.name(of: $0)) }
            .sorted { ($0.port, $0.bind ?? "") < ($1.port, $1.bind ?? "") }
    }

    static func name(of listener: ListenerPlan) -> String { "http.\(listener.port)" }

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
            guard listener < listeners.count else { return nil }
            hosts = listeners[listener].hosts.filter { filter.admits("host", anyCase: $0.pattern) }
                .sorted { $0.pattern > $1.pattern }
            listener += 1
        }
        let host = hosts.removeLast()
        let shadows = ShadowedRoutes.find(in: host.plan.specs.map(\.conditions))
        return Progress(listener: listeners[listener - 1], host: host, shadows: shadows)
    }

    private func row(_ index: Int, of host: Progress) -> RouteRow? {
        let shadow = host.shadows[index]
        guard filter.admits("shadowed", shadow == nil ? "false" : "true") else { return nil }
        let spec = host.host.plan.specs[index]
        let isAlone = spec.destinations.count == 1
        var row = RouteRow(
            name: Self.name(of: host.listener), port: host.listener.port, bind: host.listener.bind,
            virtualHost: "\(host.host.pattern):\(host.listener.port)", domains: [host.host.pattern],
            order: index + 1, match: MatchText.short(spec.conditions),
            conditions: spec.conditions.map(\.description), resource: spec.origin.resource, file: spec.origin.file,
            line: spec.origin.line,
            destinations: spec.destinations.map {
                RouteRow.Destination(
                    cluster: $0.clusterName, weight: isAlone ? 100 : Int($0.weight),
                    missing: $0.clusterID < 0 ? true : nil)
            })
        if !spec.origin.name.isEmpty { row.routeName = spec.origin.name }
        if let shadow {
            let origin = host.host.plan.specs[shadow].origin
            row.shadowedBy = RouteRow.Place(
                order: shadow + 1, resource: origin.resource, file: origin.file, line: origin.line)
        }
        return row
    }
}

/// A route's conditions in a few signs: `/api*, POST, x-user: jason`.
enum MatchText {
    static func short(_ conditions: [MatchCondition]) -> String {
        let path = conditions.filter { $0.subject == .path }
        let others = conditions.filter { $0.subject != .path }
        let texts = (path.isEmpty ? ["/*"] : path.map(text)) + others.map(text)
        return texts.joined(separator: ", ")
    }

    private static func text(_ condition: MatchCondition) -> String {
        let value: String? =
            switch condition.pattern {
            case .present: nil
            case .exact(let text): text
            case .prefix(let text): text + "*"
            case .regex(let regex): "regex " + regex.pattern
            }
        let text =
            switch condition.subject {
            case .path, .method: value ?? "*"
            case .scheme: "scheme: " + (value ?? "*")
            case .authority: "authority: " + (value ?? "*")
            case .header(let name): name + (value.map { ": " + $0 } ?? "")
            case .query(let name): "?" + name + (value.map { "=" + $0 } ?? "")
            }
        return (condition.negated ? "not " : "") + text + (condition.ignoresCase ? " (any case)" : "")
    }
}
