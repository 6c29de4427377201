import WeirConfig
import WeirEngine

/// The services one ServiceEntry declares: one a host, all with the same ports (semantics 5.3).
struct EntryServices {
    private(set) var services: [RegisteredService] = []
    private(set) var diagnostics: [Diagnostic] = []
    /// Names among the endpoints, and where they are written.
    private(set) var names: [NameUse] = []

    private let entry: ServiceEntry
    private let resource: Resource
    private let ports: [ServicePort]

    init(_ entry: ServiceEntry, _ resource: Resource, _ workloads: WorkloadTable, _ workloadNames: DestinationNames) {
        self.entry = entry
        self.resource = resource
        ports = entry.ports.filter { $0.protocol.uppercased() != "UDP" }
        var endpoints = listed(workloadNames)
        if let selector = entry.workloadSelector { endpoints += selected(by: selector, workloads) }
        switch entry.resolution {
        case .none, .dynamicDNS:
            endpoints = []
            reportNoEndpoints()
        case .static, .dns, .dnsRoundRobin: break
        }
        let isOwnEndpoint = discovery != .listed && entry.endpoints.isEmpty && entry.workloadSelector == nil
        services = entry.hosts.map { written in
            let host = written.lowercased()
            var service = RegisteredService(
                host: host, name: host, namespace: resource.id.namespace,
                ports: ports.map {
                    RegisteredService.Port(number: $0.number, name: $0.name, speaks: PortProtocol($0.protocol))
                },
                endpoints: isOwnEndpoint ? [ownEndpoint(of: host, workloadNames)] : endpoints, discovery: discovery)
            service.subjectAltNames = entry.subjectAltNames
            return service
        }
    }

    private var discovery: RegisteredService.Discovery {
        switch entry.resolution {
        case .dns: .names
        case .dnsRoundRobin: .firstAddress
        case .none, .static, .dynamicDNS: .listed
        }
    }

    // MARK: Endpoints

    private mutating func listed(_ workloadNames: DestinationNames) -> [RegisteredService.Endpoint] {
        entry.endpoints.enumerated().map { index, endpoint in
            let place = EndpointPlace(endpoint.address)
            note(place, "spec.endpoints[\(index)].address", line: endpoint.line)
            let labels = WorkloadNaming.labels(ofEndpoint: endpoint.labels, entry: resource.metadata)
            return RegisteredService.Endpoint(
                place: place, ports: ports.map { $0.number(at: endpoint, place) },
                labels: Locality.labels(endpoint.labels, locality: endpoint.locality),
                weight: UInt32(clamping: max(endpoint.weight, 1)), workload: workloadNames.number(of: labels))
        }
    }

    private mutating func selected(
        by selector: [String: String], _ workloads: WorkloadTable
    ) -> [RegisteredService.Endpoint] {
        let namespace = resource.id.namespace
        var endpoints = workloads.pods(selectedBy: selector, in: namespace).map { pod in
            RegisteredService.Endpoint(
                place: .address(pod.address), ports: ports.map { UInt16(exactly: $0.targetPort ?? $0.number) ?? 0 },
                labels: pod.labels, weight: 1, workload: pod.workload)
        }
        for selected in workloads.entries(selectedBy: selector, in: namespace) {
            let place = EndpointPlace(selected.endpoint.address)
            if case .name = place, discovery == .listed {
                diagnostics.append(selected.reportName("ServiceEntry \(namespace)/\(resource.id.name)"))
                continue
            }
            if case .name(let name) = place { names.append(NameUse(name, selected.resource, "spec.address")) }
            endpoints.append(
                RegisteredService.Endpoint(
                    selected, place, ports: ports.map { $0.number(at: selected.endpoint, place) })
            )
        }
        return endpoints
    }

    /// Without endpoints the host itself is looked up.
    private mutating func ownEndpoint(of host: String, _ workloadNames: DestinationNames) -> RegisteredService.Endpoint
    {
        let place = EndpointPlace(host)
        note(place, "spec.hosts", line: 0)
        let labels = WorkloadNaming.labels(ofEndpoint: [:], entry: resource.metadata)
        return RegisteredService.Endpoint(
            place: place, ports: ports.map { UInt16(exactly: $0.targetPort ?? $0.number) ?? 0 }, labels: [:], weight: 1,
            workload: workloadNames.number(of: labels))
    }

    private mutating func note(_ place: EndpointPlace, _ path: String, line: Int) {
        if case .name(let name) = place { names.append(NameUse(name, resource, path, line: line)) }
    }

    // MARK: Findings

    private mutating func reportNoEndpoints() {
        let reason =
            entry.resolution == .none
            ? "passes a request on to where its client was going, which is this gateway"
            : "looks up the host that each request names, which only a mesh's own proxies do"
        diagnostics.append(
            Diagnostic(
                .notApplicable, .warning, resource: resource.id, path: "spec.resolution", location: resource.location,
                message: "Resolution \(entry.resolution.rawValue) \(reason): requests are answered with 503. "
                    + "Use resolution STATIC or DNS, and list endpoints."))
    }
}

extension RegisteredService.Endpoint {
    init(_ entry: WorkloadTable.Entry, _ place: EndpointPlace, ports: [UInt16]) {
        self.init(
            place: place, ports: ports, labels: entry.labels, weight: UInt32(clamping: max(entry.endpoint.weight, 1)),
            workload: entry.workload)
    }
}

extension ServicePort {
    /// Unix socket before the endpoint's own port, before the service's target port, before its number.
    func number(at endpoint: WorkloadEndpoint, _ place: EndpointPlace) -> UInt16 {
        // Any number but 0, which would mean that the port is not served.
        if case .address(.unix) = place { return 1 }
        let own = endpoint.ports[name] ?? targetPortName.flatMap { endpoint.ports[$0] }
        return UInt16(exactly: own ?? targetPort ?? number) ?? 0
    }
}

extension WorkloadTable.Entry {
    /// It is chosen by something that looks up no names.
    func reportName(_ selector: String) -> Diagnostic {
        Diagnostic(
            .fieldNotHonoured, .warning, resource: resource.id, path: "spec.address", location: resource.location,
            message: "\(endpoint.address) is a name, and \(selector), which selects it, looks up none: it is left out. "
                + "Write an IP address, or select it with a ServiceEntry of resolution DNS.")
    }
}
