import WeirConfig

extension RoutedService {
    /// What is wrong with the destinations named, found anew when they may lead elsewhere than last time.
    ///
    /// `serverPort` is that of a server that serves this VirtualService, if any does.
    func destinationDiagnostics(_ clusters: ClusterCompiler, serverPort: Int?) -> [Diagnostic] {
        // Nobody gets here: its other problems say so.
        guard let serverPort else { return [] }
        let state = DestinationFindings.State(version: clusters.version, serverPort: serverPort)
        if destinationFindings.state == state { return destinationFindings.diagnostics }
        let diagnostics = uses.flatMap { use in
            let answer = clusters.resolve(
                DestinationRequest(use.destination, namespace: use.resource.id.namespace, serverPort: serverPort))
            return findings(use, answer)
        }
        destinationFindings = DestinationFindings(state: state, diagnostics: diagnostics)
        return diagnostics
    }

    private func findings(_ use: Use, _ answer: DestinationAnswer) -> [Diagnostic] {
        var found: [Diagnostic] = []
        func report(_ code: DiagnosticCode, _ field: String, _ message: String) {
            found.append(
                Diagnostic(
                    code, .warning, resource: use.resource.id, path: "\(use.path).\(field)",
                    location: use.resource.location(line: use.line), message: message))
        }
        // For a while everything is as it was; then the finding is another one.
        let consequence = Self.consequence(use, answer)
        switch answer.problem {
        case .unknownHost(let host):
            let taken = use.destination.host == host ? "" : " (written \(use.destination.host))"
            report(
                .referenceNotFound, "host",
                "There is no service \(host)\(taken), \(consequence). Declare it with a ServiceEntry or a "
                    + "Service, or correct the host: a name with a dot is taken as a full name.")
        case .notExported(let host, let namespace):
            report(
                .referenceNotFound, "host",
                "Service \(host) of namespace \(namespace) is not exported to the gateway's namespace, \(consequence). "
                    + "Add that to its exportTo, which a Service has in the annotation "
                    + "networking.istio.io/exportTo.")
        case .externalNameTwice(let host):
            report(
                .referenceNotFound, "host",
                "\(use.destination.host) is another name for \(host), which is itself one for something else; one step is "
                    + "followed, \(consequence). Name what \(host) stands for.")
        case .nothingToResolve(let host):
            report(
                .referenceNotFound, "host",
                "Names lead to the endpoints of \(host), and it has none for this port and subset, \(consequence). "
                    + "Add an endpoint that carries the subset's labels, or one its selector finds.")
        case .unknownSubset(let host):
            report(
                .referenceNotFound, "subset",
                "No DestinationRule in force for \(host) has the subset \(use.destination.subset ?? ""), \(consequence). "
                    + "Add the subset to the DestinationRule, or correct its name.")
        case .unknownPort(let host, let ports):
            report(
                .referenceNotFound, "port",
                "Service \(host) has no port \(answer.port), \(consequence). "
                    + "Its ports are \(Self.list(ports)): name one of them in port.number.")
        case nil: break
        }
        if !answer.ambiguousPorts.isEmpty {
            report(
                .portSelectorRequired, "port",
                "The service has the ports \(Self.list(answer.ambiguousPorts)) and none is named, so the Gateway's port "
                    + "\(answer.port) is taken. Name one in port.number.")
        }
        return found
    }

    private static func consequence(_ use: Use, _ answer: DestinationAnswer) -> String {
        let soon = answer.isRetained ? "soon will be" : "are"
        return switch use.role {
        case .connections: "so its connections \(soon) closed"
        case .copies: "so the copies \(soon) dropped"
        case .requests, .nothing: "so its requests \(soon) answered with 503"
        }
    }

    private static func list(_ ports: [Int]) -> String {
        ports.isEmpty ? "none" : ports.map(String.init).joined(separator: ", ")
    }
}

/// Findings about destinations, and what they were made from.
struct DestinationFindings {
    struct State: Equatable {
        let version: Int
        let serverPort: Int
    }
    var state: State?
    var diagnostics: [Diagnostic] = []
}
