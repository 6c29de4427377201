/// The `hosts` of one Gateway server: which hosts of a VirtualService it serves (semantics 2.3).
struct ServerHosts {
    /// Which namespaces' VirtualServices an entry admits.
    private enum Filter {
        case any
        case namespace(String)

        func admits(_ namespace: String) -> Bool {
            switch self {
            case .any: true
            case .namespace(let name): name == namespace
            }
        }
    }

    private var exact: [String: [Filter]] = [:]
    /// Keyed from the dot on: `.example.com`.
    private var suffixes: [String: [Filter]] = [:]
    private var star: [Filter] = []
    /// All patterns, in file order, for wildcards that are wider than a server's host.
    private var patterns: [(host: String, filter: Filter)] = []

    /// `hosts` as written, `ns/` parts included; `.` is the Gateway's own namespace.
    init(_ hosts: [String], gatewayNamespace: String) {
        for written in hosts {
            var host = written.lowercased()
            var filter = Filter.any
            if let slash = written.firstIndex(of: "/") {
                host = written[written.index(after: slash)...].lowercased()
                switch written[..<slash] {
                case "*": filter = .any
                case ".": filter = .namespace(gatewayNamespace)
                case let name: filter = .namespace(String(name))
                }
            }
            // IPv6 addresses stand in brackets, as in a Host header.
            if host.contains(":"), !host.hasPrefix("[") { host = "[\(host)]" }
            patterns.append((host, filter))
            if host == "*" {
                star.append(filter)
            } else if host.hasPrefix("*.") {
                suffixes[String(host.dropFirst()), default: []].append(filter)
            } else {
                exact[host, default: []].append(filter)
            }
        }
    }

    /// All of them, without their namespaces.
    var names: [String] { patterns.map(\.host) }

    /// As `names`, each once.
    var distinctNames: [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// The more specific of each pair of a server's host and `host` that overlap; empty when none do.
    func domains(for host: String, namespace: String) -> [String] {
        guard host == "*" || host.hasPrefix("*.") else {
            return serves(exactly: host, namespace) ? [host] : []
        }
        var domains: [String] = []
        if covers(wildcard: host, namespace) { domains.append(host) }
        let suffix = host.dropFirst()
        for pattern in patterns where pattern.host != host && pattern.host.hasSuffix(suffix) {
            // `*.example.com` does not reach its own apex; `*` reaches everything.
            guard pattern.host != "*", pattern.filter.admits(namespace), !domains.contains(pattern.host) else {
                continue
            }
            domains.append(pattern.host)
        }
        return domains
    }

    private func serves(exactly host: String, _ namespace: String) -> Bool {
        if admits(star, namespace) || admits(exact[host], namespace) { return true }
        return !suffixes.isEmpty && anySuffix(of: host, namespace)
    }

    private func covers(wildcard host: String, _ namespace: String) -> Bool {
        if admits(star, namespace) { return true }
        guard host != "*" else { return false }
        // `*.a.example.com` lies in `*.example.com`: its suffixes from `.a.example.com` on.
        return anySuffix(of: host, namespace)
    }

    private func anySuffix(of host: String, _ namespace: String) -> Bool {
        var rest = host[...]
        while let dot = rest.dropFirst().firstIndex(of: ".") {
            rest = rest[dot...]
            if admits(suffixes[String(rest)], namespace) { return true }
        }
        return false
    }

    private func admits(_ filters: [Filter]?, _ namespace: String) -> Bool {
        filters?.contains { $0.admits(namespace) } ?? false
    }
}
