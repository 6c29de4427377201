import WeirConfig
import WeirEngine

/// The services that Kubernetes Services declare, with the endpoints of their slices (semantics 5.2).
struct KubernetesServices {
    private(set) var services: [RegisteredService] = []
    /// Namespaces of those that are not exported to the gateway, by full name.
    private(set) var hidden: [String: String] = [:]
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var names: [NameUse] = []

    private let workloads: WorkloadTable
    private let options: CompilerOptions
    /// By `namespace/service`, oldest first.
    private var slices: [String: [Resource]] = [:]

    init(_ sources: ServiceRegistry.Sources, _ workloads: WorkloadTable, _ options: CompilerOptions) {
        self.workloads = workloads
        self.options = options
        guard !sources.services.isEmpty else { return }
        for slice in sources.slices {
            guard case .endpointSlice(let spec) = slice.spec else { continue }
            slices["\(slice.id.namespace)/\(spec.serviceName)", default: []].append(slice)
        }
        for resource in sources.services {
            guard case .service(let service) = resource.spec else { continue }
            let namespace = resource.id.namespace
            guard options.isVisible(exportTo: resource.metadata.exportTo, namespace: namespace) else {
                hidden[options.qualified(resource.id.name, namespace: namespace)] = namespace
                continue
            }
            services.append(registered(service, resource))
        }
    }

    private mutating func registered(_ service: Service, _ resource: Resource) -> RegisteredService {
        let (name, namespace) = (resource.id.name, resource.id.namespace)
        let ports = service.ports.filter { $0.protocol.uppercased() != "UDP" }
        var made = RegisteredService(
            host: options.qualified(name, namespace: namespace), name: name, namespace: namespace,
            ports: ports.map {
                RegisteredService.Port(number: $0.number, name: $0.name, speaks: $0.kubernetesProtocol)
            }, endpoints: [])
        if service.type == "ExternalName" {
            guard let external = service.externalName else { return made }
            made.alias = Self.withoutFinalDot(options.qualified(external, namespace: namespace))
            // Kubernetes maps no ports of a name.
            made.endpoints = [reached(by: external.lowercased(), resource, "spec.externalName", ports.map(\.number))]
            return made
        }
        let own = slices["\(namespace)/\(name)"]
        if let own {
            let newest = NewestListing(own)
            for slice in own { addEndpoints(of: slice, newest, to: &made, ports) }
        }
        if !service.selector.isEmpty { addEntries(selectedBy: service.selector, to: &made, ports) }
        if own == nil, made.endpoints.isEmpty {
            // The name of a headless Service leads to its pods, any other's to its own address.
            let numbers = ports.map { service.isHeadless ? $0.targetPort ?? $0.number : $0.number }
            made.endpoints = [reached(by: made.host, resource, "metadata.name", numbers)]
        }
        return made
    }

    private static func withoutFinalDot(_ name: String) -> String {
        name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    private mutating func reached(
        by name: String, _ resource: Resource, _ path: String, _ ports: [Int]
    ) -> RegisteredService.Endpoint {
        let place = EndpointPlace(name)
        if case .name(let name) = place { names.append(NameUse(name, resource, path)) }
        return RegisteredService.Endpoint(
            place: place, ports: ports.map { UInt16(exactly: $0) ?? 0 }, labels: [:], weight: 1, workload: 0)
    }

    // MARK: Slices

    private mutating func addEndpoints(
        of resource: Resource, _ newest: NewestListing, to service: inout RegisteredService, _ ports: [ServicePort]
    ) {
        guard case .endpointSlice(let slice) = resource.spec, slice.addressType != "FQDN" else { return }
        let numbers = ports.map { port in
            slice.ports.first { $0.name == port.name }.flatMap { UInt16(exactly: $0.port) } ?? 0
        }
        for (index, endpoint) in slice.endpoints.enumerated() where endpoint.ready {
            let traits: (labels: [String: String], workload: Int32)
            if let name = endpoint.podName {
                let namespace = endpoint.podNamespace ?? resource.id.namespace
                guard let pod = workloads.pod(name, namespace) else {
                    diagnostics.append(Self.heldBack(resource, index, pod: "\(namespace)/\(name)"))
                    continue
                }
                traits = pod
            } else {
                traits = ([:], 0)
            }
            let labels = Locality.labels(traits.labels, zone: endpoint.zone, node: endpoint.nodeName)
            for address in endpoint.addresses {
                guard newest.isLastWord(resource, on: address, slice.ports), let target = EndpointTarget(address) else {
                    continue
                }
                service.endpoints.append(
                    RegisteredService.Endpoint(
                        place: .address(target), ports: numbers, labels: labels, weight: 1, workload: traits.workload))
            }
        }
    }

    private static func heldBack(_ slice: Resource, _ index: Int, pod: String) -> Diagnostic {
        Diagnostic(
            .referenceNotFound, .warning, resource: slice.id, path: "endpoints[\(index)].targetRef",
            location: slice.location,
            message: "There is no Pod \(pod), so the endpoint is held back: its labels decide which subsets it serves. "
                + "Add the Pod, or remove targetRef.")
    }

    // MARK: WorkloadEntries

    private mutating func addEntries(
        selectedBy selector: [String: String], to service: inout RegisteredService, _ ports: [ServicePort]
    ) {
        for entry in workloads.entries(selectedBy: selector, in: service.namespace) {
            let place = EndpointPlace(entry.endpoint.address)
            guard case .address = place else {
                diagnostics.append(entry.reportName("Service \(service.namespace)/\(service.name)"))
                continue
            }
            service.endpoints.append(
                RegisteredService.Endpoint(entry, place, ports: ports.map { $0.number(at: entry.endpoint, place) }))
        }
    }
}

/// Which slice has the last word on an address: while an endpoint moves it is in two, and the younger one knows how it is.
private struct NewestListing {
    private struct Place: Hashable {
        let address: String
        let port: EndpointSlice.Port
    }
    /// Age of the youngest slice; empty where all are of one age, as files without ages are.
    private var youngest: [Place: String] = [:]

    init(_ slices: [Resource]) {
        guard Set(slices.map(\.metadata.creationTimestamp)).count > 1 else { return }
        for resource in slices {
            guard case .endpointSlice(let slice) = resource.spec else { continue }
            for address in slice.endpoints.flatMap(\.addresses) {
                for port in slice.ports {
                    let place = Place(address: address, port: port)
                    youngest[place] = max(youngest[place] ?? "", resource.metadata.creationTimestamp ?? "")
                }
            }
        }
    }

    func isLastWord(_ slice: Resource, on address: String, _ ports: [EndpointSlice.Port]) -> Bool {
        youngest.isEmpty
            || ports.allSatisfy {
                (slice.metadata.creationTimestamp ?? "") >= youngest[Place(address: address, port: $0)] ?? ""
            }
    }
}

extension Metadata {
    /// Where a Service is visible; Istio reads it from an annotation.
    fileprivate var exportTo: [String] {
        (annotations["networking.istio.io/exportTo"] ?? "").split(separator: ",").map {
            String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}
