import WeirTestSupport

@testable import WeirEngine

/// Certificates for the tests of a run, and gateways that show them.
enum TLSFixture {
    private static let made = Result { try TestAuthority() }
    private static let known = Result { try Known(made.get()) }

    /// The same for all tests, since keys take time to make.
    struct Known: Sendable {
        let api: TestAuthority.Identity
        let web: TestAuthority.Identity
        let apiRSA: TestAuthority.Identity
        let client: TestAuthority.Identity

        fileprivate init(_ authority: TestAuthority) throws {
            api = try authority.issue(["api.example.com"])
            web = try authority.issue(["web.example.com"])
            apiRSA = try authority.issue(["api.example.com"], key: .rsa)
            client = try authority.issue(["client-one.example.com"])
        }
    }

    static var authority: TestAuthority { get throws { try made.get() } }
    static var identities: Known { get throws { try known.get() } }

    static func spec(_ identities: TestAuthority.Identity...) throws -> TLSServerSpec {
        var spec = TLSServerSpec(certificates: [])
        for identity in identities {
            spec.certificates.append(
                TLSServerSpec.Certificate(
                    chainPEM: Array(try identity.certificateText.utf8), keyPEM: Array(try identity.keyText.utf8)))
        }
        return spec
    }

    static func contexts(
        _ identity: TestAuthority.Identity, workers: Int = 1, _ adjust: (inout TLSServerSpec) throws -> Void = { _ in }
    ) throws -> TLSServerContexts {
        var spec = try spec(identity)
        try adjust(&spec)
        return try TLSServerContexts(spec, workers: workers)
    }

    /// A server for these names whose one host, `example.com` or the names themselves, leads to the origins.
    struct Server {
        let names: [String]
        let contexts: TLSServerContexts?
    }

    static func snapshot(
        generation: UInt64 = 1, port: Int, origins: [Int], _ servers: [Server],
        routing: (inout RouteSpec) -> Void = { _ in }
    ) throws -> Snapshot {
        let plain = try GatewayFixture.snapshot(
            generation: generation, listeners: [port], origins: origins, routing: routing)
        let routes = plain.listeners[0].hosts[0].plan
        let plans = servers.map { server in
            let hosts = (server.names + ["example.com"]).map { ListenerPlan.Host(pattern: $0, plan: routes) }
            return TLSServerPlan(
                patterns: server.names, contexts: server.contexts,
                content: .http(ListenerPlan(port: port, bind: nil, hosts: hosts)))
        }
        return Snapshot(
            generation: generation, listeners: [ListenerPlan(port: port, bind: nil, servers: plans)],
            clusters: plain.clusters, clusterCapacity: 1)
    }

    static func gateway(
        origins: [Int] = [], workers: Int = 1, _ servers: Server...
    ) throws -> GatewayFixture {
        try GatewayFixture(workers: workers) { try snapshot(port: $0, origins: origins, servers) }
    }

    // MARK: Clients

    /// What `openssl s_client` says of a connection on which it sends this text.
    static func connect(
        _ port: Int, name: String?, _ arguments: [String] = [], sending text: String = request
    ) throws -> Tool.Outcome {
        let naming = name.map { ["-servername", $0] } ?? ["-noservername"]
        return try Tool("openssl").run(
            ["s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", authority.certificate, "-ign_eof"] + naming
                + arguments, input: text)
    }

    static let request = "GET /x HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"

    /// Fetches a path of a name's server; the status is curl's.
    static func fetch(_ port: Int, name: String, path: String = "/x", _ arguments: [String] = []) throws -> Tool.Outcome
    {
        try Tool("curl").run(
            [
                "-sS", "--cacert", authority.certificate, "--resolve", "\(name):\(port):127.0.0.1",
                "https://\(name):\(port)\(path)",
            ] + arguments)
    }
}
