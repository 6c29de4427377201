import FoundationEssentials

/// What the commands `routes`, `clusters`, `endpoints`, `listeners`, `secrets` and `log` do: ask a running process, show its answer.
package struct Inspection: Sendable {
    /// How a listing is shown.
    package enum Output: String, Sendable, CaseIterable {
        case table
        case json
    }

    private let client: AdminClient

    package init(admin: HostPort) { client = AdminClient(address: admin) }

    /// The text of a listing; a line break ends it.
    package func list(
        _ kind: ListingKind, _ filter: ListingFilter, as output: Output
    ) throws(CommandFailure) -> String {
        let query = filter.query
        let body = try client.request("GET", kind.path + (query.isEmpty ? "" : "?" + query))
        if output == .json { return String(decoding: body, as: UTF8.self) }
        let table: TextTable =
            switch kind {
            case .routes: ListingTables.routes(try rows(body))
            case .clusters: ListingTables.clusters(try rows(body))
            case .endpoints: ListingTables.endpoints(try rows(body))
            case .listeners: ListingTables.listeners(try rows(body))
            case .secrets: ListingTables.secrets(try rows(body))
            }
        return table.lines.joined(separator: "\n") + "\n"
    }

    private func rows<Row: Codable>(_ body: [UInt8]) throws(CommandFailure) -> [Row] {
        do {
            return try JSONDecoder().decode(ListingDocument<Row>.self, from: Data(body)).rows
        } catch {
            throw CommandFailure("The answer of \(client.address) cannot be read; it may be of another version.")
        }
    }

    /// The log levels, after these changes if there are any.
    package func logLevels(_ changes: [LogChange], as output: Output) throws(CommandFailure) -> String {
        let query = QueryItems.text(changes.map(\.item))
        let body = try client.request(
            changes.isEmpty ? "GET" : "PUT", LogSettings.path + (query.isEmpty ? "" : "?" + query))
        if output == .json { return String(decoding: body, as: UTF8.self) }
        guard let report = try? JSONDecoder().decode(LogSettings.Report.self, from: Data(body)) else {
            throw CommandFailure("The answer of \(client.address) cannot be read; it may be of another version.")
        }
        var table = TextTable(["LOGGER", "LEVEL"])
        for (name, level) in report.loggers.sorted(by: { $0.key < $1.key }) { table.add([name, level]) }
        return table.lines.joined(separator: "\n") + "\n"
    }
}
