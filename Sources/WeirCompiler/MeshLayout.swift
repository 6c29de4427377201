import WeirConfig

/// Where callers without a sidecar find services by name (`--mesh-listen`).
package struct MeshAddress: Sendable, Hashable {
    /// A numeric address.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// A name callers may write in the Host header, and the groups it leads to.
struct MeshName {
    let name: String
    /// For requests whose Host names no port, or none of `ports`.
    let group: Int
    let ports: [(port: Int, group: Int)]
}

/// Services by name, as a sidecar's outbound side has them: the VirtualServices of the mesh, and every service they say
/// nothing about.
struct MeshLayout {
    /// Where a Host header without a port leads, when the service has several: what `http://name/` means.
    static let defaultPort = 80

    /// A short name that several namespaces have.
    struct Ambiguity {
        let name: String
        /// Full names; the first one has it.
        let hosts: [String]
    }
    /// A host that an earlier VirtualService serves.
    struct Conflict {
        let host: Int
        let winner: RoutedService
        let loser: RoutedService
    }

    private(set) var groups: [ListenerState.Group] = []
    private(set) var names: [MeshName] = []
    private(set) var conflicts: [Conflict] = []
    private(set) var ambiguities: [Ambiguity] = []

    private let registry: ServiceRegistry
    /// The domain of all services: `.svc.cluster.local`.
    private let suffix: String
    /// By host, wildcards from their dot on; `.` stands for `*`.
    private var owners: [String: RoutedService] = [:]
    private var taken: Set<String> = []

    /// `services` in the order in which they win; `entrance` numbers a port of the mesh.
    init(
        _ services: [RoutedService], registry: ServiceRegistry, options: CompilerOptions,
        entrance: (Int) -> Entrance
    ) {
        self.registry = registry
        suffix = ".svc.\(options.domainSuffix)"
        for service in services { claim(service) }
        for service in services {
            for host in service.hosts where owners[Self.key(host)] === service { add(host, service, entrance) }
        }
        let own = ".\(options.gatewayNamespace)\(suffix)"
        let others = registry.services.keys.filter { !taken.contains($0) }
        for host in others.sorted(by: { ($0.hasSuffix(own) ? 0 : 1, $0) < ($1.hasSuffix(own) ? 0 : 1, $1) }) {
            add(host, owner(of: host), entrance)
        }
        addOtherNames()
    }

    // MARK: Who serves a host

    private static func key(_ host: String) -> String {
        host == "*" ? "." : host.hasPrefix("*.") ? String(host.dropFirst()) : host
    }

    /// For the mesh VirtualServices of one host are not merged: the first one has it (IST0109).
    private mutating func claim(_ service: RoutedService) {
        for (place, host) in service.hosts.enumerated() {
            let key = Self.key(host)
            if let winner = owners[key] {
                guard winner !== service else { continue }
                conflicts.append(Conflict(host: place, winner: winner, loser: service))
            } else {
                owners[key] = service
            }
        }
    }

    /// The VirtualService of the longest wildcard over a service's host.
    private func owner(of host: String) -> RoutedService? {
        var rest = host[...]
        while let dot = rest.dropFirst().firstIndex(of: ".") {
            rest = rest[dot...]
            if let owner = owners[String(rest)] { return owner }
        }
        return owners["."]
    }

    // MARK: Groups

    private mutating func add(_ host: String, _ owner: RoutedService?, _ entrance: (Int) -> Entrance) {
        taken.insert(host)
        var ports = ports(of: host)
        if ports.isEmpty { ports = Self.ports(namedBy: owner) }
        var byPort = ports.map { (port: $0, group: addGroup(host, $0, owner, entrance)) }
        if byPort.count > 1, !ports.contains(Self.defaultPort) {
            byPort.append((Self.defaultPort, addGroup(host, Self.defaultPort, owner, entrance)))
        }
        let standard = byPort.first { $0.port == Self.defaultPort } ?? byPort[0]
        names.append(MeshName(name: host, group: standard.group, ports: byPort.count > 1 ? byPort : []))
    }

    private mutating func addGroup(
        _ host: String, _ port: Int, _ owner: RoutedService?, _ entrance: (Int) -> Entrance
    ) -> Int {
        let fallback = registry.services[host].map { service in
            DestinationRequest(Destination(host: host, port: port), namespace: service.namespace, serverPort: port)
        }
        let members = owner.map { [ListenerState.Member(service: $0, entrance: entrance(port))] } ?? []
        groups.append(
            ListenerState.Group(
                key: ListenerState.Group.Key(domain: host, port: port), members: members, fallback: fallback))
        return groups.count - 1
    }

    /// The ports of a service; of one that is another's name, the other's.
    private func ports(of host: String) -> [Int] {
        guard let service = registry.services[host] else { return [] }
        let target = service.alias.flatMap { registry.services[$0] } ?? service
        var seen: Set<Int> = []
        return target.ports.map(\.number).filter { seen.insert($0).inserted }
    }

    /// For a host nobody has declared: the default one, and those its rules speak of.
    private static func ports(namedBy owner: RoutedService?) -> [Int] {
        let named = Set(owner?.rules.flatMap { $0.http.match.compactMap(\.port) } ?? [])
        return [defaultPort] + named.subtracting([defaultPort]).sorted()
    }

    // MARK: Names

    /// `name.namespace.svc`, `name.namespace` and `name` lead where the full name does, unless they are a host themselves;
    /// so does the full name with the dot that ends it in DNS.
    private mutating func addOtherNames() {
        let full = names
        var short: [String: [MeshName]] = [:]
        var order: [String] = []
        for name in full where name.name.hasSuffix(suffix) {
            let labels = name.name.dropLast(suffix.count).split(separator: ".", omittingEmptySubsequences: false)
            guard labels.count == 2, labels[0] != "*" else { continue }
            let namespaced = "\(labels[0]).\(labels[1])"
            add(namespaced + ".svc", as: name)
            add(namespaced, as: name)
            let service = String(labels[0])
            if short[service] == nil { order.append(service) }
            short[service, default: []].append(name)
        }
        // Callers have no namespace: a short name is the one of whoever comes first.
        for service in order {
            guard let candidates = short[service], !taken.contains(service) else { continue }
            add(service, as: candidates[0])
            if candidates.count > 1 {
                ambiguities.append(Ambiguity(name: service, hosts: candidates.map(\.name)))
            }
        }
        for name in full where !name.name.hasPrefix("*") { add(name.name + ".", as: name) }
    }

    private mutating func add(_ other: String, as name: MeshName) {
        guard taken.insert(other).inserted else { return }
        names.append(MeshName(name: other, group: name.group, ports: name.ports))
    }
}
