import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// What the rules of a VirtualService become besides destinations.
@Suite struct RouteActionTests {
    private typealias F = Fixture

    private func compile(_ rules: [HTTPRoute], _ servers: [Gateway.Server] = [F.server()]) -> Compilation {
        Compiler.make().compile([F.entry("alpha"), F.entry("beta"), F.gateway(servers), F.virtualService(rules)])
    }

    private func actions(_ rule: HTTPRoute) -> [String] {
        let result = compile([rule])
        #expect(result.findings == [])
        return result.snapshot.describe().listeners[0].hosts[0].routes.first?.actions ?? ["no route"]
    }

    private func operations(
        remove: [String] = [], set: [String: String] = [:], add: [String: String] = [:]
    ) -> HeaderOperations {
        var operations = HeaderOperations()
        (operations.remove, operations.set, operations.add) = (remove, set, add)
        return operations
    }

    private func headers(request: HeaderOperations? = nil, response: HeaderOperations? = nil) -> Headers {
        var headers = Headers()
        (headers.request, headers.response) = (request, response)
        return headers
    }

    @Test func aPlainRuleDoesNothingElse() {
        #expect(actions(F.rule(to: "alpha")) == [])
        var rule = F.rule(to: "alpha")
        rule.headers = headers(request: operations(), response: operations(set: ["x": ""]))
        #expect(actions(rule) == [])
    }

    @Test(arguments: [
        (F.match(prefix: "/foo"), "rewrite path's first 4 bytes to \"/n\""),
        (F.match(exact: "/foo"), "rewrite path to \"/n\""), (F.match(regex: "/f.*"), "rewrite path to \"/n\""),
        (nil, "rewrite path's first 1 bytes to \"/n\""),
        (F.match(headers: [NamedMatch(name: "x", match: .present)]), "rewrite path's first 1 bytes to \"/n\""),
    ])
    func aRewriteReplacesWhatWasMatched(_ match: HTTPMatchRequest?, _ text: String) {
        var rule = F.rule(match.map { [$0] } ?? [], to: "alpha")
        rule.rewrite = HTTPRewrite()
        rule.rewrite?.uri = "/n"
        #expect(actions(rule) == [text])
        rule.redirect = HTTPRedirect()
        rule.redirect?.prefixRewrite = "/n"
        rule.redirect?.redirectCode = 308
        (rule.route, rule.rewrite) = ([], nil)
        #expect(actions(rule) == ["redirect 308, " + text.dropFirst("rewrite ".count).replacing(" to ", with: " ")])
    }

    @Test(
        arguments: [
            (nil, nil, ""), (.number(80), nil, ""), (.number(443), "https", ", scheme https"),
            (.number(443), nil, ", port 443"), (.number(80), "https", ", scheme https, port 80"),
            (.fromRequestPort, nil, ", port 8080"), (.fromProtocolDefault, "https", ", scheme https"),
        ] as [(HTTPRedirect.Port?, String?, String)])
    func aPortIsNamedUnlessItGoesWithoutSaying(_ port: HTTPRedirect.Port?, _ scheme: String?, _ text: String) {
        var rule = HTTPRoute()
        rule.redirect = HTTPRedirect()
        rule.redirect?.port = port
        rule.redirect?.scheme = scheme
        let routes = compile([rule], [F.server(port: 8080)]).snapshot.describe().listeners[0].hosts[0].routes
        #expect(routes.map(\.actions) == [["redirect 301" + text]])
    }

    @Test func aDirectResponseAndAPolicyAreCarriedOver() {
        var rule = HTTPRoute()
        rule.directResponse = HTTPDirectResponse()
        rule.directResponse?.status = 418
        rule.directResponse?.body = [1, 2]
        #expect(actions(rule) == ["answer 418 with 2 bytes"])
        var other = F.rule(to: "alpha")
        other.corsPolicy = CorsPolicy()
        other.corsPolicy?.allowOrigins = [.exact("https://a"), .regex("h.*")]
        #expect(actions(other) == ["cors for \"https://a\", regex \"h.*\""])
    }

    @Test func operationsOfTheRouteAndItsOnlyDestinationAreOneList() {
        var rule = F.rule(to: "alpha")
        rule.headers = headers(
            request: operations(remove: ["X-R"], set: ["b": "1", "a": "2"], add: ["l": "r"]),
            response: operations(add: ["z": "%%"]))
        rule.route[0].headers = headers(request: operations(remove: ["x-d"], set: ["a": "3"], add: ["l": "d"]))
        #expect(
            actions(rule) == [
                "request headers: remove x-r; remove x-d; set a \"2\"; set b \"1\"; set a \"3\"; add l \"r\"; add l \"d\"",
                "response headers: add z \"%%\"",
            ])
    }

    @Test func severalDestinationsKeepTheirOwn() {
        var rule = F.rule(to: ("alpha", 1), ("beta", 1))
        rule.headers = headers(request: operations(set: ["a": "route"]))
        rule.route[0].headers = headers(request: operations(set: ["a": "one", "Host": "one.host"]))
        let routes = compile([rule]).snapshot.describe().listeners[0].hosts[0].routes
        #expect(routes[0].actions == ["request headers: set a \"route\""])
        #expect(
            routes[0].destinations.map(\.actions) == [
                ["rewrite authority to \"one.host\"", "request headers: set a \"one\""], [],
            ])
    }

    @Test func theAuthorityHasAnOrderOfItsOwn() {
        var rule = F.rule(to: "alpha")
        rule.route[0].headers = headers(request: operations(set: ["host": "destination"]))
        #expect(actions(rule) == ["rewrite authority to \"destination\""])
        rule.headers = headers(request: operations(add: [":authority": "added"]))
        #expect(actions(rule) == ["rewrite authority to \"added\""])
        rule.headers?.request?.set = ["Host": "set"]
        #expect(actions(rule) == ["rewrite authority to \"set\""])
        rule.rewrite = HTTPRewrite()
        rule.rewrite?.authority = "rewritten"
        #expect(actions(rule) == ["rewrite authority to \"rewritten\""])
    }

    @Test func whatCannotBeActedOnIsReportedAndLeftOut() {
        var rule = F.rule(to: "alpha")
        rule.headers = headers(
            request: operations(set: ["x-a": "%NOPE%", "x-b": "1", "Connection": "close"]),
            response: operations(remove: ["transfer-encoding"]))
        rule.rewrite = HTTPRewrite()
        var regex = HTTPRewrite.RegexRewrite()
        (regex.match, regex.rewrite) = ("a(b)", "\\2")
        rule.rewrite?.uriRegexRewrite = regex
        let result = compile([rule])
        #expect(
            result.snapshot.describe().listeners[0].hosts[0].routes[0].actions == ["request headers: set x-b \"1\""])
        #expect(
            result.findings == [
                "IST0106 vs spec.http[0].headers.request.set.Connection vs.yaml:20",
                "IST0106 vs spec.http[0].headers.request.set.x-a vs.yaml:20",
                "IST0106 vs spec.http[0].headers.response.remove vs.yaml:20",
                "IST0106 vs spec.http[0].rewrite.uriRegexRewrite.rewrite vs.yaml:20",
            ])
    }

    @Test func moreHeadersThanFitAreReported() {
        var rule = F.rule(to: "alpha")
        let many = Dictionary(uniqueKeysWithValues: (0...HeaderEdits.maxLines).map { ("x-\($0)", "v") })
        rule.headers = headers(request: operations(set: many))
        #expect(compile([rule]).findings == ["IST0106 vs spec.http[0].headers.request vs.yaml:20"])
    }

    // MARK: httpsRedirect

    @Test func oneServerThatRedirectsMakesAHostRedirectForAll() {
        let servers = [
            F.server(["a.com", "*.b.com"], redirect: true), F.server(["*"]), F.server(["c.com"], redirect: true),
        ]
        let service = F.virtualService(hosts: ["a.com", "x.b.com", "d.com"], [F.rule(to: "alpha")])
        let result = Compiler.make().compile([F.entry("alpha"), F.gateway(servers), service])
        #expect(result.findings == [])
        let hosts = result.snapshot.listeners[0].hosts
        #expect(
            Dictionary(uniqueKeysWithValues: hosts.map { ($0.pattern, $0.redirectsToHTTPS) }) == [
                "a.com": true, "*.b.com": true, "x.b.com": true, "d.com": false, "c.com": true,
            ])
        #expect(hosts.first { $0.pattern == "c.com" }?.plan.routeCount == 0)
    }

    @Test func namespacesOfAServersHostsAreNoPartOfThem() {
        let result = Compiler.make().compile([F.gateway([F.server(["./a.com", "other/b.com"], redirect: true)])])
        #expect(result.snapshot.listeners[0].hosts.map(\.pattern) == ["a.com", "b.com"])
    }
}
