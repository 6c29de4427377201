/// Istio `VirtualService` (networking.istio.io): how the requests for some hosts are routed.
package struct VirtualService: Sendable, Hashable {
    package var hosts: [String] = []
    /// As written.
    ///
    /// Empty means `mesh` only, so the gateway does not serve it (semantics 3.1).
    package var gateways: [String] = []
    package var http: [HTTPRoute] = []
    package var tls: [TLSRoute] = []
    package var tcp: [TCPRoute] = []
    package var exportTo: [String] = []

    package init() {}
}

/// One entry of `http:`.
package struct HTTPRoute: Sendable, Hashable {
    package var name: String?
    package var match: [HTTPMatchRequest] = []
    package var route: [HTTPRouteDestination] = []
    @Boxed package var redirect: HTTPRedirect?
    @Boxed package var directResponse: HTTPDirectResponse?
    @Boxed package var delegate: Delegate?
    @Boxed package var rewrite: HTTPRewrite?
    /// Whole milliseconds; 0 when `timeout: 0s` is written, which means no limit as `nil` does.
    package var timeoutMilliseconds: Int?
    @Boxed package var retries: HTTPRetry?
    @Boxed package var fault: HTTPFaultInjection?
    @Boxed package var mirror: Destination?
    @Boxed package var mirrorPercentage: Percent?
    /// The older spelling.
    @Boxed package var mirrorPercent: Percent?
    package var mirrors: [HTTPMirrorPolicy] = []
    @Boxed package var corsPolicy: CorsPolicy?
    @Boxed package var headers: Headers?
    package var line = 0

    package init() {}
}

/// One entry of `match:`: all conditions must hold.
package struct HTTPMatchRequest: Sendable, Hashable {
    package var name: String?
    package var uri: StringMatch?
    package var scheme: StringMatch?
    package var method: StringMatch?
    package var authority: StringMatch?
    /// Names are lower-cased.
    ///
    /// Sorted by name, so equal matches compare equal.
    package var headers: [NamedMatch] = []
    package var withoutHeaders: [NamedMatch] = []
    package var queryParams: [NamedMatch] = []
    package var port: Int?
    package var sourceLabels: [String: String] = [:]
    package var sourceNamespace: String?
    package var gateways: [String] = []
    package var ignoreUriCase = false
    package var statPrefix: String?
    package var line = 0

    package init() {}
}

/// A condition on one header or query parameter.
package struct NamedMatch: Sendable, Hashable {
    package var name: String
    package var match: StringMatch

    package init(name: String, match: StringMatch) {
        self.name = name
        self.match = match
    }
}

/// One entry of `route:`.
package struct HTTPRouteDestination: Sendable, Hashable {
    package var destination: Destination
    /// `nil` when not written; 0 among several, all of it when alone.
    package var weight: Int?
    @Boxed package var headers: Headers?
    package var line = 0

    package init(destination: Destination, weight: Int? = nil) {
        self.destination = destination
        self.weight = weight
    }
}

/// Where traffic goes: a host of the registry, maybe a subset, maybe a port.
package struct Destination: Sendable, Hashable {
    package var host: String
    package var subset: String?
    package var port: Int?

    package init(host: String, subset: String? = nil, port: Int? = nil) {
        self.host = host
        self.subset = subset
        self.port = port
    }
}
