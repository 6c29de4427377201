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
        /// Declared in a namespace that does not let the gateway use it.
        case notExported(host: String, by: String)
        case unknownSubset(host: String)
        case unknownPort(host: String, ports: [Int])
        /// An ExternalName that leads to another ExternalName.
        case externalNameTwice(String)
        /// A service that names lead to, and not one of the right labels and port is listed.
        case nothingToResolve(host: String)
    }

    /// -1 when there is no such cluster.
    let clusterID: Int32
    /// `outbound|<port>|<subset>|<fqdn>`, also when there is no such cluster.
    let name: String
    let port: Int
    /// What a route there makes its keys of.
    var hash: TrafficPolicy.ConsistentHash?
    var problem: Problem?
    /// There is a problem, but for a while requests still go where they went (see `RetainedClusters`).
    var isRetained = false
    /// The ports to choose from, when the route should have named one.
    var ambiguousPorts: [Int] = []
}

/// Destinations to clusters: interned ids, and plans that are kept while nothing about them changes.
final class ClusterCompiler {
    private struct Identity {
        let host: String
        /// Of the service: several namespaces may declare one of the host.
        let namespace: String
        let port: Int
        let subset: String?
        let name: String
    }
    private struct Key: Hashable {
        let name: String
        let namespace: String
    }
    private let options: CompilerOptions
    private let names: DestinationNames
    private(set) var registry: ServiceRegistry
    private var rules: DestinationRules
    /// Changes whenever a destination may lead elsewhere than before.
    private(set) var version = 0

    private var answers: [DestinationRequest: DestinationAnswer] = [:]

    private var ids: [Key: Int32] = [:]
    /// By cluster id, as are the lists below.
    private var identities: [Identity] = []
    private var idsByHost: [String: [Int32]] = [:]
    private var plans: [ClusterPlan?] = []
    /// Made when first needed, and kept: what workers count outlives every plan.
    private var shared: [ClusterShared?] = []
    /// What routes there last made their keys of.
    private var hashes: [TrafficPolicy.ConsistentHash?] = []
    /// The plan may no longer be right.
    private var isStale: [Bool] = []
    /// How many virtual hosts lead there.
    private var uses: [Int] = []
    private var retained: RetainedClusters
    private var lastTable = ClusterTable([], capacity: 0)
    private var resolved = ResolvedNames()
    private let security: TLSClientCompiler
    /// Clusters whose policy has a `tls` block.
    private var secured: Set<Int> = []
    /// Plans made so far.
    private(set) var madePlans = 0

    init(
        options: CompilerOptions, registry: ServiceRegistry, rules: DestinationRules, names: DestinationNames,
        files: (any ReferencedFiles)? = nil
    ) {
        self.names = names
        security = TLSClientCompiler(options: options, files: files)
        self.options = options
        self.registry = registry
        self.rules = rules
        retained = RetainedClusters(graceSeconds: options.referenceGraceSeconds)
    }

    // MARK: Inputs

    /// A compilation begins at this time: what was retained until now leads nowhere any more.
    func begin(at now: Double) {
        if retained.begin(at: now) { forgetAnswers() }
    }

    /// When to compile again, although nothing changes.
    var nextDeadline: Double? { retained.nextDeadline }

    var services: ServiceRegistry { registry }

    /// Takes in resources, whose Secrets secure connections.
    func adopt(secretsOf resources: ResourceSet) { security.take(resources) }

    var certificateStatuses: [CertificateStatus] { security.statuses }
    var securityDiagnostics: [Diagnostic] { security.diagnostics }

    /// Takes over a registry; what changed in it decides what is looked at again.
    func adopt(_ newer: ServiceRegistry) {
        let changes = registry.changes(in: newer)
        registry = newer
        for host in changes.hosts {
            for id in idsByHost[host] ?? [] { isStale[Int(id)] = true }
        }
        if changes.mayResolveElsewhere { forgetAnswers() }
    }

    /// Takes in what DNS says; returns the clusters whose plans are others than before.
    func adopt(_ answers: [String: NameAnswer]) -> [Int32] {
        resolved.take(answers).sorted().filter { id in
            isStale[id] = true
            return updatePlan(id)
        }.map(Int32.init)
    }

    /// The names that the clusters in use are reached by.
    func settleNames() -> Set<String> { resolved.settle() }

    var nameDiagnostics: [Diagnostic] { resolved.problems(registry.nameUses) }

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
        let host: String
        let service: RegisteredService
        switch find(request.host, namespace: request.namespace) {
        case .success(let found): (host, service) = found
        case .failure(let missing):
            return self.missing(missing.host, request, port: request.port ?? request.serverPort, missing.problem)
        }
        let numbers = service.ports.map(\.number)
        let port = request.port ?? (numbers.count == 1 ? numbers[0] : request.serverPort)
        let ambiguous = request.port == nil && numbers.count > 1 ? numbers : []
        guard service.serves(port) else {
            return missing(host, request, port: port, .unknownPort(host: host, ports: numbers), ambiguous)
        }
        guard let labels = labels(of: request.subset, host, service) else {
            return missing(host, request, port: port, .unknownSubset(host: host), ambiguous)
        }
        if service.discovery != .listed, service.endpoints(port: port, labels: labels).isEmpty {
            return missing(host, request, port: port, .nothingToResolve(host: host), ambiguous)
        }
        let name = Self.name(host, port, request.subset)
        let id = intern(
            Identity(host: host, namespace: service.namespace, port: port, subset: request.subset, name: name))
        retained.isBack(id)
        let rule = rules.rule(for: host, namespace: service.namespace)
        let hash = rule?.hash(subset: request.subset, namedPort: request.port)
        hashes[Int(id)] = hash
        return DestinationAnswer(clusterID: id, name: name, port: port, hash: hash, ambiguousPorts: ambiguous)
    }

    private struct NotFound: Error {
        /// As its cluster would be called.
        let host: String
        let problem: DestinationAnswer.Problem
    }

    /// The service behind a destination's host, an ExternalName followed once.
    private func find(
        _ written: String, namespace: String
    ) -> Result<(host: String, service: RegisteredService), NotFound> {
        let host = options.qualified(written, namespace: namespace)
        guard let service = registry.service(host, seenFrom: namespace) else {
            let problem = registry.hidden[host].map { DestinationAnswer.Problem.notExported(host: host, by: $0) }
            return .failure(NotFound(host: host, problem: problem ?? .unknownHost(host)))
        }
        // Where nothing of that name is known, an ExternalName is resolved itself.
        guard let alias = service.alias, let aliased = registry.service(alias, seenFrom: namespace) else {
            return .success((host, service))
        }
        if aliased.alias != nil { return .failure(NotFound(host: host, problem: .externalNameTwice(alias))) }
        return .success((alias, aliased))
    }

    /// The labels of a subset, none without one; `nil` when there is no such subset.
    private func labels(of subset: String?, _ host: String, _ service: RegisteredService) -> [String: String]? {
        guard let subset else { return [:] }
        return rules.rule(for: host, namespace: service.namespace)?.subset(named: subset)?.labels
    }

    /// Whether a reference names something nobody has declared; says nothing about a port it does not name.
    func isMissing(_ reference: Reference) -> Bool {
        guard case .success(let (host, service)) = find(reference.host, namespace: reference.namespace) else {
            return true
        }
        if let port = reference.port, !service.serves(port) { return true }
        return labels(of: reference.subset, host, service) == nil
    }

    private func missing(
        _ host: String, _ request: DestinationRequest, port: Int, _ problem: DestinationAnswer.Problem,
        _ ambiguous: [Int] = []
    ) -> DestinationAnswer {
        let id = (idsByHost[host] ?? []).first { id in
            let identity = identities[Int(id)]
            return identity.port == port && identity.subset == request.subset && plans[Int(id)] != nil
                && retained.keeps(id)
        }
        return DestinationAnswer(
            clusterID: id ?? -1, name: Self.name(host, port, request.subset), port: port,
            hash: id.flatMap { hashes[Int($0)] }, problem: problem, isRetained: id != nil, ambiguousPorts: ambiguous)
    }

    private static func name(_ host: String, _ port: Int, _ subset: String?) -> String {
        "outbound|\(port)|\(subset ?? "")|\(host)"
    }

    private func intern(_ identity: Identity) -> Int32 {
        let key = Key(name: identity.name, namespace: identity.namespace)
        if let known = ids[key] { return known }
        let id = Int32(identities.count)
        ids[key] = id
        idsByHost[identity.host, default: []].append(id)
        identities.append(identity)
        plans.append(nil)
        shared.append(nil)
        hashes.append(nil)
        isStale.append(true)
        uses.append(0)
        return id
    }

    // MARK: Plans

    /// A virtual host leads to its clusters until it is released.
    func use(_ host: CompiledHost) { use(host.resolved) }

    func use(_ resolved: [ResolvedDestination]) {
        for destination in resolved where destination.clusterID >= 0 { uses[Int(destination.clusterID)] += 1 }
    }

    func release(_ host: CompiledHost) { release(host.resolved) }

    func release(_ resolved: [ResolvedDestination]) {
        for destination in resolved where destination.clusterID >= 0 { uses[Int(destination.clusterID)] -= 1 }
    }

    func releaseAll() {
        for id in uses.indices { uses[id] = 0 }
    }

    /// The plans of the clusters in use: the last table again when none of them changed.
    func table() -> ClusterTable {
        var changed = lastTable.capacity != identities.count
        for id in identities.indices where updatePlan(id) { changed = true }
        if security.needsRound {
            security.begin()
            for id in secured {
                isStale[id] = true
                if updatePlan(id) { changed = true }
            }
            security.settle()
        }
        return changed ? newTable() : lastTable
    }

    /// A table of the plans as they are.
    func newTable() -> ClusterTable {
        lastTable = ClusterTable(plans.compactMap { $0 }, capacity: identities.count)
        return lastTable
    }

    /// Whether the plan of this id is another than before.
    private func updatePlan(_ id: Int) -> Bool {
        guard uses[id] > 0 else {
            guard plans[id] != nil else { return false }
            plans[id] = nil
            if secured.remove(id) != nil { security.forget() }
            resolved.forget(cluster: id)
            retained.isGone(Int32(id))
            return true
        }
        if let plan = plans[id] {
            guard isStale[id], !retained.contains(Int32(id)) else { return false }
            isStale[id] = false
            let (spec, tls) = spec(of: id)
            if plan.spec == spec { return false }
            plans[id] = ClusterPlan(id: Int32(id), spec: spec, replacing: plan, tls: tls, shared: sharedState(id, spec))
        } else {
            isStale[id] = false
            let (spec, tls) = spec(of: id)
            plans[id] = ClusterPlan(id: Int32(id), spec: spec, tls: tls, shared: sharedState(id, spec))
        }
        madePlans += 1
        return true
    }

    private func sharedState(_ id: Int, _ spec: ClusterSpec) -> ClusterShared? {
        guard spec.sharesState else { return nil }
        if let known = shared[id] { return known }
        let made = ClusterShared(workers: options.workers)
        shared[id] = made
        return made
    }

    private func spec(of id: Int) -> (ClusterSpec, TLSClientContexts?) {
        let identity = identities[id]
        var spec = ClusterSpec(name: identity.name)
        guard let service = registry.service(identity.host, of: identity.namespace) else {
            return (spec, nil)
        }
        names.cluster(
            Int32(id),
            belongsTo: ServiceLabels(host: service.host, name: service.name, namespace: service.namespace))
        let rule = rules.rule(for: identity.host, namespace: service.namespace)
        let subset = identity.subset.flatMap { rule?.subset(named: $0) }
        let policy = EffectivePolicy(rule?.trafficPolicy, subset: subset?.trafficPolicy, port: identity.port)
        let localities = LocalityBalancing(
            policy.loadBalancer?.localityLbSetting, failsOver: policy.outlierDetection != nil, options)
        resolved.place(
            service, port: identity.port, labels: subset?.labels ?? [:], by: localities, cluster: id, into: &spec)
        spec.note(service, rule)
        spec.heed(policy)
        spec.balancer = BalancerPolicy(policy.loadBalancer)
        if let milliseconds = policy.connectionPool?.connectTimeoutMilliseconds {
            spec.connectTimeoutMilliseconds = milliseconds
        }
        if let milliseconds = policy.connectionPool?.idleTimeoutMilliseconds {
            spec.idleTimeoutMilliseconds = milliseconds
        }
        spec.limit(policy)
        spec.proxyHeader = policy.proxyProtocol.map { $0 == .v1 ? .v1 : .v2 }
        spec.speak(policy.connectionPool?.http, to: service.ports.first { $0.number == identity.port })
        // First: what it settles is part of the spec.
        let contexts = secure(&spec, id, policy.tls.flatMap { rule?.block($0, policy.tlsPlace, subset, service) })
        return (spec, contexts)
    }

    private func secure(_ spec: inout ClusterSpec, _ id: Int, _ block: ClientTLSBlock?) -> TLSClientContexts? {
        guard let block else {
            if secured.remove(id) != nil { security.forget() }
            return nil
        }
        secured.insert(id)
        switch security.security(block) {
        case .plain: return nil
        case .secured(let contexts):
            spec.tls = contexts.spec
            return contexts
        case .unusable(let text):
            spec.transportProblem = text
            return nil
        }
    }
}
