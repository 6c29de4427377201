import Foundation
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Connections of real clients to ports that speak TLS.
@Suite struct TLSHandshakeTests {
    private func twoServers(
        workers: Int = 1, origins: [Int] = [], _ adjust: (inout TLSServerSpec) -> Void = { _ in }
    ) throws -> GatewayFixture {
        let known = try TLSFixture.identities
        return try TLSFixture.gateway(
            origins: origins, workers: workers,
            TLSFixture.Server(
                names: ["api.example.com"],
                contexts: try TLSFixture.contexts(known.api, workers: workers, adjust)),
            TLSFixture.Server(
                names: ["web.example.com", "*.web.example.com"],
                contexts: try TLSFixture.contexts(known.web, workers: workers, adjust)))
    }

    @Test func aClientIsServedByTheServerOfTheNameItAsksFor() throws {
        let origin = try OriginServer(name: "origin")
        let gateway = try twoServers(origins: [origin.port])
        // curl holds the certificate to the name.
        for name in ["api.example.com", "web.example.com"] {
            let outcome = try TLSFixture.fetch(gateway.port, name: name)
            #expect(outcome.status == 0 && outcome.output == "/x", "\(name): \(outcome.errors)")
        }
        let upper = try TLSFixture.connect(gateway.port, name: "A.WEB.example.com")
        #expect(upper.output.contains("subject=CN = web.example.com"))
        #expect(origin.requests.allSatisfy { $0.all("x-forwarded-proto") == ["https"] })
    }

    @Test func anUnknownNameIsRefusedAndSoIsNoneWithoutAServerForAll() throws {
        let gateway = try twoServers()
        for name in ["other.example.com", nil] {
            let outcome = try TLSFixture.connect(gateway.port, name: name)
            #expect(outcome.status != 0 && !outcome.output.contains("subject="))
        }
        #expect(try gateway.stats().tlsFailures == 2)
        let known = try TLSFixture.identities
        let open = try TLSFixture.gateway(
            TLSFixture.Server(names: ["*"], contexts: try TLSFixture.contexts(known.api)))
        let nameless = try TLSFixture.connect(open.port, name: nil)
        #expect(nameless.output.contains("subject=CN = api.example.com"))
    }

    @Test func aServerWithoutACertificateFailsAloneOnly() throws {
        let known = try TLSFixture.identities
        let gateway = try TLSFixture.gateway(
            TLSFixture.Server(names: ["web.example.com"], contexts: nil),
            TLSFixture.Server(names: ["*"], contexts: try TLSFixture.contexts(known.api)))
        #expect(try TLSFixture.connect(gateway.port, name: "web.example.com").status != 0)
        #expect(try TLSFixture.connect(gateway.port, name: "api.example.com").output.contains("HTTP/1.1 503"))
    }

    @Test func versionsOutsideTheServersAreRefused() throws {
        let only13 = try twoServers { $0.minVersion = .tls13 }
        #expect(try TLSFixture.connect(only13.port, name: "api.example.com", ["-tls1_2"]).status != 0)
        let modern = try TLSFixture.connect(only13.port, name: "api.example.com")
        #expect(modern.output.contains("TLSv1.3"))
        let only12 = try twoServers { $0.maxVersion = .tls12 }
        #expect(try TLSFixture.connect(only12.port, name: "api.example.com", ["-tls1_3"]).status != 0)
        let older = try TLSFixture.connect(only12.port, name: "api.example.com")
        #expect(older.output.contains("TLSv1.2") && older.output.contains("ECDHE-ECDSA-AES128-GCM-SHA256"))
    }

    @Test func theClientsAbilitiesChooseBetweenCertificatesOfTwoKinds() throws {
        let known = try TLSFixture.identities
        let contexts = try TLSServerContexts(try TLSFixture.spec(known.apiRSA, known.api), workers: 1)
        let gateway = try TLSFixture.gateway(TLSFixture.Server(names: ["*"], contexts: contexts))
        for (algorithm, peer) in [("RSA-PSS+SHA256", "rsaEncryption"), ("ECDSA+SHA256", "id-ecPublicKey")] {
            let outcome = try TLSFixture.connect(
                gateway.port, name: "api.example.com", ["-sigalgs", algorithm])
            let certificate = try Tool("openssl").run(["x509", "-noout", "-text"], input: outcome.output)
            #expect(certificate.output.contains(peer))
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aSessionIsResumedByWhicheverWorkerGetsTheConnection(version: String) throws {
        let gateway = try twoServers(workers: 3)
        let files = try TemporaryDirectory()
        let session = files.path("session")
        let first = try TLSFixture.connect(
            gateway.port, name: "api.example.com", [version, "-sess_out", session])
        #expect(first.output.contains("New, TLSv1"))
        for _ in 0..<6 {
            let next = try TLSFixture.connect(
                gateway.port, name: "api.example.com", [version, "-sess_in", session])
            #expect(next.output.contains("Reused, TLSv1"))
        }
        #expect(try gateway.stats().tlsResumptions == 6)
        // Another server does not go on with it, nor does this one under another name.
        let other = try TLSFixture.connect(
            gateway.port, name: "web.example.com", [version, "-sess_in", session])
        #expect(other.output.contains("New, TLSv1") && other.output.contains("subject=CN = web.example.com"))
    }

    @Test func aSecondHandshakeOnAConnectionIsRefused() throws {
        let gateway = try twoServers()
        let files = try TemporaryDirectory()
        // The letter on a line of its own is openssl's command for it.
        let script = """
            (printf 'R\n'; while [ ! -e "$1" ]; do sleep 0.02; done) \
            | openssl s_client -connect 127.0.0.1:"$2" -servername api.example.com -tls1_2
            """
        let client = try ChildProcess(Tool("sh").path, ["-c", script, "sh", files.path("go"), "\(gateway.port)"])
        try eventually("the refusal") { (client.output + client.errors).contains("no renegotiation") }
        try files.write("go", "")
        _ = try client.end()
    }

    @Test func ofWhatAClientOffersTheServersFirstIsChosenAndNothingWhereNoneIsShared() throws {
        let gateway = try twoServers()
        let shared = try TLSFixture.connect(gateway.port, name: "api.example.com", ["-alpn", "http/1.1,spdy/3"])
        #expect(shared.output.contains("ALPN protocol: http/1.1"))
        let strange = try TLSFixture.connect(gateway.port, name: "api.example.com", ["-alpn", "spdy/3"])
        #expect(strange.output.contains("No ALPN negotiated") && strange.output.contains("HTTP/1.1 503"))
    }

    @Test func whatIsNotTLSIsClosed() throws {
        let gateway = try twoServers()
        for text in ["GET / HTTP/1.1\r\n\r\n", "\u{16}\u{03}\u{01}\u{00}\u{05}\u{02}\u{00}\u{00}\u{01}\u{00}"] {
            let client = try gateway.client()
            try client.socket.send(text)
            #expect(try client.socket.receive() == [])
        }
        #expect(try gateway.stats().tlsFailures == 2)
    }

    @Test func aHandshakeHas15SecondsFromTheConnectionsBeginning() throws {
        let known = try TLSFixture.identities
        let contexts = try TLSFixture.contexts(known.api)
        let gateway = try SteppedGateway(snapshot: { port in
            try TLSFixture.snapshot(port: port, origins: [], [TLSFixture.Server(names: ["*"], contexts: contexts)])
        })
        let client = try gateway.client()
        try client.socket.send("\u{16}\u{03}\u{01}")
        gateway.advance(milliseconds: 14_999)
        #expect(!client.socket.peerHasGone)
        gateway.advance(milliseconds: 1)
        try gateway.end(client)
        #expect(gateway.stats().tlsFailures == 1)
    }

    @Test func largeBodiesPassBothWays() throws {
        let origin = try OriginServer { request, socket in
            let head = "HTTP/1.1 200 OK\r\ncontent-length: \(request.body.count)\r\n\r\n"
            try socket.send(Array(head.utf8) + request.body)
            return true
        }
        let gateway = try twoServers(origins: [origin.port])
        let files = try TemporaryDirectory()
        let text = String((0..<400_000).map { "line \($0)\n" }.joined())
        try files.write("body", text)
        let outcome = try TLSFixture.fetch(
            gateway.port, name: "api.example.com",
            ["--data-binary", "@\(files.path("body"))", "-H", "Expect:", "-o", files.path("answer")])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try String(contentsOfFile: files.path("answer"), encoding: .utf8) == text)
    }

    @Test func newCertificatesAreForNewConnectionsWhileOldOnesGoOn() throws {
        let origin = try OriginServer(name: "origin")
        let known = try TLSFixture.identities
        func snapshot(_ generation: UInt64, _ port: Int, _ identity: TestAuthority.Identity) throws -> Snapshot {
            try TLSFixture.snapshot(
                generation: generation, port: port, origins: [origin.port],
                [TLSFixture.Server(names: ["*"], contexts: try TLSFixture.contexts(identity))])
        }
        let gateway = try GatewayFixture { try snapshot(1, $0, known.api) }
        let files = try TemporaryDirectory()
        let request = "GET /%s HTTP/1.1\\r\\nHost: example.com\\r\\n%s\\r\\n"
        let script = """
            (printf '\(request)' first ''; while [ ! -e "$1" ]; do sleep 0.02; done; \
            printf '\(request)' second 'Connection: close\r\n') | openssl s_client -connect 127.0.0.1:"$2" -quiet -ign_eof
            """
        let client = try ChildProcess(Tool("sh").path, ["-c", script, "sh", files.path("go"), "\(gateway.port)"])
        try eventually("the first answer") { client.output.contains("/first") }
        _ = try gateway.publish(snapshot(2, gateway.port, known.web))
        let later = try TLSFixture.connect(gateway.port, name: "any.example.com")
        #expect(later.output.contains("subject=CN = web.example.com"))
        try files.write("go", "")
        #expect(try client.end() == 0)
        #expect(client.output.contains("/second"))
    }

    @Test func aConnectionWhoseServerHasGoneIsAnswered404() throws {
        let origin = try OriginServer(name: "origin")
        let known = try TLSFixture.identities
        let contexts = try TLSFixture.contexts(known.api)
        func snapshot(_ generation: UInt64, _ port: Int, _ name: String) throws -> Snapshot {
            try TLSFixture.snapshot(
                generation: generation, port: port, origins: [origin.port],
                [TLSFixture.Server(names: [name], contexts: contexts)])
        }
        let gateway = try GatewayFixture { try snapshot(1, $0, "api.example.com") }
        let files = try TemporaryDirectory()
        let request = "GET /%s HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n"
        let script = """
            (printf '\(request)' first; while [ ! -e "$1" ]; do sleep 0.02; done; printf '\(request)' second) \
            | openssl s_client -connect 127.0.0.1:"$2" -servername api.example.com -quiet -ign_eof
            """
        let client = try ChildProcess(Tool("sh").path, ["-c", script, "sh", files.path("go"), "\(gateway.port)"])
        try eventually("the first answer") { client.output.contains("/first") }
        _ = try gateway.publish(snapshot(2, gateway.port, "web.example.com"))
        try files.write("go", "")
        // Its answer, or the end of the idle connection, whichever comes first.
        _ = try client.end()
        #expect(!client.output.contains("/second"))
    }
}
