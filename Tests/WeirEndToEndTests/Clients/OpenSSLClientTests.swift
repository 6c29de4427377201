import Testing
import WeirTestSupport

/// `openssl s_client`: what is negotiated, and what is refused.
@Suite struct OpenSSLClientTests {
    private static let request = "GET / HTTP/1.1\r\nHost: \(SecureEntry.host)\r\nConnection: close\r\n\r\n"

    /// Connects, asks one question, and waits until the server ends.
    private static func ask(
        _ entry: SecureEntry, _ options: [String], name: String? = SecureEntry.host
    ) throws -> Tool.Outcome {
        try Tool("openssl").run(
            [
                "s_client", "-connect", "127.0.0.1:\(try entry.port(secure: true))", "-CAfile",
                entry.authority.certificate,
                "-ign_eof",
            ] + (name.map { ["-servername", $0] } ?? ["-noservername"]) + options, input: request)
    }

    private static func entry(
        mode: String = "SIMPLE", key: TestAuthority.KeyKind = .ecdsa
    ) throws -> (
        SecureEntry, EchoOrigin
    ) {
        let origin = try EchoOrigin()
        return (try SecureEntry(upstream: origin.port, mode: mode, key: key), origin)
    }

    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")], [TestAuthority.KeyKind.ecdsa, .rsa])
    func bothVersionsAreServedAndVerified(version: (String, String), key: TestAuthority.KeyKind) throws {
        let (entry, origin) = try Self.entry(key: key)
        defer { origin.stop() }
        let told = try Self.ask(
            entry, [version.0, "-verify_return_error", "-verify_hostname", SecureEntry.host, "-alpn", "h2,http/1.1"])
        #expect(told.output.contains("New, \(version.1)"), "\(told)")
        #expect(told.output.contains("Verify return code: 0 (ok)") && told.output.contains("ALPN protocol: h2"))
        let plain = try Self.ask(entry, [version.0, "-alpn", "http/1.1"])
        #expect(plain.output.contains("HTTP/1.1 200") && plain.output.contains("ALPN protocol: http/1.1"), "\(plain)")
        let unsaid = try Self.ask(entry, [version.0])
        #expect(unsaid.output.contains("HTTP/1.1 200") && unsaid.output.contains("No ALPN negotiated"), "\(unsaid)")
    }

    @Test func oldVersionsAreRefused() throws {
        let (entry, origin) = try Self.entry()
        defer { origin.stop() }
        let told = try Self.ask(entry, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        #expect(told.status != 0 && !told.output.contains("HTTP/1.1"), "\(told)")
    }

    /// Two workers accept, so most of these tickets come back to the one that did not make them.
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func sessionsAreResumedWhicheverWorkerAccepts(version: String) throws {
        let (entry, origin) = try Self.entry()
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        let session = directory.path("session")
        let first = try Self.ask(entry, [version, "-sess_out", session])
        #expect(first.output.contains("New, "), "\(first)")
        for _ in 0..<8 {
            let again = try Self.ask(entry, [version, "-sess_in", session])
            #expect(again.output.contains("Reused, ") && again.output.contains("HTTP/1.1 200"), "\(again)")
        }
    }

    /// Of another server, whose keys this one has not.
    @Test func aStrangeTicketMeansAWholeHandshake() throws {
        let (entry, origin) = try Self.entry()
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        let other = try Self.entry()
        defer { other.1.stop() }
        _ = try Self.ask(other.0, ["-sess_out", directory.path("session")])
        let told = try Self.ask(entry, ["-sess_in", directory.path("session")])
        #expect(told.output.contains("New, ") && told.output.contains("HTTP/1.1 200"), "\(told)")
    }

    @Test func aClientMayNotRenegotiate() throws {
        let (entry, origin) = try Self.entry()
        defer { origin.stop() }
        let told = try Tool("openssl").run(
            [
                "s_client", "-connect", "127.0.0.1:\(try entry.port(secure: true))", "-tls1_2", "-servername",
                SecureEntry.host,
            ], input: "R\n")
        #expect(told.output.contains("New, TLSv1.2"), "\(told)")
        #expect(told.errors.contains("RENEGOTIATING") && told.errors.contains("no renegotiation"), "\(told)")
    }

    @Test func noNameIsServedByAServerForAllNames() throws {
        let (entry, origin) = try Self.entry()
        defer { origin.stop() }
        let told = try Self.ask(entry, [], name: nil)
        #expect(told.output.contains("HTTP/1.1 200"), "\(told)")
    }

    @Test func aClientCertificateIsAskedForWithTheAuthoritysName() throws {
        let (entry, origin) = try Self.entry(mode: "MUTUAL")
        defer { origin.stop() }
        let client = try entry.authority.issue(["client.example.com"])
        for version in ["-tls1_2", "-tls1_3"] {
            let known = try Self.ask(entry, [version, "-cert", client.certificate, "-key", client.key])
            #expect(known.output.contains("HTTP/1.1 200"), "\(known)")
            #expect(known.output.contains("Acceptable client certificate CA names"))
            let unknown = try Self.ask(entry, [version])
            #expect(!unknown.output.contains("HTTP/1.1"), "\(unknown)")
        }
    }

    /// Without a Secret the port is there, and the handshake fails; the other servers go on.
    @Test func aMissingCertificateFailsTheHandshakeAndNothingElse() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try RunningServer.live(
            [
                Documents.secureGateway(credential: "missing"),
                Documents.virtualService(http: "- route: [{destination: {host: good}}]"),
                Documents.serviceEntry("good", ports: [origin.port]),
            ], ports: [80, 443])
        #expect(try server.get("/plain").status == 200)
        let told = try Tool("openssl").run(
            ["s_client", "-connect", "127.0.0.1:\(try server.port(443))", "-servername", SecureEntry.host])
        #expect(told.status != 0 && told.output.contains("no peer certificate available"), "\(told)")
        #expect(try server.status().problems.contains { $0.message.contains("missing") })
    }
}
