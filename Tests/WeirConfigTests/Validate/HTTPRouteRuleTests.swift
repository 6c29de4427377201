import Testing
import WeirConfig

@Suite struct HTTPRouteRuleTests {
    /// One entry of `http:`, whose first line is line 7 of the file.
    private static func route(_ entry: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop}
        spec:
          hosts: [a.b]
          http:
        \(("- " + entry.indented(2).dropFirst(2)).indented(2))
        """
    }

    private static func match(_ match: String) -> String {
        route("match: [{\(match)}]\nroute: [{destination: {host: a}}]")
    }

    private static func destination(_ destination: String) -> String {
        route("route: [{destination: {\(destination)}}]")
    }

    private static func weights(_ weights: Int...) -> String {
        route("route: [\(weights.map { "{destination: {host: a}, weight: \($0)}" }.joined(separator: ", "))]")
    }

    private static let actionRules: [Rule] = [
        Rule("a route", route("route: [{destination: {host: a}}]")),
        Rule("nothing", route("name: a"), ["error 7 spec.http[0]"]),
        Rule("an empty route", route("route: []"), ["error 7 spec.http[0]"]),
        Rule("a redirect", route("redirect: {uri: /a}")),
        Rule("a response", route("directResponse: {status: 200}")),
        Rule("a delegate", route("delegate: {name: a}")),
        Rule(
            "a route and a redirect", route("redirect: {uri: /a}\nroute: [{destination: {host: a}}]"),
            ["error 7 spec.http[0].redirect"]),
        Rule(
            "a rewritten redirect", route("redirect: {uri: /a}\nrewrite: {uri: /b}"),
            [
                "error 8 spec.http[0].rewrite"
            ]),
        Rule(
            "two ways of mirroring",
            route("mirror: {host: a}\nmirrors: [{destination: {host: a}}]\nroute: [{destination: {host: a}}]"),
            [
                "error 8 spec.http[0].mirrors"
            ]),
        Rule(
            "a response and a redirect", route("redirect: {uri: /a}\ndirectResponse: {status: 200}"),
            ["error 7 spec.http[0].redirect"]),
        Rule(
            "a route and a response", route("directResponse: {status: 200}\nroute: [{destination: {host: a}}]"),
            ["error 7 spec.http[0].directResponse"]),
        Rule(
            "a response with a fault",
            route("directResponse: {status: 200}\nfault: {abort: {httpStatus: 500, percentage: {value: 1}}}"),
            ["error 8 spec.http[0].fault"]),
        Rule(
            "a mirrored response", route("directResponse: {status: 200}\nmirror: {host: a}"),
            ["warning 8 spec.http[0].mirror"]),
        Rule(
            "a delegate and a route", route("delegate: {name: a}\nroute: [{destination: {host: a}}]"),
            ["error 7 spec.http[0].delegate"]),
        Rule(
            "a delegate and a redirect", route("delegate: {name: a}\nredirect: {uri: /a}"),
            ["error 7 spec.http[0].delegate"]),
        Rule("a delegate and what it takes over", route("delegate: {name: a}\nrewrite: {uri: /a}\ntimeout: 1s")),
        Rule(
            "an unknown field", route("route: [{destination: {host: a}}]\nappendHeaders: {}"),
            ["warning WEIR0002 8 spec.http[0].appendHeaders"]),
    ]

    private static let destinationRules: [Rule] = [
        Rule("all parts", destination("host: a.b.svc.cluster.local, subset: v1, port: {number: 80}")),
        Rule("no destination", route("route: [{weight: 5}]"), ["error 7 spec.http[0].route[0].destination.host"]),
        Rule("no host", destination("subset: v1"), ["error 7 spec.http[0].route[0].destination.host"]),
        Rule("any host", destination("host: \"*\""), ["error 7 spec.http[0].route[0].destination.host"]),
        Rule("a host with a port", destination("host: \"a:80\""), ["error 7 spec.http[0].route[0].destination.host"]),
        Rule(
            "a strange subset", destination("host: a, subset: a_b"),
            ["error 7 spec.http[0].route[0].destination.subset"]),
        Rule(
            "port 0", destination("host: a, port: {number: 0}"),
            ["error 7 spec.http[0].route[0].destination.port.number"]),
        Rule(
            "an empty port", destination("host: a, port: {}"), ["error 7 spec.http[0].route[0].destination.port.number"]
        ),
        Rule("a weight of 0 alone", weights(0)),
        Rule("a weight of 0 among others", weights(0, 1)),
        Rule("weights of any sum", weights(1, 2, 5000)),
        Rule("weights of 0 only", weights(0, 0), ["error 7 spec.http[0].route"]),
        Rule("a negative weight", weights(-1, 5), ["error 7 spec.http[0].route[0].weight"]),
        Rule("the greatest weights", weights(2_147_483_647, 2_147_483_647)),
        Rule("too great a weight", weights(2_147_483_648), ["error 7 spec.http[0].route[0].weight"]),
        Rule(
            "no weights", route("route: [{destination: {host: a}}, {destination: {host: b}}]"),
            ["error 7 spec.http[0].route"]),
        Rule(
            "headers of two destinations",
            route(
                "route: [{destination: {host: a}, weight: 1, headers: {request: {}}}, {destination: {host: b}, weight: 1}]"
            )),
    ]

    private static let matchRules: [Rule] = [
        Rule("every kind of condition", match("uri: {prefix: /}, scheme: {exact: http}, method: {regex: GET|PUT}")),
        Rule("conditions by name", match("headers: {x: {}, Y: {prefix: a}}, queryParams: {q: {exact: \"\"}}")),
        Rule("an empty uri prefix", match("uri: {prefix: \"\"}")),
        Rule(
            "an empty header prefix", match("headers: {x: {prefix: \"\"}}"),
            ["error 7 spec.http[0].match[0].headers.x.prefix"]),
        Rule("an empty method regex", match("method: {regex: \"\"}"), ["error 7 spec.http[0].match[0].method.regex"]),
        Rule(
            "an empty scheme prefix", match("scheme: {prefix: \"\"}"), ["error 7 spec.http[0].match[0].scheme.prefix"]),
        Rule(
            "an empty authority prefix", match("authority: {prefix: \"\"}"),
            ["error 7 spec.http[0].match[0].authority.prefix"]),
        Rule(
            "an empty query prefix", match("queryParams: {q: {prefix: \"\"}}"),
            ["error 7 spec.http[0].match[0].queryParams.q.prefix"]),
        Rule(
            "a star on a header", match("headers: {x: {regex: \"*\"}}"),
            ["error 7 spec.http[0].match[0].headers.x.regex"]),
        Rule("a star without a header", match("withoutHeaders: {x: {regex: \"*\"}}")),
        Rule("a broken regex", match("uri: {regex: \"a(b\"}"), ["error 7 spec.http[0].match[0].uri.regex"]),
        Rule("a look-ahead", match("uri: {regex: \"(?=a)\"}"), ["error 7 spec.http[0].match[0].uri.regex"]),
        Rule("a back-reference", match("uri: {regex: '(a)\\1'}"), ["error 7 spec.http[0].match[0].uri.regex"]),
        Rule("a long regex", match("uri: {regex: \(String(repeating: "a", count: 1_024))}")),
        Rule(
            "too long a regex", match("uri: {regex: \(String(repeating: "a", count: 1_025))}"),
            ["error 7 spec.http[0].match[0].uri.regex"]),
        Rule("two ways at once", match("uri: {exact: /a, prefix: /b}"), ["error 7 spec.http[0].match[0].uri"]),
        Rule("plain text", match("uri: /a"), ["error 7 spec.http[0].match[0].uri"]),
        Rule("a null condition", match("headers: {x: null}"), ["error 7 spec.http[0].match[0].headers.x"]),
        Rule("an empty exact", match("uri: {exact: }"), ["warning 7 spec.http[0].match[0].uri"]),
        Rule("parts of the request line", match("headers: {\":method\": {exact: GET}}")),
        Rule(
            "a strange pseudo-header", match("headers: {\":a\": {}}"),
            ["error 7 spec.http[0].match[0].headers[\":a\"]"]),
        Rule("a strange header", match("headers: {\"a b\": {}}"), ["error 7 spec.http[0].match[0].headers[\"a b\"]"]),
        Rule(
            "a JWT claim", match("headers: {\"@request.auth.claims.x\": {exact: a}}")),
        Rule("a port", match("port: 8080")),
        Rule("port 0", match("port: 0"), ["error 7 spec.http[0].match[0].port"]),
        Rule("a strange gateway", match("gateways: [./a]"), ["error 7 spec.http[0].match[0].gateways[0]"]),
        Rule("a strange label", match("sourceLabels: {a: \"b c\"}"), ["error 7 spec.http[0].match[0].sourceLabels.a"]),
        Rule("a strange namespace", match("sourceNamespace: a/b"), ["error 7 spec.http[0].match[0].sourceNamespace"]),
        Rule("a word for a flag", match("ignoreUriCase: \"true\""), ["error 7 spec.http[0].match[0].ignoreUriCase"]),
        Rule("an unknown condition", match("url: {exact: a}"), ["warning WEIR0002 7 spec.http[0].match[0].url"]),
    ]

    @Test(arguments: actionRules + destinationRules + matchRules)
    func holdsRoutesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }
}
