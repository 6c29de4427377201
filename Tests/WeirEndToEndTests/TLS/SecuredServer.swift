import WeirTestSupport

/// YAML of servers of TLS, and clients for them: the programs that people use.
enum Secured {
    /// A Gateway with these servers.
    static func gateway(_ name: String = "entry", _ servers: String...) -> String {
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: \(name)}\nspec:\n  servers:\n"
            + servers.joined()
    }

    /// A server of a Gateway; `tls` in flow style without its braces, empty = none.
    static func server(
        _ hosts: String, port: Int = 443, _ portProtocol: String = "HTTPS", name: String = "https", tls: String
    ) -> String {
        "  - port: {number: \(port), name: \(name), protocol: \(portProtocol)}\n    hosts: [\(hosts)]\n"
            + (tls.isEmpty ? "" : "    tls: {\(tls)}\n")
    }

    static func secret(_ name: String, _ identity: TestAuthority.Identity) throws -> String {
        secret(name, ["tls.crt": try identity.certificateText, "tls.key": try identity.keyText])
    }

    static func secret(_ name: String, _ values: [String: String]) -> String {
        let data = values.sorted { $0.key < $1.key }.map { key, text in
            "  \(key): |\n" + text.split(separator: "\n").map { "    \($0)\n" }.joined()
        }
        return "apiVersion: v1\nkind: Secret\nmetadata: {name: \(name)}\nstringData:\n" + data.joined()
    }
}

/// A client that speaks TLS: `curl` and `openssl s_client`.
struct SecuredClient: Sendable {
    private let curl: Tool
    private let openssl: Tool
    private let authority: String
    let port: Int

    /// Trusts this authority alone.
    init(port: Int, trusting authority: TestAuthority) throws {
        curl = try Tool("curl")
        openssl = try Tool("openssl")
        self.authority = authority.certificate
        self.port = port
    }

    /// The status of a request over a connection of its own, or why there is none.
    func status(_ host: String, _ more: String...) throws -> String {
        let outcome = try curl.run(
            ["-s", "-o", "/dev/null", "-w", "%{http_code}"] + arguments(host) + more + [url(host)])
        return outcome.status == 0 ? outcome.output : "curl \(outcome.status)"
    }

    /// Sends this many requests over one connection; throws if one of them is not answered 200.
    func requests(_ count: Int, _ host: String) throws {
        let outcome = try curl.run(
            ["-sS", "--no-progress-meter", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\\n"]
                + arguments(host) + ["\(url(host))[1-\(count)]"], seconds: 120)
        let lines = outcome.output.split(separator: "\n")
        let connects = lines.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        guard outcome.status == 0, lines.count == count, lines.allSatisfy({ $0.hasPrefix("200 ") }), connects == 1
        else {
            let odd = lines.first { !$0.hasPrefix("200 ") } ?? ""
            throw TestSocketError(
                description: "\(lines.count) answers, \(connects) connections, \(odd): \(outcome.errors)")
        }
    }

    /// The certificate that is shown for a name, as PEM text; empty when the handshake fails.
    func certificate(_ name: String) throws -> String {
        let outcome = try openssl.run(["s_client", "-connect", "127.0.0.1:\(port)", "-servername", name])
        guard let start = outcome.output.firstRange(of: "-----BEGIN CERTIFICATE-----"),
            let end = outcome.output.firstRange(of: "-----END CERTIFICATE-----")
        else { return "" }
        return outcome.output[start.lowerBound..<end.upperBound] + "\n"
    }

    /// Whether this certificate is the one that is shown.
    func sees(_ identity: TestAuthority.Identity, _ name: String) throws -> Bool {
        try certificate(name) == identity.certificateText
    }

    private func url(_ host: String) -> String { "https://\(host):\(port)/" }

    private func arguments(_ host: String) -> [String] {
        ["--cacert", authority, "--resolve", "\(host):\(port):127.0.0.1", "--max-time", "60"]
    }
}
