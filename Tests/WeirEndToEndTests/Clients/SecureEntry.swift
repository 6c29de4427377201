import WeirServer
import WeirTestSupport

/// The running server with a plain port (80) and one with TLS (443) for `api.example.com`, in front of one service.
struct SecureEntry {
    static let host = "api.example.com"

    let server: RunningServer
    let authority: TestAuthority

    /// Without `routes`, which are rules of a VirtualService, everything goes to the service `good`; `more` are documents.
    init(
        upstream: Int, protocol name: String = "HTTP", mode: String = "SIMPLE", key: TestAuthority.KeyKind = .ecdsa,
        routes: String = "- route: [{destination: {host: good}}]", more: [String] = [],
        configure: (inout ServerOptions) -> Void = { _ in }
    ) throws {
        authority = try TestAuthority()
        let identity = try authority.issue([Self.host], key: key)
        server = try RunningServer.live(
            [
                Documents.secureGateway(mode: mode),
                try Documents.secret("certificate", identity, clientAuthority: mode == "SIMPLE" ? nil : authority),
                Documents.virtualService(http: routes),
                Documents.serviceEntry("good", protocol: name, port: upstream),
            ] + more, ports: [80, 443], configure: configure)
    }

    /// What makes a client find the name here, in curl's and h2load's words.
    func url(_ path: String, secure: Bool) throws -> String {
        "\(secure ? "https" : "http")://\(Self.host):\(try port(secure: secure))\(path)"
    }

    func port(secure: Bool) throws -> Int { try server.port(secure ? 443 : 80) }

    /// curl as a careful client has it: certificates are verified.
    func curl(_ path: String, secure: Bool = true, _ options: [String] = []) throws -> Tool.Outcome {
        let port = try port(secure: secure)
        return try Tool("curl").run(
            [
                "--silent", "--show-error", "--max-time", "30", "--cacert", authority.certificate, "--resolve",
                "\(Self.host):\(port):127.0.0.1",
            ] + options + [try url(path, secure: secure)])
    }
}
