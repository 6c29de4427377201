import WeirConfig

/// Whether the connections to a Gateway's ports begin with a PROXY protocol header: its annotation.
struct ProxyProtocol {
    static let annotation = "weir.dev/proxy-protocol"

    let isExpected: Bool
    /// `namespace/name (file:line)`.
    private let gateway: String

    init(of gateway: Resource) {
        isExpected = gateway.metadata.annotations[Self.annotation]?.lowercased() == "true"
        self.gateway = "\(gateway.id.fullName) (\(gateway.location.file):\(gateway.location.line))"
    }

    /// What is wrong with the annotation of a Gateway.
    static func problem(of gateway: Resource) -> [Diagnostic] {
        guard let value = gateway.metadata.annotations[annotation], !["true", "false"].contains(value.lowercased())
        else { return [] }
        return [
            Diagnostic(
                .invalidAnnotation, .warning, resource: gateway.id, path: "metadata.annotations[\"\(annotation)\"]",
                location: gateway.location,
                message: "\(value) is no value of \(annotation), so connections come without a PROXY protocol header: "
                    + "write \"true\" or \"false\".")
        ]
    }

    /// Another Gateway's server at the same port is of another mind; this one comes first.
    func conflict(with other: ProxyProtocol, _ report: ServerReport) -> [Diagnostic] {
        guard isExpected != other.isExpected else { return [] }
        let state = isExpected ? "expects a PROXY protocol header" : "expects no PROXY protocol header"
        return [
            report(
                .conflictingGateways, ".port",
                "The port \(state), as Gateway \(gateway) has it, which comes first. Give both Gateways the same "
                    + "annotation \(Self.annotation), or this server another port number or bind address.")
        ]
    }
}
