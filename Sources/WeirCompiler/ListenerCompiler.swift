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
    /// `nil` where requests come in the clear.
    let tls: SecuredServer?
    var content = ServerContent.http
}

/// What comes in through a server.
enum ServerContent {
    case http
    /// Bytes, which the `tcp` routes of VirtualServices are for; inside TLS, where the server has it.
    case stream
    /// TLS that is not ended here, which `tls` routes are for.
    case passthrough
}

/// A server whose connections come in TLS.
struct SecuredServer {
    let gateway: Resource
    let server: Gateway.Server
    let settings: Gateway.TLS
    let report: ServerReport

    /// Of its route table, as Istio names it (semantics 2.4).
    var tableName: String {
        "https.\(server.port.number).\(server.port.name).\(gateway.id.name).\(gateway.id.namespace)"
    }

    /// As listings speak of it.
    var title: String { "Gateway \(gateway.id.fullName) \(server.port.name)" }
}

/// The Gateways laid out by port: what is listened on, by whom, for which hosts.
struct ListenerLayout {
    struct Listener {
        let port: Int
        var bind: String?
        /// Its servers have certificates and route tables of their own.
        let isSecured: Bool
        /// Its connections begin with a PROXY protocol header.
        let proxyProtocol: ProxyProtocol
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
        var claims: [ListenAddress: PortClaims] = [:]
        var places: [ListenAddress: Int] = [:]
        for resource in gateways {
            guard case .gateway(let gateway) = resource.spec else { continue }
            let name = resource.id.fullName
            // Known, even when no server of it is served.
            layout.serversByGateway[name] = []
            let isOurs = options.gatewayLabels == nil || options.carries(gateway.selector)
            if isOurs { layout.diagnostics += ProxyProtocol.problem(of: resource) }
            if !isOurs { layout.diagnostics.append(Self.foreign(resource)) }
            for (index, server) in gateway.servers.enumerated() {
                let hosts = ServerHosts(server.hosts, gatewayNamespace: resource.id.namespace)
                layout.hostsByGateway[name, default: []].append(hosts)
                guard isOurs else { continue }
                let address = ListenAddress(port: server.port.number, bind: server.bind, standard: options.bind)
                let report = ServerReport(resource: resource, index: index, line: server.line)
                let (isServed, finding) = claims[address, default: PortClaims()].claim(server, hosts, report)
                layout.diagnostics += finding.map { [$0] } ?? []
                guard isServed else { continue }
                let place = layout.servers.count
                layout.servers.append(self.served(server, report, hosts))
                layout.serversByGateway[name, default: []].append(place)
                let proxies = ProxyProtocol(of: resource)
                if let known = places[address] {
                    layout.diagnostics += layout.listeners[known].proxyProtocol.conflict(with: proxies, report)
                    layout.listeners[known].servers.append(place)
                    layout.listeners[known].bind = ListenAddress.wider(
                        layout.listeners[known].bind, server.bind, standard: options.bind)
                } else {
                    places[address] = layout.listeners.count
                    layout.listeners.append(
                        ListenerLayout.Listener(
                            port: address.port, bind: server.bind, isSecured: server.isSecured,
                            proxyProtocol: proxies, servers: [place]))
                }
            }
        }
        return layout
    }

    private mutating func served(
        _ server: Gateway.Server, _ report: ServerReport, _ hosts: ServerHosts
    ) -> ServedServer {
        let gateway = report.resource
        let secured = server.isSecured ? server.tls ?? Gateway.TLS() : nil
        return ServedServer(
            entrance: entrance(gateway: gateway.id.fullName, port: server.port.number), hosts: hosts,
            redirectsToHTTPS: server.isPlainHTTP && server.tls?.httpsRedirect == true,
            tls: secured.map { SecuredServer(gateway: gateway, server: server, settings: $0, report: report) },
            content: server.content)
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
}

extension Resource {
    /// A line of the resource's file, or where the resource starts when none was recorded.
    func location(line: Int) -> SourceLocation {
        SourceLocation(file: location.file, line: line > 0 ? line : location.line)
    }
}

extension Gateway.Server {
    /// Its connections come in TLS.
    var isSecured: Bool { port.protocol == .https || port.protocol == .tls }

    fileprivate var content: ServerContent {
        if isPlainHTTP { return .http }
        guard isSecured else { return .stream }
        if (tls ?? Gateway.TLS()).mode == .passthrough { return .passthrough }
        return port.protocol == .tls ? .stream : .http
    }
}
