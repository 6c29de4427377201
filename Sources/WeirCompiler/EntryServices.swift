import WeirConfig
import WeirEngine

/// The services one ServiceEntry declares: one a host, all with the same ports and endpoints (semantics 5.3).
struct EntryServices {
    let services: [RegisteredService]
    private(set) var diagnostics: [Diagnostic] = []

    init(_ entry: ServiceEntry, _ resource: Resource, _ pods: PodTable, _ names: DestinationNames) {
        let ports = entry.ports.filter { $0.protocol.uppercased() != "UDP" }
        var endpoints: [RegisteredService.Endpoint] = []
        var problems: [Diagnostic] = []
        if entry.resolution == .none {
            // Pass-through to where the client was going: a gateway's clients were going to the gateway.
            problems.append(Self.report(resource, "spec.resolution", line: 0, Self.noEndpoints(entry)))
        } else {
            for (index, endpoint) in entry.endpoints.enumerated() {
                guard let target = EndpointTarget(endpoint.address) else {
                    problems.append(
                        Self.report(
                            resource, "spec.endpoints[\(index)].address", line: endpoint.line,
                            "\(endpoint.address) is a name, and resolving names is not served by this version: the endpoint is "
                                + "left out. Use an IP address with resolution STATIC."))
                    continue
                }
                endpoints.append(
                    RegisteredService.Endpoint(
                        target: target, ports: ports.map { Self.port($0, of: endpoint, target) },
                        labels: endpoint.labels, weight: UInt32(clamping: max(endpoint.weight, 1)),
                        workload: names.number(
                            of: WorkloadNaming.labels(ofEndpoint: endpoint.labels, entry: resource.metadata))))
            }
            if let problem = Self.unresolvable(entry) {
                problems.append(Self.report(resource, "spec.resolution", line: 0, problem))
            }
        }
        if let selector = entry.workloadSelector {
            for pod in pods.selected(by: selector, in: resource.id.namespace) {
                guard let target = EndpointTarget(pod.address) else { continue }
                let numbers = ports.map { UInt16(exactly: $0.targetPort ?? $0.number) ?? 0 }
                endpoints.append(
                    RegisteredService.Endpoint(
                        target: target, ports: numbers, labels: pod.labels, weight: 1, workload: pod.workload))
            }
        }
        services = entry.hosts.map { host in
            RegisteredService(
                host: host.lowercased(), name: host.lowercased(), namespace: resource.id.namespace,
                ports: ports.map { RegisteredService.Port(number: $0.number, name: $0.name) }, endpoints: endpoints)
        }
        diagnostics = problems
    }

    /// Unix socket before the endpoint's own port, before the service's target port, before its number.
    private static func port(_ port: ServicePort, of endpoint: WorkloadEndpoint, _ target: EndpointTarget) -> UInt16 {
        // Any number but 0, which would mean that the port is not served.
        if case .unix = target { return 1 }
        return UInt16(exactly: endpoint.ports[port.name] ?? port.targetPort ?? port.number) ?? 0
    }

    private static func noEndpoints(_ entry: ServiceEntry) -> String {
        "Resolution NONE gives a gateway no endpoint: requests are answered with 503. Use resolution STATIC and list endpoints."
    }

    private static func unresolvable(_ entry: ServiceEntry) -> String? {
        switch entry.resolution {
        case .static, .none: nil
        case .dns, .dnsRoundRobin, .dynamicDNS:
            entry.endpoints.isEmpty
                ? "Resolving names is not served by this version, so the service has no endpoint and requests are answered with "
                    + "503. Use resolution STATIC and list endpoints by IP address." : nil
        }
    }

    private static func report(_ resource: Resource, _ path: String, line: Int, _ message: String) -> Diagnostic {
        Diagnostic(
            .unsupportedServer, .warning, resource: resource.id, path: path, location: resource.location(line: line),
            message: message)
    }
}
