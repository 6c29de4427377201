import WeirConfig

/// Who declares a listen address, so that servers which cannot share it are told apart: earlier wins (semantics 2.4).
///
/// A server of a kind that is not served takes no address from one that is.
struct PortClaims {
    private enum PortClass: String {
        case http = "plain HTTP"
        case tls = "TLS"
        case tcp = "TCP"

        init(_ server: Gateway.Server) {
            if server.isPlainHTTP {
                self = .http
            } else {
                self = server.port.protocol == .https || server.port.protocol == .tls ? .tls : .tcp
            }
        }
    }

    /// The first server that is served there; Gateways as `namespace/name (file:line)`.
    private var served: (portClass: PortClass, gateway: String)?
    /// The first one there that is not served, which Istio would give the address to.
    private var unserved: (portClass: PortClass, gateway: String)?
    /// By the name that a TLS server answers to, the Gateway that was first.
    private var names: [String: String] = [:]

    /// Whether a server is served, and what there is to tell.
    mutating func claim(
        _ server: Gateway.Server, _ hosts: ServerHosts, _ report: ServerReport
    ) -> (isServed: Bool, finding: Diagnostic?) {
        let portClass = PortClass(server)
        // Bytes without a name have one server to go to.
        if let served, served.portClass != portClass || portClass == .tcp {
            return (false, conflict(server, portClass, with: served, report))
        }
        if let problem = Self.unserved(server, portClass, report) {
            unserved = unserved ?? (portClass, report.gateway)
            return (false, problem)
        }
        if portClass == .tls {
            if let name = hosts.names.first(where: { names[$0] != nil }), let owner = names[name] {
                return (false, Self.duplicate(server, name, owner, report))
            }
            for name in hosts.names { names[name] = report.gateway }
        }
        served = served ?? (portClass, report.gateway)
        return (true, unserved.flatMap { $0.portClass == portClass ? nil : precedence(server, portClass, $0, report) })
    }

    private func conflict(
        _ server: Gateway.Server, _ portClass: PortClass, with owner: (portClass: PortClass, gateway: String),
        _ report: ServerReport
    ) -> Diagnostic {
        report(
            .conflictingGateways, ".port",
            "Port \(server.port.number) already serves \(owner.portClass.rawValue) for Gateway \(owner.gateway), so this "
                + "\(portClass.rawValue) server is dropped. Give it another port number or bind address.")
    }

    /// Two TLS servers for one name: Istio drops the later one whole.
    private static func duplicate(
        _ server: Gateway.Server, _ name: String, _ owner: String, _ report: ServerReport
    ) -> Diagnostic {
        report(
            .conflictingGateways, ".hosts",
            "Port \(server.port.number) already serves TLS for \(name) for Gateway \(owner), so this whole server is "
                + "dropped. Keep the host in one of them, or give this server another port number or bind address.")
    }

    /// Istio would have given the address to another.
    private func precedence(
        _ server: Gateway.Server, _ portClass: PortClass, _ other: (portClass: PortClass, gateway: String),
        _ report: ServerReport
    ) -> Diagnostic {
        report(
            .conflictingGateways, ".port",
            "Port \(server.port.number) is declared for \(other.portClass.rawValue) by Gateway \(other.gateway) first; Istio "
                + "sees a conflict and drops this \(portClass.rawValue) server. Weir does not serve that one, so it serves "
                + "this. Give one of them another port number or bind address.")
    }

    /// Why a server is of a kind that is not served, if so.
    private static func unserved(
        _ server: Gateway.Server, _ portClass: PortClass, _ report: ServerReport
    ) -> Diagnostic? {
        if server.bind?.hasPrefix("unix:") == true {
            return report(
                .unsupportedServer, ".bind",
                "Listening on a unix socket is not served by this version. Use an IP address, or leave bind out.")
        }
        switch (server.tls ?? Gateway.TLS()).mode {
        case .autoPassthrough where portClass == .tls:
            return report(
                .unsupportedServer, ".tls.mode",
                "AUTO_PASSTHROUGH routes by names that only the sidecars of a mesh send. Use PASSTHROUGH with tls routes of a "
                    + "VirtualService.")
        case .istioMutual where portClass == .tls:
            return report(
                .unsupportedServer, ".tls.mode",
                "ISTIO_MUTUAL needs certificates that only a mesh issues. Use MUTUAL with a Secret of your own.")
        default: break
        }
        return nil
    }
}

/// Makes diagnostics of one server.
struct ServerReport {
    let resource: Resource
    let index: Int
    let line: Int

    var gateway: String {
        let location = resource.location(line: line)
        return "\(resource.id.fullName) (\(location.file):\(location.line))"
    }

    func callAsFunction(_ code: DiagnosticCode, _ field: String, _ message: String) -> Diagnostic {
        Diagnostic(
            code, .warning, resource: resource.id, path: "spec.servers[\(index)]" + field,
            location: resource.location(line: line), message: message)
    }
}
