import WeirConfig

/// What a service's port speaks, as far as that matters to a gateway (semantics 5.1).
enum PortProtocol: Equatable {
    /// HTTP/2, and gRPC with it.
    case http2
    /// Anything else: spoken to in HTTP/1.1.
    case other

    /// As ServiceEntries name protocols: `HTTP2`, `GRPC`, `GRPC-WEB`; and as names of ports begin: `grpc-orders`.
    init(_ name: String) {
        let name = name.lowercased()
        if name.hasPrefix("grpc-web") {
            self = .http2
            return
        }
        switch name.prefix(while: { $0 != "-" }) {
        case "http2", "grpc": self = .http2
        default: self = .other
        }
    }
}

extension ServicePort {
    /// Of a Kubernetes Service: what `appProtocol` says comes before the name.
    var kubernetesProtocol: PortProtocol {
        guard let appProtocol else { return PortProtocol(name) }
        return appProtocol.lowercased() == "kubernetes.io/h2c" ? .http2 : PortProtocol(appProtocol)
    }
}
