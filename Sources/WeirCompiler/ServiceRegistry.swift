import WeirConfig
import WeirEngine

/// A service's ports and endpoints, whatever it was declared by.
struct RegisteredService: Equatable {
    struct Port: Equatable {
        let number: Int
        let name: String
    }
    struct Endpoint: Equatable {
        let target: EndpointTarget
        /// Port numbers in the order of the service's `ports`; 0 where the endpoint does not serve one.
        let ports: [UInt16]
        let labels: [String: String]
        let weight: UInt32
        /// Number of its workload (see `DestinationNames`).
        let workload: Int32
    }

    /// Full name.
    let host: String
    /// As metrics call it: a Service's own name, or the host of a ServiceEntry.
    let name: String
    let namespace: String
    var ports: [Port]
    var endpoints: [Endpoint]
    /// The service this one is another name for (ExternalName).
    var alias: String?

    /// Leads the same routes to the same clusters as `other`, whatever their endpoints.
    func resolvesAs(_ other: RegisteredService) -> Bool {
        namespace == other.namespace && ports == other.ports && alias == other.alias
    }

    /// The endpoints of one port whose labels include `labels`; each address once.
    func endpoints(port number: Int, labels: [String: String]) -> [ClusterSpec.Endpoint] {
        guard let place = ports.firstIndex(where: { $0.number == number }) else { return [] }
        // Not by weight: an address that is listed twice is one endpoint, its first entry counts.
        var seen: Set<ClusterSpec.Endpoint> = []
        return endpoints.compactMap { endpoint in
            guard endpoint.ports[place] > 0, labels.allSatisfy({ endpoint.labels[$0.key] == $0.value }) else {
                return nil
            }
            var found = ClusterSpec.Endpoint(endpoint.target, port: endpoint.ports[place], weight: endpoint.weight)
            guard seen.insert(ClusterSpec.Endpoint(found.target, port: found.port)).inserted else { return nil }
            found.workload = endpoint.workload
            return found
        }
    }

    /// A ServiceEntry of the same namespace adds what it has (semantics 5.3).
    mutating func merge(_ other: RegisteredService) {
        let known = ports.count
        for port in other.ports where !ports.contains(where: { $0.number == port.number }) { ports.append(port) }
        // Every endpoint lists one number a port of the merged service.
        endpoints = endpoints.map {
            Endpoint(
                target: $0.target, ports: $0.ports + Array(repeating: 0, count: ports.count - known), labels: $0.labels,
                weight: $0.weight, workload: $0.workload)
        }
        for endpoint in other.endpoints {
            let numbers = ports.map { port in
                other.ports.firstIndex { $0.number == port.number }.map { endpoint.ports[$0] } ?? 0
            }
            endpoints.append(
                Endpoint(
                    target: endpoint.target, ports: numbers, labels: endpoint.labels, weight: endpoint.weight,
                    workload: endpoint.workload))
        }
    }
}

/// All services by full name (semantics 5).
struct ServiceRegistry {
    private(set) var services: [String: RegisteredService] = [:]
    private(set) var diagnostics: [Diagnostic] = []

    subscript(host: String) -> RegisteredService? { services[host] }

    /// What the registry is made of, in Istio's order.
    struct Sources {
        var services: [Resource] = []
        var slices: [Resource] = []
        var pods: [Resource] = []
        var entries: [Resource] = []
    }

    init(
        _ sources: Sources, entries parsed: inout RevisionCache<EntryServices>, options: CompilerOptions,
        names: DestinationNames
    ) {
        services.reserveCapacity(sources.services.count + sources.entries.count)
        let pods = PodTable(sources.pods, names: names)
        addKubernetesServices(sources, pods, options)
        let kubernetes = services.count
        for resource in sources.entries {
            guard case .serviceEntry(let entry) = resource.spec,
                options.isVisible(exportTo: entry.exportTo, namespace: resource.id.namespace)
            else { continue }
            // An entry that selects pods depends on more than itself.
            let made =
                entry.workloadSelector == nil
                ? parsed.value(for: resource) { EntryServices(entry, $0, pods, names) }
                : EntryServices(entry, resource, pods, names)
            diagnostics += made.diagnostics
            for service in made.services { add(service, overKubernetes: kubernetes > 0) }
        }
        parsed.dropUnused()
    }

    private var kubernetesHosts: Set<String> = []

    /// A Kubernetes Service beats a ServiceEntry of the same name; among entries the oldest.
    private mutating func add(_ service: RegisteredService, overKubernetes: Bool) {
        if overKubernetes, kubernetesHosts.contains(service.host) { return }
        guard var known = services[service.host] else {
            services[service.host] = service
            return
        }
        guard known.namespace == service.namespace else { return }
        known.merge(service)
        services[service.host] = known
    }

    private mutating func addKubernetesServices(
        _ sources: Sources, _ pods: PodTable, _ options: CompilerOptions
    ) {
        guard !sources.services.isEmpty else { return }
        var slices: [String: [Resource]] = [:]
        for slice in sources.slices {
            guard case .endpointSlice(let spec) = slice.spec else { continue }
            slices["\(slice.id.namespace)/\(spec.serviceName)", default: []].append(slice)
        }
        for resource in sources.services {
            guard case .service(let service) = resource.spec else { continue }
            let host = options.qualified(resource.id.name, namespace: resource.id.namespace)
            let ports = service.ports.filter { $0.protocol.uppercased() != "UDP" }
            var made = RegisteredService(
                host: host, name: resource.id.name, namespace: resource.id.namespace,
                ports: ports.map { RegisteredService.Port(number: $0.number, name: $0.name) }, endpoints: [])
            if service.type == "ExternalName" {
                made.alias = service.externalName.map { options.qualified($0, namespace: resource.id.namespace) }
            } else {
                for slice in slices["\(resource.id.namespace)/\(resource.id.name)"] ?? [] {
                    addEndpoints(of: slice, to: &made, pods)
                }
            }
            kubernetesHosts.insert(host)
            services[host] = made
        }
    }

    private mutating func addEndpoints(
        of resource: Resource, to service: inout RegisteredService, _ pods: PodTable
    ) {
        guard case .endpointSlice(let slice) = resource.spec, slice.addressType != "FQDN" else { return }
        let numbers = service.ports.map { port in
            slice.ports.first { $0.name == port.name }.flatMap { UInt16(exactly: $0.port) } ?? 0
        }
        for (index, endpoint) in slice.endpoints.enumerated() where endpoint.ready {
            var labels: [String: String] = [:]
            var workload: Int32 = 0
            if let name = endpoint.podName {
                let namespace = endpoint.podNamespace ?? resource.id.namespace
                guard let pod = pods.pod(name, namespace) else {
                    diagnostics.append(
                        Diagnostic(
                            .referenceNotFound, .warning, resource: resource.id, path: "endpoints[\(index)].targetRef",
                            location: resource.location,
                            message:
                                "There is no Pod \(namespace)/\(name), so the endpoint is held back: its labels decide "
                                + "which subsets it serves. Add the Pod, or remove targetRef."))
                    continue
                }
                labels = pod.labels
                workload = pod.workload
            }
            for address in endpoint.addresses {
                guard let target = EndpointTarget(address) else { continue }
                service.endpoints.append(
                    RegisteredService.Endpoint(
                        target: target, ports: numbers, labels: labels, weight: 1, workload: workload))
            }
        }
    }
}

/// Pods by name, and by label.
struct PodTable {
    private var byName: [String: Int] = [:]
    private let pods: [Resource]
    private let names: DestinationNames

    init(_ pods: [Resource], names: DestinationNames) {
        self.pods = pods
        self.names = names
        byName.reserveCapacity(pods.count)
        for (index, pod) in pods.enumerated() { byName["\(pod.id.namespace)/\(pod.id.name)"] = index }
    }

    func pod(_ name: String, _ namespace: String) -> (labels: [String: String], workload: Int32)? {
        byName["\(namespace)/\(name)"].map { (pods[$0].metadata.labels, workload(of: pods[$0])) }
    }

    private func workload(of pod: Resource) -> Int32 {
        names.number(of: WorkloadNaming.labels(ofPod: pod.metadata))
    }

    /// A pod that is chosen by its labels.
    struct Selected {
        let address: String
        let labels: [String: String]
        let workload: Int32
    }

    /// The pods of a namespace that carry all labels of `selector`.
    func selected(by selector: [String: String], in namespace: String) -> [Selected] {
        pods.compactMap { resource in
            guard case .pod(let pod) = resource.spec, let address = pod.podIP, resource.id.namespace == namespace,
                selector.allSatisfy({ resource.metadata.labels[$0.key] == $0.value })
            else { return nil }
            return Selected(address: address, labels: resource.metadata.labels, workload: workload(of: resource))
        }
    }
}
