import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Gateway servers of TLS: what they share a port with, what they route, what an edit leaves alone.
@Suite struct TLSServerTests {
    private typealias F = Fixture
    private let alpha = Fixture.entry("alpha")
    private let beta = Fixture.entry("beta")

    private func compile(_ resources: Resource...) -> Compilation {
        Compiler.make().compile([alpha, beta, F.secret(TestPair.one)] + resources)
    }

    @Test func eachServerHasARouteTableOfItsOwn() {
        let result = compile(
            F.gateway([F.tlsServer(["a.com", "b.com"], name: "ab"), F.tlsServer(["*.c.com"], name: "c")]),
            F.virtualService("x", hosts: ["a.com", "y.c.com"], [F.rule(to: "alpha")]),
            F.virtualService("z", hosts: ["*"], [F.rule(to: "beta")]))
        #expect(
            result.snapshot.describe().listeners.map { listener in
                "\(listener.tls?.name ?? "-") \(listener.hosts.map(\.pattern).sorted())"
            } == [
                #"https.443.ab.gw.default ["a.com", "b.com"]"#, #"https.443.c.gw.default ["*.c.com", "y.c.com"]"#,
            ])
        #expect(
            result.servers == ["443 a.com b.com: CN=one.example.com", "443 *.c.com: CN=one.example.com"])
        // One set of contexts for all that show the same.
        #expect(result.contexts(0) === result.contexts(1))
        #expect(result.madeContexts == 1)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func serversOfSeveralGatewaysShareAPort() {
        let result = compile(
            F.gateway("a", [F.tlsServer(["a.com"])]), F.gateway("b", [F.tlsServer(["b.com"])]),
            F.gateway("c", [F.tlsServer(["b.com"], bind: "127.0.0.1")]))
        #expect(result.snapshot.listeners.map(\.bind) == [nil, "127.0.0.1"])
        #expect(
            result.snapshot.listeners.map { $0.servers.map(\.name) } == [
                ["https.443.https.a.default", "https.443.https.b.default"], ["https.443.https.c.default"],
            ])
        #expect(result.diagnostics.isEmpty)
    }

    @Test(arguments: [
        ["b.com", "a.com"], ["A.com"], ["default/a.com"], ["./a.com", "c.com"], ["*/a.com"],
    ])
    func aHostOfAnEarlierServerDropsTheWholeLaterOne(_ hosts: [String]) throws {
        let result = compile(
            F.gateway("a", [F.tlsServer(["a.com"])]), F.gateway("b", [F.tlsServer(hosts)]),
            F.gateway("c", [F.tlsServer(["b.com"])]))
        #expect(
            result.snapshot.listeners.flatMap(\.servers).map(\.name) == [
                "https.443.https.a.default", "https.443.https.c.default",
            ])
        #expect(result.findings == ["IST0145 b spec.servers[0].hosts b.yaml:7"])
        #expect(try #require(result.diagnostics.first).message.contains("for Gateway default/a (a.yaml:7)"))
    }

    @Test func wildcardsOfTwoNamespacesAreOneName() {
        let result = compile(
            F.gateway("a", [F.tlsServer(["./*"])]), F.gateway("b", namespace: "other", [F.tlsServer(["./*"])]))
        #expect(result.snapshot.listeners.flatMap(\.servers).map(\.name) == ["https.443.https.a.default"])
        #expect(result.findings == ["IST0145 b spec.servers[0].hosts b.yaml:7"])
    }

    @Test func plainAndSecuredServersShareNoPort() {
        let result = compile(
            F.gateway("a", [F.tlsServer(["a.com"])]), F.gateway("b", [F.server(["b.com"], port: 443)]),
            F.gateway("c", [F.server(["c.com"], port: 80), F.tlsServer(["d.com"], port: 80)]))
        #expect(
            result.findings == ["IST0145 b spec.servers[0].port b.yaml:7", "IST0145 c spec.servers[1].port c.yaml:7"])
        #expect(result.snapshot.listeners.map(\.port) == [443, 80])
    }

    @Test func whatOnlyAMeshCouldServeIsToldAndTakesNoPort() {
        let result = compile(
            F.gateway(
                "a",
                [
                    F.tlsServer(["a.com"]) { $0.mode = .istioMutual },
                    F.tlsServer(["b.com"]) { $0.mode = .autoPassthrough },
                    F.server(["c.com"], port: 443),
                ]), F.virtualService(hosts: ["c.com"], gateways: ["a"], [F.rule(to: "alpha")]))
        #expect(result.routes == "443 c.com\n  * -> 80||alpha")
        #expect(
            result.findings == [
                "WEIR0006 a spec.servers[0].tls.mode a.yaml:7", "WEIR0006 a spec.servers[1].tls.mode a.yaml:7",
                "IST0145 a spec.servers[2].port a.yaml:7",
            ])
    }

    @Test func aRedirectOnASecuredServerDoesNothing() {
        let result = compile(
            F.gateway([
                F.tlsServer(["a.com"]) {
                    $0.credentialName = "cert"
                    $0.httpsRedirect = true
                }
            ]), F.virtualService(hosts: ["a.com"], [F.rule(to: "alpha")]))
        guard case .http(let table)? = result.snapshot.listeners.first?.servers.first?.content else {
            Issue.record("no server of HTTP")
            return
        }
        #expect(table.hosts.map(\.redirectsToHTTPS) == [false])
    }

    @Test func settingsReachTheSpec() throws {
        let result = compile(
            F.gateway([
                F.tlsServer {
                    $0.credentialName = "cert"
                    $0.minProtocolVersion = .tls13
                    $0.cipherSuites = ["RC4", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"]
                    // Nobody is asked for a certificate.
                    $0.subjectAltNames = ["a"]
                }
            ]))
        let spec = try #require(result.contexts()).spec
        #expect((spec.minVersion, spec.maxVersion) == (.tls13, .tls13))
        #expect(spec.cipherSuites == ["ECDHE-ECDSA-AES128-GCM-SHA256"])
        #expect(spec.subjectAltNames.isEmpty)
        #expect(spec.applicationProtocols == [.http2, .http11])
        #expect(spec.clientVerification == .none)
    }

    // MARK: Reuse

    @Test func aChangedSecretTouchesItsServersAlone() {
        let compiler = Compiler.make()
        let gateway = F.gateway([
            F.tlsServer(["a.com"], name: "a") { $0.credentialName = "a" },
            F.tlsServer(["b.com"], name: "b") { $0.credentialName = "b" },
        ])
        let service = F.virtualService(hosts: ["a.com", "b.com"], [F.rule(to: "alpha")])
        let base = [alpha, gateway, service, F.secret("b", TestPair.two)]
        let first = compiler.compile(base + [F.secret("a", TestPair.one)])
        let second = compiler.compile(base + [F.secret("a", TestPair.rsa)])
        #expect(second.servers == ["443 a.com: CN=rsa.example.com", "443 b.com: CN=two.example.com"])
        #expect(second.contexts(1) === first.contexts(1))
        #expect((second.madeContexts, second.recompiledVirtualHosts, second.recompiledClusters) == (1, 0, 0))
        #expect(zip(tables(first), tables(second)).allSatisfy { $0 === $1 })
        let third = compiler.compile(base + [F.secret("a", TestPair.rsa)])
        #expect(third.snapshot.listeners[0] === second.snapshot.listeners[0])
        #expect(third.madeContexts == 0)
    }

    @Test func anEditOfRoutesKeepsTheCertificates() {
        let compiler = Compiler.make()
        let base = [
            alpha, beta, F.secret(TestPair.one),
            F.gateway([F.tlsServer(["a.com"], name: "a"), F.tlsServer(["b.com"], name: "b")]),
            F.virtualService("b", hosts: ["b.com"], revision: 1, [F.rule(to: "alpha")]),
        ]
        let first = compiler.compile(
            base + [F.virtualService("a", hosts: ["a.com"], revision: 2, [F.rule(to: "alpha")])])
        let second = compiler.compile(
            base + [F.virtualService("a", hosts: ["a.com"], revision: 3, [F.rule(to: "beta")])])
        #expect(second.contexts() === first.contexts())
        #expect(second.madeContexts == 0)
        #expect(tables(second)[0] !== tables(first)[0])
        #expect(tables(second)[1] === tables(first)[1])
        #expect(second.snapshot.describe().listeners[0].hosts[0].routes[0].destinations[0].cluster.contains("beta"))
    }

    private func tables(_ compilation: Compilation) -> [ListenerPlan] {
        compilation.snapshot.listeners.flatMap(\.servers).compactMap { server in
            if case .http(let table) = server.content { table } else { nil }
        }
    }
}
