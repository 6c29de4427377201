/// Istio `Gateway` (networking.istio.io): which ports are listened on, for which hosts.
package struct Gateway: Sendable, Hashable {
    package var servers: [Server] = []
    package var selector: [String: String] = [:]

    package init() {}

    package struct Server: Sendable, Hashable {
        package var port = Port()
        /// Listen address or `unix://` path; absent = the process default.
        package var bind: String?
        package var hosts: [String] = []
        package var tls: TLS?
        package var name: String?
        package var defaultEndpoint: String?
        package var line = 0

        package init() {}

        /// Plain HTTP: the class Istio serves from one HTTP listener (semantics 2.2).
        package var isPlainHTTP: Bool {
            switch port.protocol {
            case .http, .http2, .grpc, .grpcWeb, .httpProxy: true
            default: false
            }
        }
    }

    package struct Port: Sendable, Hashable {
        package var number = 0
        package var `protocol` = PortProtocol.http
        package var name = ""
        package init() {}
    }

    /// `servers[].port.protocol`, case-insensitive in YAML.
    package enum PortProtocol: String, Sendable, Hashable, CaseIterable {
        case http = "HTTP"
        case http2 = "HTTP2"
        case grpc = "GRPC"
        case grpcWeb = "GRPC-WEB"
        case https = "HTTPS"
        case tls = "TLS"
        case tcp = "TCP"
        case httpProxy = "HTTP_PROXY"
        case mongo = "MONGO"
        case redis = "REDIS"
        case mysql = "MYSQL"
    }

    /// `servers[].tls`.
    ///
    /// The zero value of `mode` is PASSTHROUGH, as in Istio's API.
    package struct TLS: Sendable, Hashable {
        package enum Mode: String, Sendable, Hashable, CaseIterable {
            case passthrough = "PASSTHROUGH"
            case simple = "SIMPLE"
            case mutual = "MUTUAL"
            case autoPassthrough = "AUTO_PASSTHROUGH"
            case istioMutual = "ISTIO_MUTUAL"
            case optionalMutual = "OPTIONAL_MUTUAL"
        }
        package var mode = Mode.passthrough
        package var httpsRedirect = false
        package var credentialName: String?
        package var credentialNames: [String] = []
        package var caCertCredentialName: String?
        package var serverCertificate: String?
        package var privateKey: String?
        package var caCertificates: String?
        /// How many `tlsCertificates` are written; they count as a source of certificates.
        package var tlsCertificateCount = 0
        package init() {}
    }
}
