import Foundation
import Testing
import WeirTestSupport

/// curl in each protocol it speaks.
@Suite struct CurlTests {
    private static func echo() throws -> OriginServer {
        try OriginServer { request, socket in
            let scheme = request["x-forwarded-proto"] ?? "-"
            let body = request.body.isEmpty ? Array("\(request.target) \(scheme)".utf8) : request.body
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
            try socket.send(body)
            return true
        }
    }

    @Test(arguments: [("--http1.1", "1.1"), ("--http2", "2")], [TestAuthority.KeyKind.ecdsa, .rsa])
    func verifiesTheCertificateAndChoosesTheProtocol(version: (String, String), key: TestAuthority.KeyKind) throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port, key: key)
        let answer = try entry.curl("/a?b", [version.0, "--write-out", "\n%{http_code} %{http_version}"])
        #expect(answer.output == "/a?b https\n200 \(version.1)", "\(answer.errors)")
    }

    @Test(arguments: [["--http2-prior-knowledge"], ["--http1.1"]])
    func speaksPlainTextToo(version: [String]) throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let answer = try entry.curl(
            "/plain", secure: false, version + ["--write-out", "\n%{http_code} %{http_version}"])
        let spoken = version == ["--http1.1"] ? "1.1" : "2"
        #expect(answer.output == "/plain http\n200 \(spoken)", "\(answer.errors)")
    }

    /// The header `Upgrade: h2c`, which no proxy has to follow.
    @Test func anOfferToUpgradeToHTTP2IsAnsweredInHTTP1() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let answer = try entry.curl("/", secure: false, ["--http2", "--write-out", "\n%{http_code} %{http_version}"])
        #expect(answer.output == "/ http\n200 1.1", "\(answer.errors)")
        #expect(origin.requests.allSatisfy { $0["upgrade"] == nil && $0["http2-settings"] == nil })
    }

    /// Large enough to fill every window and buffer on the way, in both directions.
    @Test(arguments: [("--http1.1", true), ("--http2", true), ("--http2-prior-knowledge", false)])
    func carriesLargeBodiesBothWays(version: String, secure: Bool) throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let directory = try TemporaryDirectory()
        try directory.write("sent", (0..<400_000).map { "\($0) " }.joined())
        let answer = try entry.curl(
            "/", secure: secure,
            [version, "--data-binary", "@" + directory.path("sent"), "--output", directory.path("received")])
        #expect(answer.status == 0, "\(answer.errors)")
        let sent = try Data(contentsOf: URL(filePath: directory.path("sent")))
        #expect(try Data(contentsOf: URL(filePath: directory.path("received"))) == sent)
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func showsItsCertificateWhereOneIsAskedFor(version: String) throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port, mode: "MUTUAL")
        let client = try entry.authority.issue(["client.example.com"])
        let known = try entry.curl("/known", [version, "--cert", client.certificate, "--key", client.key])
        #expect(known.output == "/known https", "\(known.errors)")
        let facts = try #require(origin.requests.first?["x-forwarded-client-cert"])
        #expect(facts.contains("Subject=\"CN=client.example.com\"") && facts.contains("DNS=client.example.com"))
        let stranger = try TestAuthority(name: "Somebody else's").issue(["client.example.com"])
        let refused = try entry.curl("/", [version, "--cert", stranger.certificate, "--key", stranger.key])
        #expect(refused.status != 0 && refused.output.isEmpty)
        #expect(try entry.curl("/", [version]).status != 0, "a certificate is required")
        #expect(origin.requests.count == 1)
    }

    @Test func getsManyAnswersAtOnce() throws {
        let origin = try Self.echo()
        defer { origin.stop() }
        let entry = try SecureEntry(upstream: origin.port)
        let port = try entry.port(secure: true)
        let answer = try Tool("curl").run([
            "--silent", "--show-error", "--http2", "--parallel", "--cacert", entry.authority.certificate, "--resolve",
            "\(SecureEntry.host):\(port):127.0.0.1", "--write-out", "%{http_code} %{num_connects}\n", "--output",
            "/dev/null", "https://\(SecureEntry.host):\(port)/[1-50]",
        ])
        let lines = answer.output.split(separator: "\n")
        #expect(lines.count == 50 && lines.allSatisfy { $0.hasPrefix("200 ") }, "\(answer.errors)")
        #expect(Set(origin.requests.map(\.target)).count == 50)
    }
}
