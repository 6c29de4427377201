import WeirConfig
import WeirEngine

/// What a route asks of the registry. Equal requests have equal answers within one version.
struct DestinationRequest: Hashable {
    let host: String
    let subset: String?
    let port: Int?
    /// Where a short host is looked for.
    let namespace: String
    /// Used where neither the route nor the service settles the port.
    let serverPort: Int

    init(_ destination: Destination, namespace: String, serverPort: Int) {
        host = destination.host
        subset = destination.subset.flatMap { $0.isEmpty ? nil : $0 }
        port = destination.port
        self.namespace = namespace
        self.serverPort = serverPort
    }
}

/// Where a destination leads.
struct DestinationAnswer {
    enum Problem: Equatable {
        case unknownHost(String)
        case unknownSubset(host: String)
        case unknownPort(host: String, ports: [Int])
        /// An ExternalName that no service of the registry has.
        case unknownExternalName(String)
    }

    /// -1 when there is no such cluster.
    let clusterID: Int32
    /// `outbound|<port>|<subset>|<fqdn>`, also when there is no such cluster.
    let name: String
    let port: Int
    var problem: Problem?
    /// The ports to choose from, when the route should have named one.
    var ambiguousPorts: [Int] = []
}

/// Destinations to clusters: interned ids, and plans that are kept while nothing about them changes.
final class ClusterCompiler {
    private struct Identity {
        let host: String
        let port: Int
        let subset: String?
        let name: String
    }
    private struct Kept {
        let plan: ClusterPlan
        var version: Int
    }

    private let options: CompilerOptions
    private var registry: ServiceRegistry
    private var rules: DestinationRules
    /// Changes whenever a destination may lead elsewhere than before.
    private(set) var version = 0

    private var ids: [String: Int32] = [:]
    private var identities: [Identity] = []
    private var plans: [Int32: Kept] = [:]
    private var answers: [DestinationRequest: DestinationAnswer] = [:]
    /// Plans made since the last call of `plans(for:)`.
    private(set) var madePlans = 0

    init(options: CompilerOptions, registry: ServiceRegistry, rules: DestinationRules) {
        self.options = options
        self.registry = registry
        self.rules = rules
    }

    /// Cluster ids given so far lie below it.
    var capacity: Int { identities.count }

    func adopt(_ registry: ServiceRegistry? = nil, _ rules: DestinationRules? = nil) {
        if let registry { self.registry = registry }
        if let rules { self.rules = rules }
        version += 1
        answers.removeAll(keepingCapacity: true)
    }

    // MARK: Destinations

    func resolve(_ request: DestinationRequest) -> DestinationAnswer {
        if let known = answers[request] { return known }
        let answer = answer(request)
        answers[request] = answer
        return answer
    }

    private func answer(_ request: DestinationRequest) -> DestinationAnswer {
        var host = options.qualified(request.host, namespace: request.namespace)
        var service = registry[host]
        if let alias = service?.alias {
            service = registry[alias]
            if service == nil || service?.alias != nil {
                return missing(host, request, port: request.port ?? request.serverPort, .unknownExternalName(alias))
            }
            host = alias
        }
        guard let service else {
            return missing(host, request, port: request.port ?? request.serverPort, .unknownHost(host))
        }
        let numbers = service.ports.map(\.number)
        let port = request.port ?? (numbers.count == 1 ? numbers[0] : request.serverPort)
        let ambiguous = request.port == nil && numbers.count > 1 ? numbers : []
        guard numbers.contains(port) else {
            return missing(host, request, port: port, .unknownPort(host: host, ports: numbers), ambiguous)
        }
        if let subset = request.subset,
            rules.rule(for: host, namespace: service.namespace)?.subset(named: subset) == nil
        {
            return missing(host, request, port: port, .unknownSubset(host: host), ambiguous)
        }
        let name = Self.name(host, port, request.subset)
        let id = intern(Identity(host: host, port: port, subset: request.subset, name: name))
        return DestinationAnswer(clusterID: id, name: name, port: port, ambiguousPorts: ambiguous)
    }

    private func missing(
        _ host: String, _ request: DestinationRequest, port: Int, _ problem: DestinationAnswer.Problem,
        _ ambiguous: [Int] = []
    ) -> DestinationAnswer {
        DestinationAnswer(
            clusterID: -1, name: Self.name(host, port, request.subset), port: port, problem: problem,
            ambiguousPorts: ambiguous)
    }

    private static func name(_ host: String, _ port: Int, _ subset: String?) -> String {
        "outbound|\(port)|\(subset ?? "")|\(host)"
    }

    private func intern(_ identity: Identity) -> Int32 {
        if let known = ids[identity.name] { return known }
        let id = Int32(identities.count)
        ids[identity.name] = id
        identities.append(identity)
        return id
    }

    // MARK: Plans

    /// The plans of the clusters whose ids are marked; those of all others are forgotten.
    func plans(for used: [Bool]) -> [ClusterPlan] {
        madePlans = 0
        var kept: [Int32: Kept] = [:]
        var list: [ClusterPlan] = []
        kept.reserveCapacity(plans.count)
        for place in used.indices where used[place] {
            let id = Int32(place)
            let entry = current(id)
            kept[id] = entry
            list.append(entry.plan)
        }
        plans = kept
        return list
    }

    private func current(_ id: Int32) -> Kept {
        if let known = plans[id] {
            if known.version == version { return known }
            let spec = spec(of: identities[Int(id)])
            if known.plan.spec == spec { return Kept(plan: known.plan, version: version) }
            madePlans += 1
            return Kept(plan: ClusterPlan(id: id, spec: spec), version: version)
        }
        madePlans += 1
        return Kept(plan: ClusterPlan(id: id, spec: spec(of: identities[Int(id)])), version: version)
    }

    private func spec(of identity: Identity) -> ClusterSpec {
        var spec = ClusterSpec(name: identity.name)
        guard let service = registry[identity.host] else { return spec }
        let rule = rules.rule(for: identity.host, namespace: service.namespace)
        let subset = identity.subset.flatMap { rule?.subset(named: $0) }
        spec.endpoints = service.endpoints(port: identity.port, labels: subset?.labels ?? [:])
        let policy = EffectivePolicy(rule?.trafficPolicy, subset: subset?.trafficPolicy, port: identity.port)
        switch policy.loadBalancer {
        case .roundRobin: spec.balancer = .roundRobin
        case .random: spec.balancer = .random
        case .leastRequest, .other, nil: spec.balancer = .leastRequest
        }
        if let milliseconds = policy.connectionPool?.connectTimeoutMilliseconds {
            spec.connectTimeoutMilliseconds = milliseconds
        }
        if let milliseconds = policy.connectionPool?.idleTimeoutMilliseconds {
            spec.idleTimeoutMilliseconds = milliseconds
        }
        return spec
    }
}
