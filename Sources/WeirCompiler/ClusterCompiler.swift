import WeirConfig
import WeirEngine

/// What a route asks of the registry.
///
/// Equal requests have equal answers within one version.
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
    private let options: CompilerOptions
    private let names: DestinationNames
    private var registry: ServiceRegistry
    private var rules: DestinationRules
    /// Changes whenever a destination may lead elsewhere than before.
    private(set) var version = 0

    private var answers: [DestinationRequest: DestinationAnswer] = [:]

    private var ids: [String: Int32] = [:]
    /// By cluster id, as are the lists below.
    private var identities: [Identity] = []
    private var idsByHost: [String: [Int32]] = [:]
    private var plans: [ClusterPlan?] = []
    /// The plan may no longer be right.
    private var isStale: [Bool] = []
    /// How many virtual hosts lead there.
    private var uses: [Int] = []
    private var lastTable = ClusterTable([], capacity: 0)
    /// Plans made so far.
    private(set) var madePlans = 0

    init(options: CompilerOptions, registry: ServiceRegistry, rules: DestinationRules, names: DestinationNames) {
        self.names = names
        self.options = options
        self.registry = registry
        self.rules = rules
    }

    // MARK: Inputs

    /// Takes over a registry; what changed in it decides what is looked at again.
    func adopt(_ newer: ServiceRegistry) {
        var moved: [String] = []
        var mayResolveElsewhere = newer.services.count != registry.services.count
        for (host, service) in newer.services {
            let former = registry[host]
            if former == service { continue }
            moved.append(host)
            if former?.resolvesAs(service) != true { mayResolveElsewhere = true }
        }
        for host in registry.services.keys where newer[host] == nil { moved.append(host) }
        registry = newer
        for host in moved {
            for id in idsByHost[host] ?? [] { isStale[Int(id)] = true }
        }
        if mayResolveElsewhere { forgetAnswers() }
    }

    func adopt(_ newer: DestinationRules) {
        rules = newer
        for id in isStale.indices { isStale[id] = true }
        forgetAnswers()
    }

    private func forgetAnswers() {
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
        idsByHost[identity.host, default: []].append(id)
        identities.append(identity)
        plans.append(nil)
        isStale.append(true)
        uses.append(0)
        return id
    }

    // MARK: Plans

    /// A virtual host leads to its clusters until it is released.
    func use(_ host: CompiledHost) {
        for destination in host.resolved where destination.clusterID >= 0 { uses[Int(destination.clusterID)] += 1 }
    }

    func release(_ host: CompiledHost) {
        for destination in host.resolved where destination.clusterID >= 0 { uses[Int(destination.clusterID)] -= 1 }
    }

    func releaseAll() {
        for id in uses.indices { uses[id] = 0 }
    }

    /// The plans of the clusters in use: the last table again when none of them changed.
    func table() -> ClusterTable {
        var changed = lastTable.capacity != identities.count
        for id in identities.indices where updatePlan(id) { changed = true }
        if changed { lastTable = ClusterTable(plans.compactMap { $0 }, capacity: identities.count) }
        return lastTable
    }

    /// Whether the plan of this id is another than before.
    private func updatePlan(_ id: Int) -> Bool {
        guard uses[id] > 0 else {
            guard plans[id] != nil else { return false }
            plans[id] = nil
            return true
        }
        if let plan = plans[id] {
            guard isStale[id] else { return false }
            isStale[id] = false
            let spec = spec(of: id)
            if plan.spec == spec { return false }
            plans[id] = ClusterPlan(id: Int32(id), spec: spec)
        } else {
            isStale[id] = false
            plans[id] = ClusterPlan(id: Int32(id), spec: spec(of: id))
        }
        madePlans += 1
        return true
    }

    private func spec(of id: Int) -> ClusterSpec {
        let identity = identities[id]
        var spec = ClusterSpec(name: identity.name)
        guard let service = registry[identity.host] else { return spec }
        names.cluster(
            Int32(id),
            belongsTo: ServiceLabels(host: service.host, name: service.name, namespace: service.namespace))
        let rule = rules.rule(for: identity.host, namespace: service.namespace)
        let subset = identity.subset.flatMap { rule?.subset(named: $0) }
        spec.endpoints = service.endpoints(port: identity.port, labels: subset?.labels ?? [:])
        let policy = EffectivePolicy(rule?.trafficPolicy, subset: subset?.trafficPolicy, port: identity.port)
        switch policy.loadBalancer?.simple {
        case .roundRobin: spec.balancer = .roundRobin
        case .random: spec.balancer = .random
        case .leastRequest, .passthrough, nil: spec.balancer = .leastRequest
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
