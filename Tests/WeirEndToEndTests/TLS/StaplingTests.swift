import Testing
import WeirTestSupport

/// The OCSP response of a Secret, as `openssl s_client -status` sees it.
@Suite struct StaplingTests {
    private static let host = "api.example.com"

    private func told(_ server: RunningServer, _ authority: TestAuthority, _ options: [String]) throws -> String {
        try Tool("openssl").run(
            [
                "s_client", "-connect", "127.0.0.1:\(try server.port(443))", "-CAfile", authority.certificate,
                "-servername", Self.host, "-status",
            ] + options
        ).output
    }

    @Test func theResponseOfTheSecretIsStapledToTheCertificateItIsFor() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identity = try authority.issue([Self.host])
        let other = try authority.issue([Self.host], key: .rsa)
        let directory = try TemporaryDirectory()
        try directory.write(
            "all.yaml",
            [
                Secured.gateway(
                    "entry", Secured.server("\"*\"", tls: "mode: SIMPLE, credentialNames: [stapled, bare]")),
                Documents.virtualService("routes", hosts: ["*"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports),
            ].asFile)
        try directory.write("bare.yaml", try Documents.secret("bare", other))
        try directory.write(
            "stapled.yaml", try Documents.secret("stapled", identity, staple: authority.ocspResponse(for: identity)))
        let server = try RunningServer.live(directory, ports: [443])
        for version in ["-tls1_2", "-tls1_3"] {
            let stapled = try told(server, authority, [version, "-sigalgs", "ECDSA+SHA256"])
            #expect(stapled.contains("OCSP Response Status: successful"), "\(stapled)")
            #expect(stapled.contains("Cert Status: good"))
            let bare = try told(server, authority, [version, "-sigalgs", "RSA-PSS+SHA256"])
            #expect(bare.contains("OCSP response: no response sent"), "\(bare)")
        }
        // What is no response is left out, and the certificate served without it.
        try server.reload {
            try directory.replace(
                "stapled.yaml", try Documents.secret("stapled", identity, staple: Array("no response".utf8)))
        }
        let without = try told(server, authority, ["-sigalgs", "ECDSA+SHA256"])
        #expect(without.contains("OCSP response: no response sent") && without.contains("CN = \(Self.host)"))
        let problem = try #require(try server.status().problems.first)
        #expect(problem.code == "IST0161" && problem.message.contains("OCSP response beside tls.crt"))
    }
}
