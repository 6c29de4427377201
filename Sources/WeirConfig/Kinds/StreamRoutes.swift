/// One entry of a VirtualService's `tls:`: connections passed through by their SNI.
package struct TLSRoute: Sendable, Hashable {
    package var match: [StreamMatch] = []
    package var route: [RouteDestination] = []
    package var line = 0

    package init() {}
}

/// One entry of a VirtualService's `tcp:`.
package struct TCPRoute: Sendable, Hashable {
    package var match: [StreamMatch] = []
    package var route: [RouteDestination] = []
    package var line = 0

    package init() {}
}

/// One entry of `match:` under `tls:` or `tcp:`; only the former has `sniHosts`.
package struct StreamMatch: Sendable, Hashable {
    package var sniHosts: [String] = []
    /// CIDR ranges or addresses.
    package var destinationSubnets: [String] = []
    package var port: Int?
    /// A CIDR range or an address; deprecated, of `tcp:` only.
    package var sourceSubnet: String?
    package var sourceLabels: [String: String] = [:]
    package var sourceNamespace: String?
    package var gateways: [String] = []
    package var line = 0

    package init() {}
}

/// One entry of `route:` under `tls:` or `tcp:`.
package struct RouteDestination: Sendable, Hashable {
    package var destination: Destination
    package var weight: Int?
    package var line = 0

    package init(destination: Destination) { self.destination = destination }
}
