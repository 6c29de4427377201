import WeirConfig
import WeirEngine

/// Where an endpoint is.
enum EndpointPlace: Hashable {
    case address(EndpointTarget)
    /// Wherever DNS says that this name is; lower-case.
    case name(String)

    /// An address as written, or else a name.
    init(_ text: String) {
        self = EndpointTarget(text).map { .address($0) } ?? .name(text.lowercased())
    }
}

/// A service's ports and endpoints, whatever it was declared by.
struct RegisteredService: Equatable {
    struct Port: Equatable {
        let number: Int
        let name: String
        var speaks = PortProtocol.other
    }
    struct Endpoint: Equatable {
        let place: EndpointPlace
        /// Port numbers in the order of the service's `ports`; 0 where the endpoint does not serve one.
        let ports: [UInt16]
        let labels: [String: String]
        let weight: UInt32
        /// Number of its workload (see `DestinationNames`).
        let workload: Int32
    }
    /// An endpoint at one of the service's ports.
    struct PlacedEndpoint: Hashable {
        let place: EndpointPlace
        let port: UInt16
    }
    /// How its endpoints are come by (Istio: `resolution`).
    enum Discovery: Equatable {
        case listed
        /// Every address of every name is an endpoint; where no endpoint is listed there is no cluster (semantics 5.3).
        case names
        /// Connections go to the first address of its one name.
        case firstAddress
    }

    /// Full name.
    let host: String
    /// As metrics call it: a Service's own name, or the host of a ServiceEntry.
    let name: String
    let namespace: String
    var ports: [Port]
    var endpoints: [Endpoint]
    var discovery = Discovery.listed
    /// Names of which the endpoints' certificates must have one, where their cluster says nothing else.
    var subjectAltNames: [String] = []
    /// The service this one is another name for (ExternalName); the endpoints count where there is no such service.
    var alias: String?

    init(
        host: String, name: String, namespace: String, ports: [Port], endpoints: [Endpoint],
        discovery: Discovery = .listed
    ) {
        self.host = host
        self.name = name
        self.namespace = namespace
        self.ports = ports
        self.endpoints = endpoints
        self.discovery = discovery
    }

    /// Leads the same routes to the same clusters as `other`, whatever their endpoints.
    func resolvesAs(_ other: RegisteredService) -> Bool {
        guard namespace == other.namespace, ports == other.ports, alias == other.alias, discovery == other.discovery
        else { return false }
        // Whether there is a cluster depends on them.
        return discovery == .listed || endpoints == other.endpoints
    }

    /// Whether it has a port of this number: any, where an ExternalName declares none.
    func serves(_ port: Int) -> Bool {
        ports.contains { $0.number == port } || (alias != nil && ports.isEmpty)
    }

    /// The endpoints of one port whose labels include `labels`; each place once, as the first entry says.
    func endpoints(port: Int, labels: [String: String]) -> [(placed: PlacedEndpoint, endpoint: Endpoint)] {
        let place = ports.firstIndex { $0.number == port }
        guard place != nil || serves(port) else { return [] }
        var seen: Set<PlacedEndpoint> = []
        return endpoints.compactMap { endpoint in
            guard let number = place.map({ endpoint.ports[$0] }) ?? UInt16(exactly: port), number > 0,
                labels.allSatisfy({ endpoint.labels[$0.key] == $0.value })
            else { return nil }
            let placed = PlacedEndpoint(place: endpoint.place, port: number)
            return seen.insert(placed).inserted ? (placed, endpoint) : nil
        }
    }

    /// A ServiceEntry of the same namespace adds what it has (semantics 5.3).
    mutating func merge(_ other: RegisteredService) {
        let known = ports.count
        if subjectAltNames.isEmpty { subjectAltNames = other.subjectAltNames }
        for port in other.ports where !ports.contains(where: { $0.number == port.number }) { ports.append(port) }
        // Every endpoint lists one number a port of the merged service.
        endpoints = endpoints.map { $0.with(ports: $0.ports + Array(repeating: 0, count: ports.count - known)) }
        endpoints += other.endpoints.map { endpoint in
            endpoint.with(
                ports: ports.map { port in
                    other.ports.firstIndex { $0.number == port.number }.map { endpoint.ports[$0] } ?? 0
                })
        }
    }
}

extension RegisteredService.Endpoint {
    fileprivate func with(ports: [UInt16]) -> Self {
        Self(place: place, ports: ports, labels: labels, weight: weight, workload: workload)
    }
}
