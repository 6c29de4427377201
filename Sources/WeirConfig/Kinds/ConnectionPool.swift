extension TrafficPolicy {
    /// `connectionPool`.
    ///
    /// An absent number means no limit; a written 0 is read as absent, as Istio reads it.
    package struct ConnectionPoolSettings: Sendable, Hashable {
        package struct TCP: Sendable, Hashable {
            package var maxConnections: Int?
            /// `nil` = 10 s.
            package var connectTimeoutMilliseconds: Int?
            package var tcpKeepalive: Keepalive?
            package var maxConnectionDurationMilliseconds: Int?
            /// 0 = never.
            package var idleTimeoutMilliseconds: Int?
            package init() {}
        }

        package struct Keepalive: Sendable, Hashable {
            package var probes: Int?
            package var timeMilliseconds: Int?
            package var intervalMilliseconds: Int?
            package init() {}
        }

        package struct HTTP: Sendable, Hashable {
            package var http1MaxPendingRequests: Int?
            package var http2MaxRequests: Int?
            package var maxRequestsPerConnection: Int?
            package var maxRetries: Int?
            package var idleTimeoutMilliseconds: Int?
            package var h2UpgradePolicy = H2UpgradePolicy.default
            package var useClientProtocol = false
            package var maxConcurrentStreams: Int?
            package var http2KeepAlive: HTTP2KeepAlive?
            package init() {}
        }

        package enum H2UpgradePolicy: String, Sendable, Hashable, CaseIterable {
            case `default` = "DEFAULT"
            case doNotUpgrade = "DO_NOT_UPGRADE"
            case upgrade = "UPGRADE"
        }

        package struct HTTP2KeepAlive: Sendable, Hashable {
            package var intervalMilliseconds: Int?
            package var timeoutMilliseconds: Int?
            package init() {}
        }

        package var tcp: TCP?
        package var http: HTTP?

        package init() {}

        /// `tcp.connectTimeout`; `nil` = 10 s.
        package var connectTimeoutMilliseconds: Int? { tcp?.connectTimeoutMilliseconds }

        /// `http.idleTimeout`, else `tcp.idleTimeout`; `nil` = 1 h, 0 = never.
        package var idleTimeoutMilliseconds: Int? { http?.idleTimeoutMilliseconds ?? tcp?.idleTimeoutMilliseconds }
    }

    /// `outlierDetection`; the defaults are Istio's (semantics 4.5).
    package struct OutlierDetection: Sendable, Hashable {
        package var splitExternalLocalOriginErrors = false
        package var consecutiveLocalOriginFailures: Int?
        package var consecutiveGatewayErrors: Int?
        /// 0 = off.
        package var consecutive5xxErrors: Int?
        package var intervalMilliseconds: Int?
        package var baseEjectionTimeMilliseconds: Int?
        package var maxEjectionPercent: Int?
        package var minHealthPercent: Int?
        /// Statuses that count as errors instead of 5xx.
        package var httpErrorCodes: [Int] = []
        package init() {}
    }

    /// `tls`: how connections to the endpoints are secured.
    package struct ClientTLS: Sendable, Hashable {
        package enum Mode: String, Sendable, Hashable, CaseIterable {
            case disable = "DISABLE"
            case simple = "SIMPLE"
            case mutual = "MUTUAL"
            case istioMutual = "ISTIO_MUTUAL"
        }
        package var mode = Mode.disable
        package var clientCertificate: String?
        package var privateKey: String?
        package var caCertificates: String?
        package var credentialName: String?
        package var subjectAltNames: [String] = []
        package var sni: String?
        package var insecureSkipVerify: Bool?
        package var caCrl: String?
        package init() {}
    }
}
