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
        @Boxed package var tls: TLS?
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
        package var caCrl: String?
        package var tlsCertificates: [Certificate] = []
        /// Names of which a client's certificate must have one.
        package var subjectAltNames: [String] = []
        /// Base64 SHA-256 of public keys.
        package var verifyCertificateSpki: [String] = []
        /// Hex SHA-256 of certificates.
        package var verifyCertificateHash: [String] = []
        package var minProtocolVersion = ProtocolVersion.auto
        package var maxProtocolVersion = ProtocolVersion.auto
        package var cipherSuites: [String] = []
        package var insecureSkipVerify = false
        package init() {}

        package struct Certificate: Sendable, Hashable {
            package var serverCertificate: String?
            package var privateKey: String?
            package var caCertificates: String?
            package init() {}
        }

        package enum ProtocolVersion: String, Sendable, Hashable, CaseIterable {
            /// 1.2 as the least, 1.3 as the greatest.
            case auto = "TLS_AUTO"
            case tls10 = "TLSV1_0"
            case tls11 = "TLSV1_1"
            case tls12 = "TLSV1_2"
            case tls13 = "TLSV1_3"
        }
    }
}
