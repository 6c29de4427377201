import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

@Suite struct ListenerTests {
    private typealias F = Fixture
    private let alpha = Fixture.entry("alpha")
    private let beta = Fixture.entry("beta")

    /// A server that only a mesh has certificates for.
    private static func meshServer(_ hosts: [String] = ["*"], port: Int = 443) -> Gateway.Server {
        F.tlsServer(hosts, port: port) { $0.mode = .istioMutual }
    }

    private func compile(_ resources: Resource...) -> Compilation {
        Compiler.make().compile([alpha, beta] + resources)
    }

    @Test func serversOfSeveralGatewaysShareAPort() {
        let result = compile(
            F.gateway("b", [F.server(["b.com"])]), F.gateway("a", [F.server(["a.com", "b.com"])]),
            F.virtualService(
                "x", hosts: ["a.com", "b.com"], gateways: ["a"], [F.rule([F.match(prefix: "/x")], to: "alpha")]),
            F.virtualService("w", hosts: ["b.com"], gateways: ["b"], [F.rule([F.match(prefix: "/w")], to: "beta")]))
        #expect(
            result.routes == """
                80 a.com
                  path prefix "/x" -> 80||alpha
                80 b.com
                  path prefix "/x" -> 80||alpha
                  path prefix "/w" -> 80||beta
                """)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func anOlderGatewayComesFirst() {
        let result = compile(
            F.gateway("a", created: "2024-02-01T00:00:00Z"), F.gateway("b", created: "2024-01-01T00:00:00Z"),
            F.virtualService("x", gateways: ["a"], [F.rule([F.match(prefix: "/p")], to: "alpha")]),
            F.virtualService("y", gateways: ["b"], [F.rule([F.match(prefix: "/p")], to: "beta")]))
        #expect(result.routes == "80 *\n  path prefix \"/p\" -> 80||beta\n  path prefix \"/p\" -> 80||alpha")
    }

    @Test func addressesOfAPortAreListenersOfTheirOwn() {
        let result = compile(
            F.gateway("a", [F.server(["a.com"], bind: "127.0.0.1"), F.server(["b.com"]), F.server(port: 81, .grpc)]),
            F.virtualService(hosts: ["a.com", "b.com"], gateways: ["a"], [F.rule(to: "alpha")]))
        #expect(
            result.routes == """
                127.0.0.1:80 a.com
                  * -> 80||alpha
                80 b.com
                  * -> 80||alpha
                81 a.com
                  * -> 80||alpha
                81 b.com
                  * -> 80||alpha
                """)
    }

    @Test(arguments: [
        ([nil, "::"], nil, [nil]), (["::", nil], nil, ["::"]), ([nil, "0.0.0.0"], nil, [nil]),
        (["0.0.0.0", nil], nil, [nil]), (["0.0.0.0", "::", "0:0::0"], nil, ["::"]),
        (["0.0.0.0", "0.0.0.0"], nil, ["0.0.0.0"]),
        (["::1", "0::1", nil], nil, ["::1", nil]),
        ([nil, "127.0.0.1", "0.0.0.0"], "127.0.0.1", [nil, "0.0.0.0"]), ([nil, "::"], "0.0.0.0", ["::"]),
    ])
    func anAddressIsOneListenerHoweverItIsWritten(_ binds: [String?], _ standard: String?, _ expected: [String?]) {
        let servers = binds.enumerated().map { F.server(["\($0).com"], bind: $1) }
        let compiler = Compiler.make { $0.bind = standard }
        let hosts = binds.indices.map { "\($0).com" }
        let result = compiler.compile([
            alpha, F.gateway(servers), F.virtualService(hosts: hosts, [F.rule(to: "alpha")]),
        ])
        #expect(result.snapshot.listeners.map(\.bind) == expected)
        #expect(result.snapshot.listeners.flatMap(\.hosts).map(\.pattern).sorted() == hosts)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func classesConflictOverAnAddressHoweverItIsWritten() {
        let result = compile(
            F.gateway("a", [F.server(["a.com"])]), F.gateway("b", [F.server(["b.com"], .https, bind: "0.0.0.0")]))
        #expect(result.findings == ["IST0145 b spec.servers[0].port b.yaml:7"])
    }

    @Test func aListenerWithoutRoutesIsThere() {
        let result = compile(F.gateway())
        #expect(result.snapshot.listeners.map(\.port) == [80])
        #expect(result.snapshot.listeners[0].hosts.isEmpty)
    }

    @Test func whatIsNotServedIsReportedAndNotListenedOn() {
        let result = compile(
            F.gateway([
                Self.meshServer(port: 443), F.tlsServer(port: 8443, .tls) { $0.mode = .autoPassthrough },
                F.server(port: 82, bind: "unix:///x.sock"), F.server(port: 80),
            ]),
            F.virtualService([F.rule(to: "alpha")]))
        #expect(result.snapshot.listeners.map(\.port) == [80])
        #expect(
            result.findings == [
                "WEIR0006 gw spec.servers[0].tls.mode gw.yaml:7",
                "WEIR0006 gw spec.servers[1].tls.mode gw.yaml:7",
                "WEIR0006 gw spec.servers[2].bind gw.yaml:7",
            ])
        #expect(result.diagnostics.allSatisfy { $0.severity == .warning })
    }

    @Test func serversThatCannotShareAPortConflict() {
        let result = compile(
            F.gateway("a", [F.server(["a.com"])]),
            F.gateway("b", [F.server(["b.com"], .https), F.server(["c.com"], .tcp), F.server(["d.com"], .http2)]),
            F.gateway("c", [Self.meshServer(["e.com"]), F.server(["f.com"], port: 443)]),
            F.virtualService(hosts: ["a.com", "d.com", "f.com"], gateways: ["a", "b", "c"], [F.rule(to: "alpha")]))
        #expect(
            result.snapshot.describe().listeners.map { $0.hosts.map(\.pattern) } == [["a.com", "d.com"], ["f.com"]])
        #expect(
            result.findings == [
                "IST0145 b spec.servers[0].port b.yaml:7",
                "IST0145 b spec.servers[1].port b.yaml:7",
                "WEIR0006 c spec.servers[0].tls.mode c.yaml:7",
                "IST0145 c spec.servers[1].port c.yaml:7",
            ])
    }

    @Test func whatIsNotServedTakesNoPort() {
        let first = Self.meshServer(["t.com"], port: 80)
        for isOneGateway in [true, false] {
            let plain = F.server(["a.com"])
            let gateways =
                isOneGateway ? [F.gateway("a", [first, plain])] : [F.gateway("a", [first]), F.gateway("b", [plain])]
            let result = Compiler.make().compile(
                [alpha] + gateways
                    + [F.virtualService(hosts: ["a.com"], gateways: ["a", "b"], [F.rule(to: "alpha")])])
            #expect(result.routes == "80 a.com\n  * -> 80||alpha")
            #expect(result.diagnostics.filter { $0.code == .unsupportedServer }.count == 1)
            let shared = result.diagnostics.filter { $0.code == .conflictingGateways }
            #expect(shared.count == 1)
            #expect(shared.allSatisfy { $0.message.contains("for TLS by Gateway default/a") })
        }
    }

    @Test func namespacePartsOfHostsLimitWhoBinds() {
        let edge = F.gateway(
            namespace: "edge",
            [F.server(["default/a.com", "other/b.com", "./c.com", "*/d.com", "default/*.e.com"])])
        let hosts = ["a.com", "b.com", "c.com", "d.com", "x.e.com"]
        let result = compile(
            edge, F.virtualService("vs", hosts: hosts, gateways: ["edge/gw"], [F.rule(to: "alpha")]),
            F.virtualService("own", namespace: "edge", hosts: hosts, [F.rule(to: "alpha.default.svc.cluster.local")]))
        let served = result.snapshot.describe().listeners[0].hosts
        #expect(served.map(\.pattern) == ["c.com", "d.com", "a.com", "x.e.com"])
        // Names decide the order on the host both serve.
        #expect(
            served.map { $0.routes.map(\.resource) } == [
                ["VirtualService edge/own"], ["VirtualService edge/own", "VirtualService default/vs"],
                ["VirtualService default/vs"], ["VirtualService default/vs"],
            ])
    }

    @Test(arguments: [
        ("*.foo.com", ["a.foo.com"], ["a.foo.com"]),
        ("*", ["*.foo.com", "bar.com"], ["*.foo.com", "bar.com"]),
        ("*.foo.com", ["*"], ["*.foo.com"]),
        ("*.a.foo.com", ["*.foo.com"], ["*.a.foo.com"]),
        ("*.foo.com", ["*.foo.com", "x.foo.com", "*.b.foo.com"], ["*.foo.com", "x.foo.com", "*.b.foo.com"]),
        ("*.foo.com", ["foo.com"], []),
        ("foo.com", ["*.foo.com"], []),
        ("a.b.foo.com", ["*.foo.com"], ["a.b.foo.com"]),
        ("A.Foo.Com", ["a.FOO.com"], ["a.foo.com"]),
        ("xfoo.com", ["*.foo.com", "*foo.com"], []),
        ("web", ["*"], ["web.default.svc.cluster.local"]),
        ("2001:db8::1", ["*"], ["[2001:db8::1]"]),
        ("2001:db8::1", ["2001:DB8::1"], ["[2001:db8::1]"]),
    ])
    func theMoreSpecificHostIsServed(_ host: String, _ server: [String], _ expected: [String]) {
        let result = compile(
            F.gateway([F.server(server)]), F.virtualService(hosts: [host], [F.rule(to: "alpha")]))
        #expect(result.snapshot.describe().listeners[0].hosts.map(\.pattern) == expected)
        #expect(result.findings == (expected.isEmpty ? ["IST0132 vs spec.hosts vs.yaml:1"] : []))
    }

    @Test func hostsOfAServerThatIsNotServedStillCount() {
        let result = compile(
            F.gateway([Self.meshServer(["a.com"])]), F.virtualService(hosts: ["a.com"], [F.rule(to: "alpha")]))
        #expect(result.findings == ["WEIR0006 gw spec.servers[0].tls.mode gw.yaml:7"])
    }

    @Test func aConflictNamesTheWinnerWithItsPlace() throws {
        let result = compile(
            F.gateway("b", [Self.meshServer(["b.com"], port: 80)]),
            F.gateway("a", created: "2020-01-01T00:00:00Z", [F.server(["a.com"])]))
        // The one with an age comes after those from files, as in Istio.
        #expect(
            result.findings == [
                "WEIR0006 b spec.servers[0].tls.mode b.yaml:7", "IST0145 a spec.servers[0].port a.yaml:7",
            ])
        #expect(result.diagnostics[1].message.contains("Gateway default/b (b.yaml:7)"))
        let later = compile(F.gateway("a", [F.server(["a.com"])]), F.gateway("b", [F.server(["b.com"], .https)]))
        #expect(later.diagnostics.count == 1)
        #expect(try #require(later.diagnostics.first).message.contains("for Gateway default/a (a.yaml:7)"))
    }

    @Test func aHostWithoutARouteOnAPortIsLeftToAWiderOne() {
        let result = compile(
            F.gateway([F.server(port: 80), F.server(port: 81)]),
            F.virtualService("a", hosts: ["a.com"], [F.rule([F.match(port: 81)], to: "alpha")]),
            F.virtualService("star", [F.rule(to: "beta")]))
        #expect(
            result.routes == """
                80 *
                  * -> 80||beta
                81 a.com
                  * -> 80||alpha
                81 *
                  * -> 80||beta
                """)
    }
}
