import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// `tcp` and `tls` routes, and the servers they are for (semantics 2.2, 2.4).
@Suite struct StreamTests {
    private typealias F = Fixture
    private let services = [Fixture.entry("alpha"), Fixture.entry("beta")]

    private static func passthrough(
        _ hosts: [String] = ["*"], port: Int = 443, _ portProtocol: Gateway.PortProtocol = .tls
    ) -> Gateway.Server {
        var server = F.server(hosts, port: port, portProtocol)
        server.tls = Gateway.TLS()
        server.tls?.mode = .passthrough
        return server
    }

    private static func match(
        sni: [String] = [], port: Int? = nil, gateways: [String] = [], subnet: String? = nil
    ) -> StreamMatch {
        var match = StreamMatch()
        match.sniHosts = sni
        match.port = port
        match.gateways = gateways
        match.sourceSubnet = subnet
        match.line = 41
        return match
    }

    private static func destinations(_ entries: [(String, Int?)]) -> [RouteDestination] {
        entries.map { target, weight in
            var entry = RouteDestination(destination: F.destination(target))
            entry.weight = weight
            entry.line = 42
            return entry
        }
    }

    private static func tcp(_ matches: [StreamMatch] = [], to entries: (String, Int?)...) -> TCPRoute {
        var route = TCPRoute()
        route.match = matches
        route.route = destinations(entries)
        route.line = 40
        return route
    }

    private static func tls(_ matches: [StreamMatch], to target: String) -> TLSRoute {
        var route = TLSRoute()
        route.match = matches
        route.route = destinations([(target, nil)])
        route.line = 40
        return route
    }

    private static func service(
        _ name: String = "vs", hosts: [String] = ["*"], gateways: [String] = ["gw"], created: String? = nil,
        revision: UInt64 = 0, tcp: [TCPRoute] = [], tls: [TLSRoute] = []
    ) -> Resource {
        var service = VirtualService()
        service.hosts = hosts
        service.gateways = gateways
        service.tcp = tcp
        service.tls = tls
        return F.resource(
            .virtualService, name, "default", .virtualService(service), created: created, revision: revision)
    }

    /// `name, name -> cluster*weight` a line.
    private static func text(_ plan: StreamPlan?) -> String {
        guard let plan else { return "none" }
        return plan.routes.map { route in
            let names = route.serverNames.isEmpty ? "*" : route.serverNames.joined(separator: ", ")
            let targets = route.destinations.map { destination in
                let parts = destination.clusterName.split(separator: "|", omittingEmptySubsequences: false)
                let known = destination.clusterID >= 0 ? "" : " (unknown)"
                return "\(parts[1]) \(parts[3].split(separator: ".")[0])*\(destination.weight)\(known)"
            }
            return "\(names) -> \(targets.joined(separator: ", "))"
        }.joined(separator: "\n")
    }

    private func compile(_ resources: Resource...) -> Compilation {
        Compiler.make().compile(services + resources)
    }

    @Test func aServerOfTCPTakesTheFirstRouteThatApplies() {
        let result = compile(
            F.gateway([F.server(port: 5432, .tcp), F.server(port: 6379, .redis)]),
            Self.service(
                tcp: [
                    Self.tcp([Self.match(port: 6379)], to: ("beta", nil)),
                    Self.tcp([Self.match(gateways: ["other"]), Self.match(port: 1)], to: ("beta", nil)),
                    Self.tcp(to: ("alpha", 80), ("beta", 20)), Self.tcp(to: ("beta", nil)),
                ]))
        #expect(result.snapshot.listeners.map(\.port) == [5432, 6379])
        #expect(Self.text(result.snapshot.listeners[0].stream) == "* -> 80 alpha*80, 80 beta*20")
        #expect(Self.text(result.snapshot.listeners[1].stream) == "* -> 80 beta*0")
        #expect(result.diagnostics.isEmpty)
    }

    @Test func theOlderVirtualServiceOfAHostComesFirst() {
        let result = compile(
            F.gateway([F.server(["db.com"], port: 90, .tcp)]),
            Self.service("a", hosts: ["db.com"], created: "2024-02-01T00:00:00Z", tcp: [Self.tcp(to: ("beta", nil))]),
            Self.service("b", hosts: ["*"], created: "2024-01-01T00:00:00Z", tcp: [Self.tcp(to: ("alpha", nil))]),
            Self.service("c", hosts: ["x.com"], created: "2023-01-01T00:00:00Z", tcp: [Self.tcp(to: ("beta", nil))]))
        #expect(Self.text(result.snapshot.listeners[0].stream) == "* -> 80 alpha*0")
    }

    @Test func aServerWithoutRoutesIsListenedOnAndSendsNothing() {
        let result = compile(F.gateway([F.server(port: 90, .tcp)]))
        #expect(result.snapshot.listeners.map(\.port) == [90])
        #expect(result.snapshot.listeners[0].stream?.routes.isEmpty == true)
    }

    @Test(arguments: [Gateway.PortProtocol.tls, .https])
    func whatIsPassedThroughIsRoutedByName(portProtocol: Gateway.PortProtocol) throws {
        let result = compile(
            F.gateway([Self.passthrough(["*.example.com"], portProtocol)]),
            Self.service(
                hosts: ["a.example.com", "*.b.example.com"],
                tls: [
                    Self.tls([Self.match(sni: ["A.example.com"], port: 443)], to: "alpha"),
                    Self.tls(
                        [Self.match(sni: ["*.b.example.com"]), Self.match(sni: ["x.y.com"], port: 1)], to: "beta"),
                ]))
        let server = try #require(result.snapshot.listeners.first?.servers.first)
        guard case .passthrough(let plan) = server.content else {
            Issue.record("TLS is ended")
            return
        }
        #expect(Self.text(plan) == "a.example.com -> 80 alpha*0\n*.b.example.com -> 80 beta*0")
        #expect(server.patterns == ["a.example.com", "*.b.example.com"] && server.contexts == nil)
        #expect(result.diagnostics.isEmpty)
    }

    @Test func aSecondServerOfTCPAtAnAddressIsAConflict() {
        let result = compile(
            F.gateway("a", [F.server(["a.com"], port: 90, .tcp)]),
            F.gateway("b", [F.server(["b.com"], port: 90, .tcp), F.server(["c.com"], port: 90)]))
        #expect(result.snapshot.listeners.map(\.port) == [90])
        #expect(
            result.findings == [
                "IST0145 b spec.servers[0].port b.yaml:7", "IST0145 b spec.servers[1].port b.yaml:7",
            ])
    }

    @Test func aDestinationThatIsNotThereIsReportedAndItsConnectionsFail() {
        let result = compile(
            F.gateway([F.server(port: 90, .tcp)]), Self.service(tcp: [Self.tcp(to: ("nobody", nil))]))
        #expect(result.findings == ["IST0101 vs spec.tcp[0].route[0].destination.host vs.yaml:42"])
        #expect(result.diagnostics.first?.message.contains("its connections are closed") == true)
        #expect(Self.text(result.snapshot.listeners[0].stream) == "* -> 90 nobody*0 (unknown)")
    }

    @Test func anEditMakesNoPlanButItsOwn() {
        let compiler = Compiler.make()
        func compile(_ weight: Int, revision: UInt64) -> Snapshot {
            compiler.compile(
                services + [
                    F.gateway([F.server(port: 90, .tcp), F.server(port: 91, .tcp)]),
                    Self.service(
                        revision: revision,
                        tcp: [
                            Self.tcp([Self.match(port: 90)], to: ("alpha", 100 - weight), ("beta", weight)),
                            Self.tcp([Self.match(port: 91)], to: ("beta", nil)),
                        ]),
                ]
            ).snapshot
        }
        let first = compile(0, revision: 1)
        let second = compile(10, revision: 2)
        #expect(Self.text(second.listeners[0].stream) == "* -> 80 alpha*90, 80 beta*10")
        #expect(first.listeners[1].stream === second.listeners[1].stream)
        #expect(first.listeners[1] === second.listeners[1] && first.listeners[0] !== second.listeners[0])
        let third = compile(10, revision: 2)
        #expect(third.listeners[0] === second.listeners[0])
    }
}
