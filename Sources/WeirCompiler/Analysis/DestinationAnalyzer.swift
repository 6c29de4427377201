import WeirConfig

extension Analyzer {
    /// Where routes and mirrors lead.
    static let virtualServiceDestinations = Analyzer(
        "virtualservice.Destinations", "Hosts, ports and subsets that routes and mirrors name",
        inputs: [.virtualService, .service, .serviceEntry, .destinationRule],
        codes: [.referenceNotFound, .portSelectorRequired]
    ) { context, findings in
        for (resource, service) in context.virtualServices {
            for use in DestinationUse.all(in: service) { report(use, of: resource, context, &findings) }
        }
    }

    private static func report(
        _ use: DestinationUse, of resource: Resource, _ context: AnalysisContext, _ findings: inout AnalysisFindings
    ) {
        let request = DestinationRequest(
            use.destination, namespace: resource.id.namespace, serverPort: use.destination.port ?? 80)
        let answer = context.clusters.resolve(request)
        guard answer.ambiguousPorts.isEmpty else {
            let ports = answer.ambiguousPorts.map(String.init).joined(separator: ", ")
            return findings.report(
                .portSelectorRequired, resource, path: "\(use.path).port", line: use.line,
                "The service has the ports \(ports) and none is named. Name one in port.number.")
        }
        func missing(_ field: String, _ message: String) {
            findings.report(
                .referenceNotFound, resource, path: "\(use.path).\(field)", line: use.line, message)
        }
        let consequence = use.consequence
        switch answer.problem {
        case nil: break
        case .unknownSubset(let host):
            missing(
                "subset",
                "No DestinationRule in force for \(host) has the subset \(use.destination.subset ?? ""), so \(consequence). Add "
                    + "the subset to the DestinationRule, or correct its name.")
        case .unknownPort(let host, let ports):
            missing(
                "port",
                "Service \(host) has no port \(answer.port), so \(consequence). Its ports are "
                    + "\(ports.map(String.init).joined(separator: ", ")): name one of them in port.number.")
        case .externalNameTwice(let host):
            missing(
                "host",
                "\(use.destination.host) is another name for \(host), which is itself one for something else; one step is "
                    + "followed, so \(consequence). Name what \(host) stands for.")
        case .nothingToResolve(let host):
            missing(
                "host",
                "Names lead to the endpoints of \(host), and it has none for this port and subset, so \(consequence). Add an "
                    + "endpoint that carries the subset's labels, or one its selector finds.")
        case .notExported(let host, let namespace):
            missing(
                "host",
                "Service \(host) of namespace \(namespace) is not exported to the gateway's namespace, so \(consequence). Add "
                    + "that to its exportTo, which a Service has in the annotation networking.istio.io/exportTo.")
        case .unknownHost(let host):
            let taken = use.destination.host == host ? "" : " (written \(use.destination.host))"
            missing(
                "host",
                "There is no service \(host)\(taken), so \(consequence). Declare it with a ServiceEntry or a Service, or correct "
                    + "the host: a name with a dot is taken as a full name.")
        }
    }
}

/// A destination and where it is written.
private struct DestinationUse {
    enum Role {
        case route
        case mirror
        /// Of `tls:` and `tcp:`.
        case stream
    }

    let destination: Destination
    let path: String
    let line: Int
    let role: Role

    /// What happens when it leads nowhere.
    var consequence: String {
        switch role {
        case .route: "its requests are answered with 503"
        case .mirror: "the copies are dropped"
        case .stream: "its connections fail"
        }
    }

    static func all(in service: VirtualService) -> [DestinationUse] {
        let http = service.http.enumerated().flatMap { index, route in all(in: route, "spec.http[\(index)]") }
        let tls = service.tls.enumerated().flatMap { index, route in all(in: route.route, "spec.tls[\(index)]") }
        let tcp = service.tcp.enumerated().flatMap { index, route in all(in: route.route, "spec.tcp[\(index)]") }
        return http + tls + tcp
    }

    private static func all(in route: HTTPRoute, _ path: String) -> [DestinationUse] {
        var uses = route.route.enumerated().map { place, entry in
            DestinationUse(
                destination: entry.destination, path: "\(path).route[\(place)].destination", line: entry.line,
                role: .route)
        }
        if let mirror = route.mirror {
            uses.append(DestinationUse(destination: mirror, path: "\(path).mirror", line: route.line, role: .mirror))
        }
        return uses
            + route.mirrors.enumerated().map { place, mirror in
                DestinationUse(
                    destination: mirror.destination, path: "\(path).mirrors[\(place)].destination", line: mirror.line,
                    role: .mirror)
            }
    }

    private static func all(in route: [RouteDestination], _ path: String) -> [DestinationUse] {
        route.enumerated().map { place, entry in
            DestinationUse(
                destination: entry.destination, path: "\(path).route[\(place)].destination", line: entry.line,
                role: .stream)
        }
    }
}
