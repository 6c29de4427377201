import WeirConfig

/// Where requests come in: a Gateway and a port, on which alone a VirtualService's routes depend.
struct Entrance: Hashable {
    /// `namespace/name` of the Gateway, or `mesh`.
    let gateway: String
    /// Declared port number; in the mesh that of the service called.
    let port: Int
    /// Stands for both, in all generations.
    let binding: Int
}

/// A Gateway server that is served.
struct ServedServer {
    let entrance: Entrance
    let hosts: ServerHosts
    /// Requests for its hosts are sent to https.
    let redirectsToHTTPS: Bool
}

/// The Gateways laid out by port: what is listened on, by whom, for which hosts.
struct ListenerLayout {
    struct Listener {
        let port: Int
        var bind: String?
        /// Places in `servers`, in Istio's order.
        var servers: [Int] = []
    }

    var listeners: [Listener] = []
    var servers: [ServedServer] = []
    /// Places in `servers` by `namespace/name` of their Gateway.
    var serversByGateway: [String: [Int]] = [:]
    /// All hosts of each Gateway, those of servers that are not served included.
    var hostsByGateway: [String: [ServerHosts]] = [:]
    var diagnostics: [Diagnostic] = []
}

/// Gateways to listeners: order, merging and conflicts of semantics 2.1 to 2.5.
struct ListenerCompiler {
    private enum PortClass: String {
        case http = "plain HTTP"
        case tls = "TLS"
        case tcp = "TCP"
    }
    /// Who declares an address; Gateways as `namespace/name (file:line)`.
    private struct Claims {
        /// Gateway of the first server that is served there.
        var served: String?
        /// The first server there of a class that is not served, which Istio would give the address to.
        var unserved: (portClass: PortClass, gateway: String)?
    }
    private struct BindingKey: Hashable {
        let gateway: String
        let port: Int
    }

    private let options: CompilerOptions
    /// Numbers stay the same over generations, since compiled routes are kept under them.
    private var bindings: [BindingKey: Int] = [:]

    init(options: CompilerOptions) {
        self.options = options
    }

    /// Lays out all Gateways, which come in Istio's order: earlier wins.
    mutating func layout(_ gateways: [Resource]) -> ListenerLayout {
        var layout = ListenerLayout()
        var claims: [ListenAddress: Claims] = [:]
        var places: [ListenAddress: Int] = [:]
        for resource in gateways {
            guard case .gateway(let gateway) = resource.spec else { continue }
            let name = "\(resource.id.namespace)/\(resource.id.name)"
            // Known, even when no server of it is served.
            layout.serversByGateway[name] = []
            let isOurs = options.gatewayLabels == nil || options.carries(gateway.selector)
            if !isOurs { layout.diagnostics.append(Self.foreign(resource)) }
            for (index, server) in gateway.servers.enumerated() {
                let hosts = ServerHosts(server.hosts, gatewayNamespace: resource.id.namespace)
                layout.hostsByGateway[name, default: []].append(hosts)
                guard isOurs else { continue }
                let address = ListenAddress(port: server.port.number, bind: server.bind, standard: options.bind)
                let report = Report(resource: resource, index: index, line: server.line)
                if let problem = Self.problem(server, report, &claims[address, default: Claims()]) {
                    layout.diagnostics.append(problem)
                    continue
                }
                let share = Self.claim(server, report, &claims[address, default: Claims()])
                layout.diagnostics += share.map { [$0] } ?? []
                let place = layout.servers.count
                layout.servers.append(
                    ServedServer(
                        entrance: entrance(gateway: name, port: address.port), hosts: hosts,
                        redirectsToHTTPS: server.tls?.httpsRedirect == true))
                layout.serversByGateway[name, default: []].append(place)
                if let known = places[address] {
                    layout.listeners[known].servers.append(place)
                    layout.listeners[known].bind = ListenAddress.wider(
                        layout.listeners[known].bind, server.bind, standard: options.bind)
                } else {
                    places[address] = layout.listeners.count
                    layout.listeners.append(
                        ListenerLayout.Listener(port: address.port, bind: server.bind, servers: [place]))
                }
            }
        }
        return layout
    }

    /// The same for the same Gateway and port in all generations.
    mutating func entrance(gateway: String, port: Int) -> Entrance {
        let key = BindingKey(gateway: gateway, port: port)
        if let known = bindings[key] { return Entrance(gateway: gateway, port: port, binding: known) }
        bindings[key] = bindings.count
        return Entrance(gateway: gateway, port: port, binding: bindings.count - 1)
    }

    private static func foreign(_ gateway: Resource) -> Diagnostic {
        Diagnostic(
            .notBoundToGateway, .info, resource: gateway.id, path: "spec.selector", location: gateway.location,
            message: "The Gateway selects other labels than those of --gateway-selector, so it is not served here.")
    }

    /// Makes diagnostics of one server.
    private struct Report {
        let resource: Resource
        let index: Int
        let line: Int

        var gateway: String {
            let location = resource.location(line: line)
            return "\(resource.id.namespace)/\(resource.id.name) (\(location.file):\(location.line))"
        }

        func callAsFunction(_ code: DiagnosticCode, _ field: String, _ message: String) -> Diagnostic {
            Diagnostic(
                code, .warning, resource: resource.id, path: "spec.servers[\(index)]" + field,
                location: resource.location(line: line), message: message)
        }
    }

    /// Why a server is not served, if so.
    ///
    /// A server of a class that is not served takes no address from one that is.
    private static func problem(_ server: Gateway.Server, _ report: Report, _ claims: inout Claims) -> Diagnostic? {
        let portClass = portClass(of: server)
        if portClass != .http {
            if let owner = claims.served {
                return report(
                    .conflictingGateways, ".port",
                    "Port \(server.port.number) already serves \(PortClass.http.rawValue) for Gateway \(owner), so this "
                        + "\(portClass.rawValue) server is dropped. Give it another port number or bind address.")
            }
            claims.unserved = claims.unserved ?? (portClass, report.gateway)
            return report(
                .unsupportedServer, ".port.protocol",
                "Protocol \(server.port.protocol.rawValue) is not served by this version; the port is not listened on for "
                    + "it. Use protocol HTTP, or terminate TLS in front of Weir.")
        }
        if server.bind?.hasPrefix("unix:") == true {
            return report(
                .unsupportedServer, ".bind",
                "Listening on a unix socket is not served by this version. Use an IP address, or leave bind out.")
        }
        return nil
    }

    /// Notes that a server is served; tells when Istio would have given its address to another.
    private static func claim(_ server: Gateway.Server, _ report: Report, _ claims: inout Claims) -> Diagnostic? {
        claims.served = claims.served ?? report.gateway
        guard let other = claims.unserved else { return nil }
        return report(
            .conflictingGateways, ".port",
            "Port \(server.port.number) is declared for \(other.portClass.rawValue) by Gateway \(other.gateway) first; Istio "
                + "sees a conflict and drops this plain HTTP server. Weir does not serve \(other.portClass.rawValue), so "
                + "it serves this one. Give one of them another port number or bind address.")
    }

    private static func portClass(of server: Gateway.Server) -> PortClass {
        if server.isPlainHTTP { return .http }
        switch server.port.protocol {
        case .https, .tls: return .tls
        default: return .tcp
        }
    }
}

extension Resource {
    /// A line of the resource's file, or where the resource starts when none was recorded.
    func location(line: Int) -> SourceLocation {
        SourceLocation(file: location.file, line: line > 0 ? line : location.line)
    }
}
