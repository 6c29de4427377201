import WeirConfig
import WeirEngine

/// What analyzers look at: the resources, and what the compiler made of them.
struct AnalysisContext {
    let resources: ResourceSet
    let clusters: ClusterCompiler
    let options: CompilerOptions
    /// Seconds since 1970.
    let unixSeconds: Double

    // By kind, in Istio's order.
    let gateways: [(resource: Resource, spec: Gateway)]
    let virtualServices: [(resource: Resource, spec: VirtualService)]
    let destinationRules: [(resource: Resource, spec: DestinationRule)]
    let serviceEntries: [(resource: Resource, spec: ServiceEntry)]
    let workloadEntries: [(resource: Resource, spec: WorkloadEndpoint)]
    let services: [(resource: Resource, spec: Service)]
    let pods: PodLabels

    init(_ resources: ResourceSet, clusters: ClusterCompiler, options: CompilerOptions, unixSeconds: Double) {
        self.resources = resources
        self.clusters = clusters
        self.options = options
        self.unixSeconds = unixSeconds
        func list<Spec>(_ kind: Kind, _ spec: (Resource.Spec) -> Spec?) -> [(resource: Resource, spec: Spec)] {
            resources.resources(of: kind).compactMap { resource in spec(resource.spec).map { (resource, $0) } }
        }
        gateways = list(.gateway) { if case .gateway(let spec) = $0 { spec } else { nil } }
        virtualServices = list(.virtualService) { if case .virtualService(let spec) = $0 { spec } else { nil } }
        destinationRules = list(.destinationRule) { if case .destinationRule(let spec) = $0 { spec } else { nil } }
        serviceEntries = list(.serviceEntry) { if case .serviceEntry(let spec) = $0 { spec } else { nil } }
        workloadEntries = list(.workloadEntry) { if case .workloadEntry(let spec) = $0 { spec } else { nil } }
        services = list(.service) { if case .service(let spec) = $0 { spec } else { nil } }
        pods = PodLabels(resources.resources(of: .pod))
    }

    var registry: ServiceRegistry { clusters.registry }

    func secret(_ name: String, in namespace: String) -> Secret? {
        let id = ResourceID(kind: .secret, namespace: namespace, name: name)
        guard case .secret(let secret)? = resources[id]?.spec else { return nil }
        return secret
    }

    /// Labels the gateway goes by.
    var gatewayLabels: [String: String] { options.gatewayLabels ?? CompilerOptions.usualGatewayLabels }
}

/// Pods by what they carry, so that selectors are not held against every one of them.
struct PodLabels {
    private struct Label: Hashable {
        let name: String
        let value: String
    }

    let all: [Resource]
    private var places: [Label: [Int]] = [:]

    init(_ pods: [Resource]) {
        all = pods
        for (place, pod) in pods.enumerated() {
            for (name, value) in pod.metadata.labels {
                places[Label(name: name, value: value), default: []].append(place)
            }
        }
    }

    /// The pods a selector chooses, in order; an empty one chooses all.
    func carrying(_ selector: [String: String]) -> [Resource] {
        let candidates = selector.map { places[Label(name: $0, value: $1)] ?? [] }.min { $0.count < $1.count }
        guard let candidates else { return all }
        return candidates.lazy.map { all[$0] }.filter { selector.isCarried(by: $0.metadata.labels) }
    }

    /// Those of one namespace.
    func carrying(_ selector: [String: String], in namespace: String) -> [Resource] {
        carrying(selector).filter { $0.id.namespace == namespace }
    }
}

extension [String: String] {
    /// Whether all of these labels are among `labels`; no labels always are.
    func isCarried(by labels: [String: String]) -> Bool { allSatisfy { labels[$0.key] == $0.value } }

    /// `a=1,b=2`, as label selectors are written.
    var selectorText: String {
        isEmpty ? "no labels" : sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

extension ResourceID {
    /// `namespace/name`, or the name alone where there is no namespace.
    var fullName: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}

/// Names for a message: each once, sorted, a few at most, however many there are.
struct NameList {
    /// Names told of.
    static let limit = 5
    private var names: Set<String> = []
    private var isCut = false

    /// Looks no further than it tells.
    init(_ source: some Sequence<String>) {
        for name in source {
            guard names.count < Self.limit || names.contains(name) else {
                isCut = true
                return
            }
            names.insert(name)
        }
    }

    var isEmpty: Bool { names.isEmpty }
    var text: String { names.sorted().joined(separator: ", ") + (isCut ? " and others" : "") }
}
