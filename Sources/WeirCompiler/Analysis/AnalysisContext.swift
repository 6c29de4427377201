import WeirConfig
import WeirEngine

/// What analyzers look at: the resources, and what the compiler made of them.
struct AnalysisContext {
    let resources: ResourceSet
    let clusters: ClusterCompiler
    let options: CompilerOptions
    /// Seconds since 1970.
    let unixSeconds: Double

    init(_ resources: ResourceSet, clusters: ClusterCompiler, options: CompilerOptions, unixSeconds: Double) {
        self.resources = resources
        self.clusters = clusters
        self.options = options
        self.unixSeconds = unixSeconds
    }

    var registry: ServiceRegistry { clusters.registry }

    // MARK: By kind, in Istio's order

    var gateways: [(resource: Resource, spec: Gateway)] {
        list(.gateway) { if case .gateway(let spec) = $0 { spec } else { nil } }
    }
    var virtualServices: [(resource: Resource, spec: VirtualService)] {
        list(.virtualService) { if case .virtualService(let spec) = $0 { spec } else { nil } }
    }
    var destinationRules: [(resource: Resource, spec: DestinationRule)] {
        list(.destinationRule) { if case .destinationRule(let spec) = $0 { spec } else { nil } }
    }
    var serviceEntries: [(resource: Resource, spec: ServiceEntry)] {
        list(.serviceEntry) { if case .serviceEntry(let spec) = $0 { spec } else { nil } }
    }
    var workloadEntries: [(resource: Resource, spec: WorkloadEndpoint)] {
        list(.workloadEntry) { if case .workloadEntry(let spec) = $0 { spec } else { nil } }
    }
    var services: [(resource: Resource, spec: Service)] {
        list(.service) { if case .service(let spec) = $0 { spec } else { nil } }
    }
    var pods: [Resource] { resources.resources(of: .pod) }

    private func list<Spec>(_ kind: Kind, _ spec: (Resource.Spec) -> Spec?) -> [(resource: Resource, spec: Spec)] {
        resources.resources(of: kind).compactMap { resource in spec(resource.spec).map { (resource, $0) } }
    }

    func secret(_ name: String, in namespace: String) -> Secret? {
        let id = ResourceID(kind: .secret, namespace: namespace, name: name)
        guard case .secret(let secret)? = resources[id]?.spec else { return nil }
        return secret
    }

    // MARK: Labels

    /// Labels that Istio's own ingress gateway carries, as most Gateways in the wild select it.
    private static let usualGatewayLabels = ["istio": "ingressgateway", "app": "istio-ingressgateway"]

    /// Labels the gateway goes by: what the operator says, on top of the usual ones.
    var gatewayLabels: [String: String] { Self.usualGatewayLabels }

    /// The pods among the resources that a Gateway selects.
    func pods(of gateway: Gateway) -> [Resource] {
        pods.filter { gateway.selector.isCarried(by: $0.metadata.labels) }
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
