import WeirConfig
import WeirEngine

/// A name that DNS is asked for, and where it is written.
struct NameUse {
    let name: String
    let resource: ResourceID
    let path: String
    let location: SourceLocation

    init(_ name: String, _ resource: Resource, _ path: String, line: Int = 0) {
        self.name = name
        self.resource = resource.id
        self.path = path
        location = resource.location(line: line)
    }
}

/// What is known of the names that clusters are reached by, and which clusters these are.
struct ResolvedNames {
    private var answers: [String: NameAnswer] = [:]
    private var namesByCluster: [Int: Set<String>] = [:]
    private var clustersByName: [String: Set<Int>] = [:]

    /// The names clusters in use are reached by; what is known of others is forgotten.
    mutating func settle() -> Set<String> {
        answers = answers.filter { clustersByName[$0.key] != nil }
        return Set(clustersByName.keys)
    }

    /// Takes in answers; returns the clusters they concern.
    mutating func take(_ newer: [String: NameAnswer]) -> Set<Int> {
        var concerned: Set<Int> = []
        for (name, answer) in newer {
            // An answer may come when its question has lost its meaning.
            guard let clusters = clustersByName[name] else { continue }
            answers[name] = answer
            concerned.formUnion(clusters)
        }
        return concerned
    }

    /// Puts addresses in the places of names; each address once, as the first of its endpoints says.
    ///
    /// An endpoint's weight is that of each of its addresses, as in Envoy.
    mutating func place(
        _ service: RegisteredService, port: Int, labels: [String: String], by localities: LocalityBalancing,
        cluster: Int, into spec: inout ClusterSpec
    ) {
        var names: Set<String> = []
        var seen: Set<ClusterSpec.Endpoint> = []
        for (placed, endpoint) in service.endpoints(port: port, labels: labels) {
            let targets: [EndpointTarget]
            switch placed.place {
            case .address(let address): targets = [address]
            case .name(let name):
                names.insert(name)
                targets = addresses(of: name, service.discovery)
                if service.discovery == .firstAddress { spec.logicalName = "\(name):\(placed.port)" }
            }
            // Not by weight: an address that is listed twice is one endpoint.
            for target in targets where seen.insert(ClusterSpec.Endpoint(target, port: placed.port)).inserted {
                var made = ClusterSpec.Endpoint(
                    target, port: placed.port, weight: endpoint.weight, workload: endpoint.workload)
                localities.place(&made, endpoint.labels)
                spec.endpoints.append(made)
            }
        }
        localities.settle(&spec)
        set(names, of: cluster)
    }

    private func addresses(of name: String, _ discovery: RegisteredService.Discovery) -> [EndpointTarget] {
        guard let answer = answers[name] else { return [] }
        return discovery == .firstAddress ? answer.first.map { [$0] } ?? [] : answer.addresses
    }

    /// The cluster is not in use any more.
    mutating func forget(cluster: Int) { set([], of: cluster) }

    private mutating func set(_ names: Set<String>, of cluster: Int) {
        let former = namesByCluster[cluster] ?? []
        guard names != former else { return }
        namesByCluster[cluster] = names.isEmpty ? nil : names
        for name in names.subtracting(former) { clustersByName[name, default: []].insert(cluster) }
        for name in former.subtracting(names) {
            clustersByName[name]?.remove(cluster)
            if clustersByName[name]?.isEmpty == true { clustersByName[name] = nil }
        }
    }

    /// The names in use that have no addresses, or old ones.
    func problems(_ uses: [String: [NameUse]]) -> [Diagnostic] {
        let troubled = clustersByName.keys.filter { answers[$0]?.problem != nil }.sorted()
        return troubled.flatMap { name in (uses[name] ?? []).map { Self.report($0, answers[name] ?? NameAnswer()) } }
    }

    private static func report(_ use: NameUse, _ answer: NameAnswer) -> Diagnostic {
        let reason = answer.problem ?? "it is not known yet"
        let consequence =
            answer.addresses.isEmpty
            ? "Requests for it alone are answered with 503. Correct the name, or see to its name server."
            : "The addresses found last are used on. See to its name server."
        return Diagnostic(
            .nameNotResolved, .warning, resource: use.resource, path: use.path, location: use.location,
            message: "The name \(use.name) is not resolved: \(reason). \(consequence)")
    }
}
