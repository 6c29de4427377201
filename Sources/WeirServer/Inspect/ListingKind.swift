/// What can be listed of a running process, and by what a listing is narrowed.
package enum ListingKind: String, Sendable, CaseIterable {
    case routes
    case clusters
    case endpoints
    case listeners
    case secrets

    /// On the admin API.
    var path: String { "/" + rawValue }

    /// Names of the parameters that narrow it.
    var filters: [String] {
        switch self {
        case .routes: ["name", "host", "shadowed"]
        case .clusters: ["fqdn", "port", "subset", "direction"]
        case .endpoints: ["address", "port", "cluster", "status"]
        case .listeners: ["address", "port"]
        case .secrets: ["name", "type", "status"]
        }
    }

    var summary: String {
        let parameters = filters.map { "\($0)=" }.joined(separator: "&")
        return "what `weir \(rawValue)` shows, as JSON; narrowed by ?\(parameters)"
    }
}

/// The conditions of a listing, each given at most once; all must hold.
package struct ListingFilter: Sendable, Equatable {
    let values: [String: String]

    package init() { values = [:] }

    /// `nil` values are left out.
    package init(_ values: [String: String?]) { self.values = values.compactMapValues(\.self) }

    /// Reads a query; unknown names and malformed ports are refused.
    init(query: String, of kind: ListingKind) throws(OptionError) {
        guard let items = QueryItems(query) else { throw OptionError("The query has a malformed escape.") }
        var values: [String: String] = [:]
        for item in items.all {
            guard kind.filters.contains(item.name) else {
                throw OptionError(
                    "'\(item.name)' narrows no \(kind.rawValue). Use \(kind.filters.joined(separator: ", ")).")
            }
            if item.name == "port", Int(item.value) == nil {
                throw OptionError("'\(item.value)' is no port. Write a number.")
            }
            values[item.name] = item.value
        }
        self.values = values
    }

    var query: String {
        QueryItems.text(values.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) })
    }

    /// Equal to the value asked for, if one was.
    func admits(_ name: String, _ value: String) -> Bool { values[name].map { $0 == value } ?? true }

    /// As above, whatever the case.
    func admits(_ name: String, anyCase value: String) -> Bool {
        values[name].map { $0.lowercased() == value.lowercased() } ?? true
    }

    /// Holds the text asked for, if one was.
    func admits(_ name: String, within value: String) -> Bool { values[name].map { value.contains($0) } ?? true }

    func admits(_ name: String, _ number: Int) -> Bool { values[name].map { Int($0) == number } ?? true }
}
