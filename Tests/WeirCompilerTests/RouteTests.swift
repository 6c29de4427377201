import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

@Suite struct RouteTests {
    private typealias F = Fixture

    private func compile(_ resources: Resource...) -> Compilation {
        let services = ["alpha", "beta", "gamma"].map { F.entry($0) }
        return Compiler.make().compile(services + [F.gateway()] + resources)
    }

    // MARK: Binding

    @Test(arguments: [
        ("gw", true), ("default/gw", true), ("./gw", true), ("gw.default.svc.cluster.local", true),
        ("gw.default", true), ("other/gw", false), ("gw2", false),
    ])
    func gatewaysAreNamedInSeveralWays(_ name: String, _ isBound: Bool) {
        let result = compile(F.virtualService(gateways: ["mesh", name], [F.rule(to: "alpha")]))
        #expect(result.routes == (isBound ? "80 *\n  * -> 80||alpha" : ""))
        #expect(result.findings == (isBound ? [] : ["IST0101 vs spec.gateways[1] vs.yaml:1"]))
    }

    @Test func aServiceOfTheMeshIsNotServed() {
        for gateways in [[], ["mesh"]] {
            let result = compile(F.virtualService(gateways: gateways, [F.rule(to: "nowhere")]))
            #expect(result.routes == "")
            #expect(result.findings == ["WEIR0008 vs spec.gateways vs.yaml:1"])
        }
    }

    @Test func exportsDecideWhatIsSeenAndItsOrder() {
        let match = [F.match(prefix: "/p")]
        let result = compile(
            F.virtualService("a-public", [F.rule(match, to: "alpha")]),
            F.virtualService("b-hidden", exportTo: ["other"], [F.rule(match, to: "beta")]),
            F.virtualService(
                "c-named", namespace: "x", gateways: ["default/gw"], exportTo: ["x", "default"],
                [F.rule(match, to: "beta.default.svc.cluster.local")]),
            F.virtualService("d-own", exportTo: ["."], [F.rule(match, to: "gamma")]))
        #expect(
            result.snapshot.describe().listeners[0].hosts[0].routes.map(\.resource) == [
                "VirtualService default/d-own", "VirtualService x/c-named", "VirtualService default/a-public",
            ])
        #expect(result.findings == ["WEIR0008 b-hidden spec.exportTo b-hidden.yaml:1"])
    }

    // MARK: Merging

    @Test func catchAllsGoLastAndNothingElseIsSorted() {
        let result = compile(
            F.virtualService("a", [F.rule([F.match(prefix: "/cart")], to: "alpha"), F.rule(to: "alpha")]),
            F.virtualService(
                "b", [F.rule([F.match(prefix: "/cart/long")], to: "beta"), F.rule([F.match(prefix: "/")], to: "beta")]),
            F.virtualService("c", [F.rule([F.match(regex: ".*")], to: "gamma")]),
            F.virtualService(
                "d", [F.rule([F.match(prefix: "")], to: "gamma"), F.rule([F.match(exact: "/d")], to: "gamma")]))
        #expect(
            result.routes == """
                80 *
                  path prefix "/cart" -> 80||alpha
                  path prefix "/cart/long" -> 80||beta
                  path prefix "" -> 80||gamma
                  path exact "/d" -> 80||gamma
                  * -> 80||alpha
                  path prefix "/" -> 80||beta
                  path prefix "" -> 80||gamma
                """)
    }

    @Test func aCatchAllWithAConditionStaysInPlace() {
        let header = NamedMatch(name: "x", match: .present)
        let result = compile(
            F.virtualService("a", [F.rule([F.match(prefix: "/", headers: [header])], to: "alpha")]),
            F.virtualService("b", [F.rule([F.match(prefix: "/b")], to: "beta")]))
        #expect(
            result.routes == """
                80 *
                  path prefix "/" & header x present -> 80||alpha
                  path prefix "/b" -> 80||beta
                """)
    }

    @Test func creationThenNameDecideTheOrder() {
        let match = [F.match(prefix: "/p")]
        let result = compile(
            F.virtualService("z", created: "2023-01-01T00:00:00Z", [F.rule(match, to: "alpha")]),
            F.virtualService("a", created: "2024-01-01T00:00:00Z", [F.rule(match, to: "beta")]),
            F.virtualService("b", created: "2024-01-01T00:00:00Z", [F.rule(match, to: "gamma")]))
        let order = result.snapshot.describe().listeners[0].hosts[0].routes.map(\.file)
        #expect(order == ["z.yaml", "a.yaml", "b.yaml"])
    }

    @Test func overlappingServersOfAGatewayAddRoutesOnce() {
        let gateway = F.gateway("two", [F.server(["a.com"]), F.server(["*"])])
        let result = compile(gateway, F.virtualService(hosts: ["a.com"], gateways: ["two"], [F.rule(to: "alpha")]))
        #expect(result.routes == "80 a.com\n  * -> 80||alpha")
    }

    // MARK: Inside one service

    @Test func nothingBehindACatchAllIsReached() {
        let result = compile(
            F.virtualService([
                F.rule([F.match(prefix: "/a"), F.match(prefix: "/"), F.match(prefix: "/b")], to: "alpha"),
                F.rule([F.match(prefix: "/c")], to: "beta"), F.rule(to: "gamma"),
            ]))
        #expect(result.routes == "80 *\n  path prefix \"/a\" -> 80||alpha\n  path prefix \"/\" -> 80||alpha")
        #expect(
            result.findings == [
                "IST0130 vs spec.http[0].match[2] vs.yaml:25", "IST0130 vs spec.http[1] vs.yaml:20",
                "IST0130 vs spec.http[2] vs.yaml:20",
            ])
    }

    @Test func portsAndGatewaysLimitAMatch() {
        let two = F.gateway("two", [F.server(port: 81)])
        let result = compile(
            two,
            F.virtualService(
                gateways: ["gw", "two"],
                [
                    F.rule([F.match(port: 81)], to: "alpha"), F.rule([F.match(gateways: ["default/gw"])], to: "beta"),
                    F.rule([F.match(exact: "/x")], to: "gamma"),
                ]))
        #expect(result.routes == "80 *\n  * -> 80||beta\n81 *\n  * -> 80||alpha")
        // Each port has a way to the last rule barred by another one: none of them bars it everywhere.
        #expect(result.diagnostics.isEmpty)
    }

    @Test func routesRememberWhereTheyWereWritten() {
        var match = F.match(prefix: "/a")
        match.name = "m"
        let result = compile(
            F.virtualService([
                F.rule([match, F.match(prefix: "/b")], to: ("alpha", nil), name: "first"), F.rule(to: "beta"),
            ]))
        let routes = result.snapshot.describe().listeners[0].hosts[0].routes
        #expect(routes.map(\.name) == ["first.m", "first", ""])
        #expect(routes.map(\.line) == [25, 25, 20])
        #expect(routes.map(\.file) == ["vs.yaml", "vs.yaml", "vs.yaml"])
    }

    // MARK: Conditions

    @Test func everyFieldBecomesACondition() {
        var match = HTTPMatchRequest()
        match.uri = .regex("/a[0-9]")
        match.method = .exact("GET")
        match.scheme = .prefix("http")
        match.authority = .exact("a:80")
        match.headers = [NamedMatch(name: "host", match: .prefix("a")), NamedMatch(name: "uri", match: .exact("x"))]
        match.withoutHeaders = [
            NamedMatch(name: "x-star", match: .regex("*")), NamedMatch(name: "method", match: .present),
        ]
        match.queryParams = [NamedMatch(name: "V", match: .exact("1"))]
        let result = compile(F.virtualService([F.rule([match], to: "alpha")]))
        #expect(
            result.snapshot.describe().listeners[0].hosts[0].routes[0].match == [
                "path regex \"/a[0-9]\"", "method exact \"GET\"", "scheme prefix \"http\"", "authority exact \"a:80\"",
                "authority prefix \"a\"", "not header x-star present", "query V exact \"1\"",
            ])
    }

    @Test(arguments: [
        ("/item/.*", "path prefix \"/item/\""), ("/a\\.png", "path exact \"/a.png\""),
        ("/plain", "path exact \"/plain\""),
        ("/a\\.*", "path regex \"/a\\.*\""), ("/a.b", "path regex \"/a.b\""), ("/a\\d", "path regex \"/a\\d\""),
        ("/(a|b)", "path regex \"/(a|b)\""), ("^/a", "path regex \"^/a\""), ("(?i)/a.*", "path regex \"(?i)/a.*\""),
    ])
    func plainPatternsNeedNoRegex(_ pattern: String, _ condition: String) {
        var match = F.match(regex: pattern)
        match.ignoreUriCase = true
        let result = compile(F.virtualService([F.rule([match], to: "alpha")]))
        #expect(result.snapshot.describe().listeners[0].hosts[0].routes[0].match == [condition])
    }

    @Test func caseIsIgnoredWhereAsked() {
        var match = F.match(prefix: "/A")
        match.ignoreUriCase = true
        let result = compile(F.virtualService([F.rule([match], to: "alpha")]))
        #expect(result.routes == "80 *\n  path prefix \"/A\" (any case) -> 80||alpha")
    }

    @Test func aMalformedPatternTakesNoRequestAndIsReported() {
        let result = compile(
            F.virtualService([F.rule([F.match(regex: "/a(b")], to: "alpha"), F.rule(to: "beta")]))
        #expect(result.routes == "80 *\n  * -> 80||beta")
        #expect(result.findings == ["IST0106 vs spec.http[0].match[0].uri.regex vs.yaml:25"])
    }
}
