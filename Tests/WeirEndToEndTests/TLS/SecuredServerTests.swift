import Foundation
import Testing
import WeirServer
import WeirTestSupport

/// What a certificate that is missing, broken, or of another server means for clients and operators.
@Suite struct SecuredServerTests {
    @Test func aMissingCertificateTakesItsServerOutAlone() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let (one, two) = (try authority.issue(["a.example.com"]), try authority.issue(["b.example.com"]))
        let directory = try TemporaryDirectory()
        let documents = [
            Secured.gateway(
                "entry", Secured.server("a.example.com", name: "a", tls: "mode: SIMPLE, credentialName: a"),
                Secured.server("b.example.com", name: "b", tls: "mode: SIMPLE, credentialName: b"),
                Secured.server("a.example.com", port: 80, "HTTP", name: "http", tls: "")),
            Documents.virtualService("routes", hosts: ["*"], to: "shop"),
            Documents.serviceEntry("shop", ports: backends.ports), try Secured.secret("b", two),
        ]
        try directory.write("all.yaml", documents.asFile)
        let server = try RunningServer.live(directory, ports: [80, 443])
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.status("a.example.com") == "curl 35")
        #expect(try client.status("b.example.com") == "200")
        #expect(try server.get(host: "a.example.com").status == 200)
        let problem = try #require(try server.status().problems.first)
        #expect((problem.code, problem.path) == ("IST0101", "spec.servers[0].tls.credentialName"))
        #expect(problem.message.contains("no Secret default/a"))
        #expect(try server.metrics().samples("weir_certificates", ["status": "missing"]).map(\.value) == [1])
        try server.reload { try directory.write("a.yaml", try Secured.secret("a", one)) }
        #expect(try client.status("a.example.com") == "200")
        #expect(try server.status().problems.isEmpty)
        // Removed again: the pair that was good serves on, and that is told.
        try server.reload { try directory.remove("a.yaml") }
        #expect(try client.status("a.example.com") == "200")
        #expect(try server.status().problems.map(\.code) == ["IST0101"])
    }

    /// The one that is there is not enough: which of them a client needs, it alone knows.
    @Test func ofTwoSecretsBothMustBeThere() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let host = "a.example.com"
        let directory = try TemporaryDirectory()
        let documents = [
            Secured.gateway("entry", Secured.server("\"*\"", tls: "mode: SIMPLE, credentialNames: [ec, rsa]")),
            Documents.virtualService("routes", hosts: ["*"], to: "shop"),
            Documents.serviceEntry("shop", ports: backends.ports),
            try Secured.secret("ec", try authority.issue([host])),
        ]
        try directory.write("all.yaml", documents.asFile)
        let server = try RunningServer.live(directory, ports: [443])
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.status(host) == "curl 35")
        let problem = try #require(try server.status().problems.first)
        #expect((problem.code, problem.path) == ("IST0101", "spec.servers[0].tls.credentialNames[1]"))
        let rsa = try authority.issue([host], key: .rsa)
        try server.reload { try directory.write("rsa.yaml", try Secured.secret("rsa", rsa)) }
        for algorithm in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"] {
            #expect(try client.status(host, "--tls-max", "1.2", "--ciphers", algorithm) == "200")
        }
        #expect(try server.status().problems.isEmpty)
    }

    @Test func aNameThatNoServerHasLeavesALineInTheLog() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let log = try TemporaryDirectory()
        let server = try RunningServer.live(
            [
                Secured.gateway(
                    "entry", Secured.server("a.example.com", tls: "mode: SIMPLE, credentialName: a")),
                Documents.virtualService("routes", hosts: ["a.example.com"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports),
                try Secured.secret("a", try authority.issue(["a.example.com"])),
            ], ports: [443]
        ) { $0.accessLog = .file(log.path("access.log")) }
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.status("b.example.com") == "curl 35")
        func lines() -> [Substring] {
            ((try? String(contentsOfFile: log.path("access.log"), encoding: .utf8)) ?? "").split(separator: "\n")
        }
        try eventually("the line is written") { !lines().isEmpty }
        #expect(lines()[0].contains("\"- - -\" 0 NR filter_chain_not_found - \"-\" 0 0 "), "\(lines()[0])")
        #expect(lines()[0].contains(" - 127.0.0.1:\(try server.port(443)) 127.0.0.1:"))
        #expect(lines()[0].hasSuffix(" b.example.com -"))
        // What is no TLS, or a handshake that is broken off, leaves none.
        let stranger = try TestSocket(port: server.port(443))
        try stranger.send("GET / HTTP/1.1\r\n\r\n")
        #expect(try stranger.receive() == [])
        #expect(try client.status("a.example.com") == "200")
        try eventually("the request's line is written") { lines().count == 2 }
        #expect(lines()[1].contains("\"GET / HTTP/"))
    }

    @Test func noKeyIsEverShown() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identity = try authority.issue(["a.example.com"])
        let other = try authority.issue(["b.example.com"])
        let broken = Secured.secret("b", ["tls.crt": try identity.certificateText, "tls.key": try other.keyText])
        let server = try RunningServer.live(
            [
                Secured.gateway(
                    "entry", Secured.server("a.example.com", name: "a", tls: "mode: SIMPLE, credentialName: a"),
                    Secured.server("b.example.com", name: "b", tls: "mode: SIMPLE, credentialName: b")),
                Documents.virtualService("routes", hosts: ["*"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports), try Secured.secret("a", identity), broken,
            ], ports: [443])
        let shown = try ["/config_dump", "/secrets", "/status", "/listeners", "/stats/prometheus"].map {
            try server.admin($0).text
        }
        let text = shown.joined() + server.log.text
        for key in [try identity.keyText, try other.keyText] {
            for line in key.split(separator: "\n").dropFirst().dropLast() { #expect(!text.contains(line)) }
        }
        #expect(!text.contains("PRIVATE KEY"))
        #expect(text.contains("does not belong to the certificate"))
    }

    @Test func whatIsServedIsListed() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identity = try authority.issue(["a.example.com", "www.example.com"])
        let server = try RunningServer.live(
            [
                Secured.gateway(
                    "entry", Secured.server("\"*.example.com\"", tls: "mode: MUTUAL, credentialName: a")),
                Documents.virtualService("routes", hosts: ["*.example.com"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports), try Secured.secret("a", identity),
                Secured.secret("a-cacert", ["cacert": try authority.certificateText]),
            ], ports: [443])
        let secrets = try server.admin("/secrets").text
        #expect(secrets.contains(#""name":"default/a""#) && secrets.contains(#""type":"Cert Chain""#))
        #expect(secrets.contains(#""name":"default/a-cacert""#) && secrets.contains(#""type":"CA""#))
        #expect(secrets.contains("www.example.com") && secrets.contains(#""usedBy":["Gateway default/entry https"]"#))
        #expect(try server.admin("/secrets?type=ca").text.split(separator: "\n").count == 3)
        #expect(try server.admin("/secrets?status=broken").text.split(separator: "\n").count == 2)
        let routes = try server.admin("/routes").text
        #expect(routes.contains(#""name":"https.443.https.entry.default""#))
        let listeners = try server.admin("/listeners").text
        #expect(listeners.contains(#""match":"SNI: *.example.com""#))
        let dump = try server.admin("/config_dump").text
        #expect(dump.contains(#""clientCertificates" : "required""#))
        let expiry = try server.metrics().samples(
            "weir_certificate_expiry_timestamp_seconds", ["name": "default/a", "type": "cert_chain"])
        #expect(expiry.count == 1 && expiry.allSatisfy { $0.value > 1_700_000_000 })
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.status("a.example.com") != "200")
        let user = try authority.issue(["user"])
        #expect(try client.status("a.example.com", "--cert", user.certificate, "--key", user.key) == "200")
    }

    @Test func whatDestinationsAreShownIsListedToo() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let own = try authority.issue(["weir.internal"])
        let rule = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: shop}
            spec:
              host: shop
              trafficPolicy: {tls: {mode: MUTUAL, credentialName: up}}

            """
        let server = try RunningServer.live(
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports), rule,
                try Documents.secret("up", own, clientAuthority: authority),
            ])
        let process = try ChildProcess(
            ChildProcess.built("weir"), ["secrets", "--admin", "127.0.0.1:\(try server.adminPort())"])
        #expect(try process.end() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n").dropFirst().map(String.init)
        #expect(lines.count == 2, "\(process.output)")
        for (line, kind) in zip(lines, ["CA", "Cert Chain"]) {
            #expect(line.hasPrefix("default/up") && line.contains(" \(kind) ") && line.contains(" ACTIVE "), "\(line)")
            #expect(line.contains("DestinationRule default/shop"))
        }
    }

    /// One process is the gateway and, on another port, the server that ends TLS.
    @Test func bytesPassThroughByNameAndInsideTLS() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identity = try authority.issue(["a.example.com", "b.example.com"])
        let ends = try TestPort.free()
        let through = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: through}
            spec:
              hosts: ["*"]
              gateways: [entry]
              tls:
              - match: [{sniHosts: [a.example.com]}]
                route: [{destination: {host: itself}}]
              tcp:
              - match: [{port: 9000}, {port: 9443}]
                route: [{destination: {host: shop}}]

            """
        let server = try RunningServer.live(
            [
                Secured.gateway(
                    "entry", Secured.server("\"*\"", "TLS", name: "through", tls: "mode: PASSTHROUGH"),
                    Secured.server("\"*\"", port: 9000, "TCP", name: "tcp", tls: ""),
                    Secured.server("\"*\"", port: 9443, "TLS", name: "inside", tls: "mode: SIMPLE, credentialName: a")),
                Secured.gateway(
                    "ends", Secured.server("\"*\"", port: 8443, tls: "mode: SIMPLE, credentialName: a")),
                through, Documents.virtualService("routes", hosts: ["*"], gateways: ["ends"], to: "shop"),
                Documents.serviceEntry("shop", ports: backends.ports),
                Documents.serviceEntry("itself", ports: [ends]), try Secured.secret("a", identity),
            ], ports: [443, 9000, 9443]
        ) { $0.portMap[8443] = ends }
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.status("a.example.com") == "200")
        #expect(try client.status("b.example.com") == "curl 35")
        #expect(try server.get(port: 9000).status == 200)
        let inside = try SecuredClient(port: try server.port(9443), trusting: authority)
        #expect(try inside.status("b.example.com", "--http1.1") == "200")
        #expect(try server.status().problems.isEmpty)
    }
}
