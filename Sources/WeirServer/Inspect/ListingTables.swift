/// The listings as people read them: columns as `istioctl proxy-config` has them, and what only Weir knows behind.
enum ListingTables {
    static func routes(_ rows: [RouteRow]) -> TextTable {
        var table = TextTable([
            ("NAME", .left), ("VHOST NAME", .left), ("DOMAINS", .left), ("MATCH", .left), ("VIRTUAL SERVICE", .left),
            ("DESTINATION", .left), ("WEIGHT", .right), ("SOURCE", .left), ("NOTE", .left),
        ])
        for row in rows {
            let destinations = destinations(row)
            table.add([
                row.name, row.virtualHost, domains(row), row.match, owner(row),
                destinations.first?.cluster ?? row.policies?.first ?? "-", destinations.first?.share ?? "", place(row),
                note(row),
            ])
            for destination in destinations.dropFirst() {
                table.add(["", "", "", "", "", destination.cluster, destination.share, "", destination.note])
            }
        }
        return table
    }

    /// The first two without ports, which the virtual host's name tells; a service in the mesh has many names.
    static func domains(_ row: RouteRow) -> String {
        var seen: Set<String> = []
        let suffix = ":\(row.virtualHost.split(separator: ":").last ?? "")"
        let domains = row.domains.map { $0.hasSuffix(suffix) ? String($0.dropLast(suffix.count)) : $0 }
            .filter { seen.insert($0).inserted }
        let shown = domains.prefix(2).joined(separator: ", ")
        return domains.count > 2 ? "\(shown) + \(domains.count - 2) more" : shown
    }

    private static func place(_ row: RouteRow) -> String { row.file.isEmpty ? "-" : "\(row.file):\(row.line)" }

    private static func destinations(_ row: RouteRow) -> [(cluster: String, share: String, note: String)] {
        let total = row.destinations.reduce(0) { $0 + $1.weight }
        return row.destinations.map { destination in
            let cluster = destination.cluster + (destination.missing == true ? " (missing)" : "")
            return (cluster, share(destination.weight, of: total), (destination.policies ?? []).joined(separator: "; "))
        }
    }

    /// Percent, with a digit behind the point where the share is no whole number of them.
    static func share(_ weight: Int, of total: Int) -> String {
        guard total > 0 else { return "0%" }
        let tenths = (weight * 1000 + total / 2) / total
        // A share that is not zero must not look so.
        if tenths == 0, weight > 0 { return "<0.1%" }
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
    }

    /// Who wrote the route; a delegate with the one that delegates to it.
    private static func owner(_ row: RouteRow) -> String {
        row.root.map { "\(shortName(row.resource)) via \(shortName($0))" } ?? shortName(row.resource)
    }

    private static func note(_ row: RouteRow) -> String {
        let shadow = row.shadowedBy.map { shadow in
            let owner = shadow.resource == row.resource ? "" : " (\(shortName(shadow.resource)))"
            return "SHADOWED by \(shadow.file):\(shadow.line)\(owner)"
        }
        // What a route answers by itself stands in the place of its destination.
        let policies = (row.policies ?? []).dropFirst(row.destinations.isEmpty ? 1 : 0)
        let first = row.destinations.first?.policies ?? []
        return ([shadow].compactMap(\.self) + policies + first).joined(separator: "; ")
    }

    /// `name.namespace` of `Kind namespace/name`.
    private static func shortName(_ resource: String) -> String {
        guard let path = resource.split(separator: " ").last, let slash = path.firstIndex(of: "/") else {
            return resource.isEmpty ? "-" : resource
        }
        return "\(path[path.index(after: slash)...]).\(path[..<slash])"
    }

    static func clusters(_ rows: [ClusterRow]) -> TextTable {
        var table = TextTable([
            ("SERVICE FQDN", .left), ("PORT", .right), ("SUBSET", .left), ("DIRECTION", .left), ("TYPE", .left),
            ("DESTINATION RULE", .left), ("BALANCER", .left), ("ENDPOINTS", .right),
        ])
        for row in rows {
            table.add([
                row.fqdn, String(row.port), row.subset ?? "-", row.direction, row.type,
                row.destinationRule ?? "-", row.balancer, String(row.endpoints),
            ])
        }
        return table
    }

    static func endpoints(_ rows: [EndpointRow]) -> TextTable {
        var table = TextTable([
            ("ENDPOINT", .left), ("STATUS", .left), ("OUTLIER CHECK", .left), ("CLUSTER", .left), ("WEIGHT", .right),
            ("ACTIVE", .right), ("CONNECTIONS", .right), ("IDLE", .right), ("PRIORITY", .right), ("LOCALITY", .left),
            ("EJECTIONS", .right),
        ])
        for row in rows {
            table.add([
                row.endpoint, row.status, row.outlierCheck, row.cluster, String(row.weight),
                String(row.activeRequests), String(row.connections), String(row.idleConnections),
                String(row.priority ?? 0), row.locality ?? "-", row.ejections.map(String.init) ?? "-",
            ])
        }
        return table
    }

    static func secrets(_ rows: [SecretRow]) -> TextTable {
        var table = TextTable([
            ("RESOURCE NAME", .left), ("TYPE", .left), ("STATUS", .left), ("VALID CERT", .left),
            ("SERIAL NUMBER", .left), ("NOT AFTER", .left), ("NOT BEFORE", .left), ("NAMES", .left), ("USED BY", .left),
            ("NOTE", .left),
        ])
        for row in rows {
            let first = row.certificates.first
            table.add([
                row.name, row.type, row.status, row.certificates.isEmpty ? "-" : String(row.valid),
                first?.serialNumber ?? "-", first?.notAfter ?? "-", first?.notBefore ?? "-",
                shown(first.map { $0.names.isEmpty ? [$0.subject] : $0.names } ?? []), shown(row.usedBy), note(row),
            ])
        }
        return table
    }

    private static func note(_ row: SecretRow) -> String {
        guard let problem = row.problem else { return "" }
        return row.status != "ACTIVE" && row.inUse ? "\(problem); the last good edition is in use" : problem
    }

    /// The first two.
    private static func shown(_ texts: [String]) -> String {
        if texts.isEmpty { return "-" }
        let shown = texts.prefix(2).joined(separator: ", ")
        return texts.count > 2 ? "\(shown) + \(texts.count - 2) more" : shown
    }

    static func listeners(_ rows: [ListenerRow]) -> TextTable {
        var table = TextTable([
            ("ADDRESSES", .left), ("PORT", .right), ("MATCH", .left), ("DESTINATION", .left), ("LOCAL PORT", .right),
            ("VHOSTS", .right), ("STATUS", .left),
        ])
        for row in rows {
            table.add([
                row.address, String(row.port), row.match, row.destination, String(row.localPort),
                String(row.virtualHosts),
                row.listening ? row.tlsProblem.map { "BROKEN: \($0)" } ?? "listening" : "FAILED: \(row.problem ?? "")",
            ])
        }
        return table
    }
}
