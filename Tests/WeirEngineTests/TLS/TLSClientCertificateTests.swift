import Foundation
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Clients that show certificates, and what becomes of them.
@Suite struct TLSClientCertificateTests {
    private static let name = "api.example.com"

    private func gateway(
        _ verification: TLSServerSpec.ClientVerification, origins: [Int] = [],
        _ adjust: (inout TLSServerSpec) throws -> Void = { _ in }
    ) throws -> GatewayFixture {
        let contexts = try contexts(verification, adjust)
        return try TLSFixture.gateway(origins: origins, TLSFixture.Server(names: [Self.name], contexts: contexts))
    }

    private func contexts(
        _ verification: TLSServerSpec.ClientVerification, _ adjust: (inout TLSServerSpec) throws -> Void = { _ in }
    ) throws -> TLSServerContexts {
        try TLSFixture.contexts(TLSFixture.identities.api) { spec in
            spec.clientVerification = verification
            spec.clientAuthorityPEM = Array(try TLSFixture.authority.certificateText.utf8)
            try adjust(&spec)
        }
    }

    private static func showing(_ identity: TestAuthority.Identity) -> [String] {
        ["--cert", identity.certificate, "--key", identity.key]
    }

    private func isServed(_ gateway: GatewayFixture, _ identity: TestAuthority.Identity?) throws -> Bool {
        let arguments = identity.map(Self.showing) ?? []
        return try TLSFixture.fetch(gateway.port, name: Self.name, arguments).status == 0
    }

    @Test func whoMustShowACertificateIsRefusedWithoutAGoodOne() throws {
        let other = try TestAuthority(name: "Another authority")
        let stranger = try other.issue(["client-one.example.com"])
        let gateway = try gateway(.required)
        #expect(try isServed(gateway, TLSFixture.identities.client))
        #expect(try !isServed(gateway, nil))
        #expect(try !isServed(gateway, stranger))
        withExtendedLifetime(other) {}
    }

    @Test func whoMayShowOneIsServedWithoutItButNotWithABadOne() throws {
        let other = try TestAuthority(name: "Another authority")
        let stranger = try other.issue(["client-one.example.com"])
        let gateway = try gateway(.optional)
        #expect(try isServed(gateway, TLSFixture.identities.client))
        #expect(try isServed(gateway, nil))
        #expect(try !isServed(gateway, stranger))
        let lenient = try self.gateway(.optional) { $0.isLenient = true }
        #expect(try isServed(lenient, stranger))
        // Its files go with it.
        withExtendedLifetime(other) {}
    }

    @Test func namesAndHashesNarrowWhoIsMeant() throws {
        let client = try TLSFixture.identities.client
        let facts = try #require(try CertificateFacts.all(inPEM: Array(try client.certificateText.utf8)).first)
        let key = try Tool("sh").run([
            "-c",
            "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary"
                + " | base64", client.certificate,
        ]).output.filter { !$0.isNewline }
        let other = String(repeating: "A", count: 43) + "="
        let rules: [((inout TLSServerSpec) -> Void, Bool)] = [
            ({ $0.subjectAltNames = ["client-one.example.com"] }, true),
            ({ $0.subjectAltNames = ["client-two.example.com"] }, false),
            ({ $0.certificateHashes = [facts.sha256.uppercased()] }, true),
            ({ $0.publicKeyHashes = [other, key] }, true),
            ({ $0.publicKeyHashes = [other] }, false),
            // One of either kind is enough; the names count besides.
            ({ ($0.publicKeyHashes, $0.certificateHashes) = ([other], [facts.sha256]) }, true),
            ({ ($0.subjectAltNames, $0.certificateHashes) = (["x.example.com"], [facts.sha256]) }, false),
        ]
        for (number, (adjust, isLetIn)) in rules.enumerated() {
            let gateway = try gateway(.required) { adjust(&$0) }
            #expect(try isServed(gateway, client) == isLetIn, "rule \(number)")
        }
    }

    @Test func aRevokedCertificateIsRefused() throws {
        let authority = try TestAuthority(name: "An authority that revokes")
        let kept = try authority.issue(["kept.example.com"])
        let revoked = try authority.issue(["revoked.example.com"])
        let serial = try #require(
            try CertificateFacts.all(inPEM: Array(try revoked.certificateText.utf8)).first?.serialNumber)
        let files = try TemporaryDirectory()
        try files.write("index", "R\t491231235959Z\t250101000000Z\t\(serial.uppercased())\tunknown\t/CN=revoked\n")
        try files.write(
            "settings",
            "[ca]\ndefault_ca=own\n[own]\ndatabase=\(files.path("index"))\ndefault_md=sha256\ndefault_crl_days=2\n")
        let made = try Tool("openssl").run([
            "ca", "-config", files.path("settings"), "-gencrl", "-cert", authority.certificate, "-keyfile",
            authority.certificate.replacingOccurrences(of: ".crt", with: ".key"), "-out", files.path("list"),
        ])
        #expect(made.status == 0, "\(made.errors)")
        let list = try String(contentsOfFile: files.path("list"), encoding: .utf8)
        let gateway = try gateway(.required) { spec in
            spec.clientAuthorityPEM = Array(try authority.certificateText.utf8)
            spec.revocationListPEM = Array(list.utf8)
        }
        #expect(try isServed(gateway, kept))
        #expect(try !isServed(gateway, revoked))
    }

    @Test func theOriginLearnsOfTheCertificateAndOfNothingThatTheClientClaims() throws {
        let origin = try OriginServer(name: "origin")
        let gateway = try gateway(.optional, origins: [origin.port])
        let claim = ["-H", "x-forwarded-client-cert: By=spoofed"]
        let client = try TLSFixture.identities.client
        let shown = try TLSFixture.fetch(gateway.port, name: Self.name, claim + Self.showing(client))
        #expect(shown.status == 0, "\(shown.errors)")
        let silent = try TLSFixture.fetch(gateway.port, name: Self.name, claim)
        #expect(silent.status == 0)
        let values = origin.requests.map { $0.all("x-forwarded-client-cert") }
        try #require(values.count == 2 && values[0].count == 1)
        #expect(values[1] == [])
        let facts = try #require(try CertificateFacts.all(inPEM: Array(try client.certificateText.utf8)).first)
        let pem = try client.certificateText
        let encoded = [("+", "%2B"), ("/", "%2F"), ("=", "%3D"), ("\n", "%0A"), (" ", "%20")].reduce(pem) {
            $0.replacingOccurrences(of: $1.0, with: $1.1)
        }
        #expect(
            values[0][0] == "Hash=\(facts.sha256);Cert=\"\(encoded)\";Subject=\"CN=client-one.example.com\";URI=;"
                + "DNS=client-one.example.com")
    }

    @Test func operatorsTellOfTheConnectionAndItsCertificates() throws {
        let origin = try OriginServer(name: "origin")
        let edits = try HeaderEdits(set: [
            "x-tls": "%REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER%",
            "x-peer": "%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_ISSUER% %DOWNSTREAM_PEER_SERIAL%",
            "x-names": "<%DOWNSTREAM_PEER_DNS_SAN%%DOWNSTREAM_PEER_URI_SAN%%DOWNSTREAM_PEER_IP_SAN%>",
            "x-print": "%DOWNSTREAM_PEER_FINGERPRINT_256%", "x-until": "%DOWNSTREAM_PEER_CERT_V_END%",
            "x-own": "%DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_LOCAL_DNS_SAN%",
        ])
        let contexts = try contexts(.required)
        let gateway = try GatewayFixture { port in
            try TLSFixture.snapshot(
                port: port, origins: [origin.port], [TLSFixture.Server(names: [Self.name], contexts: contexts)]
            ) { $0.actions = RouteActions(requestEdits: edits) }
        }
        let client = try TLSFixture.identities.client
        let facts = try #require(try CertificateFacts.all(inPEM: Array(try client.certificateText.utf8)).first)
        #expect(try isServed(gateway, client))
        guard let request = origin.requests.first else { return #expect(Bool(false), "nothing arrived") }
        #expect(request.all("x-tls") == ["\(Self.name) TLSv1.3 TLS_AES_128_GCM_SHA256"])
        #expect(request.all("x-peer") == ["\(facts.subject) \(facts.issuer) \(facts.serialNumber)"])
        #expect(request.all("x-names") == ["<client-one.example.com>"])
        #expect(request.all("x-print") == [facts.sha256])
        let text = try Tool("openssl").run(
            ["x509", "-in", client.certificate, "-noout", "-enddate", "-dateopt", "iso_8601"])
        let until = text.output.drop { $0 != "=" }.dropFirst().prefix(19).replacingOccurrences(of: " ", with: "T")
        #expect(request.all("x-until") == [until + ".000Z"])
        #expect(request.all("x-own") == ["CN=api.example.com api.example.com"])
    }

    @Test func aChainThatIsTooLongIsRefused() throws {
        let client = try TLSFixture.identities.client
        let gateway = try gateway(.required)
        let files = try TemporaryDirectory()
        let filler = try TLSFixture.authority.certificateText
        for (copies, isLetIn) in [(20, true), (300, false)] {
            try files.write("chain", try client.certificateText + String(repeating: filler, count: copies))
            let outcome = try TLSFixture.fetch(
                gateway.port, name: Self.name, ["--cert", files.path("chain"), "--key", client.key])
            #expect((outcome.status == 0) == isLetIn, "\(copies) certificates: \(outcome.errors)")
        }
    }

    @Test func aCertificateWithVeryManyNamesIsDescribedWithoutItsText() throws {
        let origin = try OriginServer(name: "origin")
        let gateway = try gateway(.required, origins: [origin.port])
        let names = (0..<500).map { "client-\($0).example.com" }
        let identity = try TLSFixture.authority.issue(names)
        #expect(try isServed(gateway, identity))
        let value = origin.requests.first?.all("x-forwarded-client-cert").first ?? ""
        #expect(value.utf8.count <= ForwardedClientCert.maxBytes)
        #expect(value.hasPrefix("Hash=") && !value.contains("Cert=") && value.hasSuffix("DNS=client-499.example.com"))
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aSessionDoesNotOutliveTheRulesItWasBegunUnder(version: String) throws {
        let client = try TLSFixture.identities.client
        let gateway = try gateway(.required)
        let files = try TemporaryDirectory()
        let session = files.path("session")
        let showing = [version, "-cert", client.certificate, "-key", client.key]
        _ = try TLSFixture.connect(gateway.port, name: Self.name, showing + ["-sess_out", session])
        let again = try TLSFixture.connect(gateway.port, name: Self.name, [version, "-sess_in", session])
        #expect(again.output.contains("Reused, TLSv1") && again.output.contains("HTTP/1.1 503"))
        let stricter = try contexts(.required) { $0.subjectAltNames = ["client-two.example.com"] }
        let snapshot = try TLSFixture.snapshot(
            generation: 2, port: gateway.port, origins: [],
            [TLSFixture.Server(names: [Self.name], contexts: stricter)])
        _ = try gateway.publish(snapshot)
        let refused = try TLSFixture.connect(gateway.port, name: Self.name, showing + ["-sess_in", session])
        #expect(!refused.output.contains("HTTP/1.1"))
        #expect(try gateway.stats().tlsResumptions == 1)
    }
}
