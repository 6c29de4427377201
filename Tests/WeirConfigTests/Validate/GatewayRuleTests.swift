import Testing
import WeirConfig

@Suite struct GatewayRuleTests {
    /// The servers of a Gateway, whose first line is line 6 of the file.
    private static func gateway(_ servers: String, name: String = "public") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: \(name)}
        spec:
          servers:
        \(servers.indented(2))
        """
    }

    private static func port(_ port: String) -> String {
        gateway("- port: {\(port)}\n  hosts: [\"*\"]")
    }

    private static func hosts(_ hosts: String) -> String {
        gateway("- port: {number: 80, name: http, protocol: HTTP}\n  hosts: [\(hosts)]")
    }

    private static func tls(_ tls: String, protocol: String = "HTTPS") -> String {
        gateway("- port: {number: 443, name: https, protocol: \(`protocol`)}\n  hosts: [\"*\"]\n  tls: {\(tls)}")
    }

    private static let portRules: [Rule] = [
        Rule("a plain server", port("number: 80, name: http, protocol: HTTP")),
        Rule("protocols in any case", port("number: 80, name: http, protocol: grpc-Web")),
        Rule("port 0", port("number: 0, name: http, protocol: HTTP"), ["error 6 spec.servers[0].port.number"]),
        Rule("port 65535", port("number: 65535, name: http, protocol: HTTP")),
        Rule("port 65536", port("number: 65536, name: http, protocol: HTTP"), ["error 6 spec.servers[0].port.number"]),
        Rule("no number", port("name: http, protocol: HTTP"), ["error 6 spec.servers[0].port.number"]),
        Rule("no name", port("number: 80, protocol: HTTP"), ["error 6 spec.servers[0].port.name"]),
        Rule("no protocol", port("number: 80, name: http"), ["error 6 spec.servers[0].port.protocol"]),
        Rule(
            "a strange protocol", port("number: 80, name: a, protocol: UDP"), ["error 6 spec.servers[0].port.protocol"]),
        Rule(
            "a target port", port("number: 80, name: a, protocol: HTTP, targetPort: 8080"),
            ["error 6 spec.servers[0].port.targetPort"]),
        Rule(
            "no port", gateway("- hosts: [\"*\"]"),
            ["error 6 spec.servers[0].port.number", "error 6 spec.servers[0].port.name"]),
        Rule(
            "one port name twice",
            gateway(
                """
                - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
                - {port: {number: 81, name: http, protocol: HTTP}, hosts: ["*"]}
                """), ["error 7 spec.servers[1].port.name"]),
    ]

    private static let hostRules: [Rule] = [
        Rule(
            "every form of host",
            hosts("\"*\", a.example.com, \"*.example.com\", ns/a.b, ./a.b, \"*/a.b\", \"*/*\", A.b")),
        Rule("an address", hosts("10.0.0.1, \"::1\"")),
        Rule("no hosts", hosts(""), ["error 7 spec.servers[0].hosts"]),
        Rule("a name without a dot", hosts("localhost"), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("an inner wildcard", hosts("a.b, a.*.com"), ["error 7 spec.servers[0].hosts[1]"]),
        Rule("part of a label wild", hosts("\"a*.com\""), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("an empty host", hosts("\"\""), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("an empty namespace", hosts("/a.b"), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("an empty host behind a namespace", hosts("ns/"), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("two slashes", hosts("a/b/c.d"), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("a port", hosts("\"a.b:80\""), ["error 7 spec.servers[0].hosts[0]"]),
        Rule("an underscore", hosts("a_b.c"), ["error 7 spec.servers[0].hosts[0]"]),
    ]

    private static let hex = String(repeating: "0123456789abcdef", count: 4)
    private static let base64 = String(repeating: "A", count: 43) + "="
    private static let pair = "{serverCertificate: /c, privateKey: /k}"

    private static let tlsRules: [Rule] = [
        Rule("a Secret", tls("mode: SIMPLE, credentialName: cert")),
        Rule("two Secrets", tls("mode: MUTUAL, credentialNames: [a, b]")),
        Rule("files", tls("mode: SIMPLE, serverCertificate: /c, privateKey: /k")),
        Rule("passed through", tls("mode: PASSTHROUGH", protocol: "TLS")),
        Rule("a redirect", tls("httpsRedirect: true", protocol: "HTTP")),
        Rule(
            "HTTPS without tls", gateway("- {port: {number: 443, name: a, protocol: HTTPS}, hosts: [\"*\"]}"),
            ["error 6 spec.servers[0].tls"]),
        Rule("a certificate on HTTP", tls("credentialName: a", protocol: "HTTP"), ["error 8 spec.servers[0].tls"]),
        Rule("a mode on HTTP", tls("mode: SIMPLE", protocol: "HTTP2"), ["error 8 spec.servers[0].tls"]),
        Rule("no certificate", tls("mode: SIMPLE"), ["error 8 spec.servers[0].tls"]),
        Rule(
            "a certificate without key", tls("mode: SIMPLE, serverCertificate: /c"),
            ["error 8 spec.servers[0].tls.privateKey"]),
        Rule(
            "a key without certificate", tls("mode: SIMPLE, privateKey: /k"),
            ["error 8 spec.servers[0].tls.serverCertificate"]),
        Rule(
            "mutual files without a CA", tls("mode: MUTUAL, serverCertificate: /c, privateKey: /k"),
            ["error 8 spec.servers[0].tls.caCertificates"]),
        Rule(
            "two sources", tls("mode: SIMPLE, credentialName: a, serverCertificate: /c, privateKey: /k"),
            ["error 8 spec.servers[0].tls"]),
        Rule(
            "both names", tls("mode: SIMPLE, credentialName: a, credentialNames: [b]"), ["error 8 spec.servers[0].tls"]),
        Rule(
            "three Secrets", tls("mode: SIMPLE, credentialNames: [a, b, c]"),
            ["error 8 spec.servers[0].tls.credentialNames"]),
        Rule(
            "mesh certificates beside others", tls("mode: ISTIO_MUTUAL, credentialName: a"),
            ["error 8 spec.servers[0].tls"]),
        Rule(
            "pairs of files",
            tls("mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: /k}, {serverCertificate: /d}]"),
            ["error 8 spec.servers[0].tls.tlsCertificates[1].privateKey"]),
        Rule(
            "three pairs of files", tls("mode: SIMPLE, tlsCertificates: [\(pair), \(pair), \(pair)]"),
            ["warning 8 spec.servers[0].tls.tlsCertificates"]),
        Rule(
            "pairs of files and a Secret", tls("mode: SIMPLE, credentialName: a, tlsCertificates: [\(pair)]"),
            ["error 8 spec.servers[0].tls"]),
        Rule(
            "revoked certificates",
            tls("mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /a, caCrl: /r")),
        Rule(
            "revoked certificates beside a Secret", tls("mode: MUTUAL, credentialName: a, caCrl: /r"),
            ["error 8 spec.servers[0].tls.caCrl"]),
        Rule(
            "revoked certificates that nobody sends",
            tls("mode: SIMPLE, serverCertificate: /c, privateKey: /k, caCrl: /r"),
            ["error 8 spec.servers[0].tls.caCrl"]),
        Rule(
            "an old version", tls("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_1"),
            ["warning 8 spec.servers[0].tls.minProtocolVersion"]),
        Rule(
            "an old version with a cipher",
            tls("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_1, cipherSuites: [AES128-SHA]")),
        Rule(
            "no version left",
            tls("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2"),
            ["warning 8 spec.servers[0].tls.maxProtocolVersion"]),
        Rule(
            "ciphers unknown and twice",
            tls("mode: SIMPLE, credentialName: a, cipherSuites: [RC4, AES128-SHA, AES128-SHA]"),
            ["warning 8 spec.servers[0].tls.cipherSuites[0]", "warning 8 spec.servers[0].tls.cipherSuites[2]"]),
        Rule("tls on TCP", tls("mode: SIMPLE, credentialName: a", protocol: "TCP"), ["error 8 spec.servers[0].tls"]),
        Rule("an unknown mode", tls("mode: simple"), ["error 8 spec.servers[0].tls.mode"]),
        Rule(
            "certificates passed through", tls("mode: PASSTHROUGH, credentialName: a"),
            ["warning 8 spec.servers[0].tls"]),
        Rule(
            "a redirect on HTTPS", tls("mode: SIMPLE, credentialName: a, httpsRedirect: true"),
            ["warning 8 spec.servers[0].tls.httpsRedirect"]),
        Rule(
            "a version on HTTP", tls("httpsRedirect: true, minProtocolVersion: TLSV1_3", protocol: "HTTP"),
            ["error 8 spec.servers[0].tls"]),
        Rule(
            "hashes of clients' certificates",
            tls(
                "mode: MUTUAL, credentialName: a, verifyCertificateHash: [\"\(hex)\"], verifyCertificateSpki: [\(base64)]"
            )),
        Rule(
            "hashes that are none",
            tls("mode: MUTUAL, credentialName: a, verifyCertificateHash: [ab], verifyCertificateSpki: [YQ==]"),
            [
                "error 8 spec.servers[0].tls.verifyCertificateSpki[0]",
                "error 8 spec.servers[0].tls.verifyCertificateHash[0]",
            ]),
        Rule(
            "clients that are not asked", tls("mode: SIMPLE, credentialName: a, subjectAltNames: [a]"),
            ["warning 8 spec.servers[0].tls.subjectAltNames"]),
        Rule(
            "a CA file beside a Secret", tls("mode: MUTUAL, credentialName: a, caCertificates: /ca"),
            ["warning 8 spec.servers[0].tls.caCertificates"]),
        Rule(
            "a CA beside the pairs of files",
            tls(
                "mode: MUTUAL, tlsCertificates: [{serverCertificate: /c, privateKey: /k, caCertificates: /ca}]")),
        Rule(
            "TLS details",
            tls("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, cipherSuites: [AES128-SHA]")),
    ]

    private static let otherRules: [Rule] = [
        Rule("no servers", gateway("  []"), ["error 5 spec.servers"]),
        Rule(
            "no spec", "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\n",
            ["error 1 spec.servers"]),
        Rule(
            "a dot in the name",
            gateway("- {port: {number: 80, name: a, protocol: HTTP}, hosts: [\"*\"]}", name: "a.b"),
            ["error 3 metadata.name"]),
        Rule("an address to bind", bind("10.0.0.1")),
        Rule("a socket to bind", bind("unix:///run/a.sock", number: 0)),
        Rule("a name to bind", bind("localhost"), ["error 6 spec.servers[0].bind"]),
        Rule("a relative socket", bind("unix://a"), ["error 6 spec.servers[0].bind"]),
    ]

    private static func bind(_ address: String, number: Int = 80) -> String {
        gateway("- {port: {number: \(number), name: a, protocol: HTTP}, hosts: [\"*\"], bind: \"\(address)\", name: s}")
    }

    @Test(arguments: portRules + hostRules + tlsRules + otherRules)
    func holdsGatewaysToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test func decodesEveryField() throws {
        let document = decodeOne(
            """
            apiVersion: networking.istio.io/v1beta1
            kind: Gateway
            metadata: {name: public}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - port: {number: 443, name: https, protocol: https}
                bind: 0.0.0.0
                name: main
                defaultEndpoint: 127.0.0.1:80
                hosts: [ns/a.example.com]
                tls: {mode: MUTUAL, credentialName: cert, caCertCredentialName: ca, httpsRedirect: false}
            """)
        guard case .gateway(let gateway) = try #require(document.resources.first).spec else { return }
        let server = try #require(gateway.servers.first)
        #expect(gateway.selector == ["istio": "ingressgateway"])
        #expect(server.port.number == 443 && server.port.name == "https" && server.port.protocol == .https)
        #expect(server.bind == "0.0.0.0" && server.name == "main" && server.defaultEndpoint == "127.0.0.1:80")
        #expect(server.hosts == ["ns/a.example.com"])
        #expect(server.tls?.mode == .mutual && server.tls?.credentialName == "cert")
        #expect(server.tls?.caCertCredentialName == "ca")
        #expect(server.line == 7)
    }
}
