import Testing
import WeirConfig

/// Rules of redirect, directResponse, rewrite, corsPolicy and headers.
@Suite struct HTTPActionRuleTests {
    /// One entry of `http:`, which is line 6 of the file.
    private static func entry(_ fields: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop}
        spec:
          hosts: [a.b]
          http: [{\(fields)}]
        """
    }

    private static func routed(_ fields: String) -> String { entry("route: [{destination: {host: a}}], \(fields)") }

    private static func redirect(_ redirect: String, match: String = "uri: {prefix: /a}") -> String {
        entry("match: [{\(match)}], redirect: {\(redirect)}")
    }

    private static let redirectRules: [Rule] = [
        Rule("every field", redirect("uri: /a, authority: b, scheme: https, port: 8443, redirectCode: 308")),
        Rule("a prefix", redirect("prefixRewrite: /b")),
        Rule("the port of the request", redirect("derivePort: FROM_REQUEST_PORT")),
        Rule("a number for a word", redirect("derivePort: 1")),
        Rule("nothing", redirect(""), ["error 6 spec.http[0].redirect"]),
        Rule("a status alone", redirect("redirectCode: 302"), ["error 6 spec.http[0].redirect"]),
        Rule(
            "a status of no redirect", redirect("uri: /a, redirectCode: 200"),
            ["error 6 spec.http[0].redirect.redirectCode"]),
        Rule(
            "a status that nobody sends", redirect("uri: /a, redirectCode: 304"),
            ["error 6 spec.http[0].redirect.redirectCode"]),
        Rule("an unknown scheme", redirect("scheme: ftp"), ["error 6 spec.http[0].redirect.scheme"]),
        Rule("two paths", redirect("uri: /a, prefixRewrite: /b"), ["error 6 spec.http[0].redirect.prefixRewrite"]),
        Rule(
            "a prefix of an exact path", redirect("prefixRewrite: /b", match: "uri: {exact: /a}"),
            ["error 6 spec.http[0].redirect.prefixRewrite"]),
        Rule("a prefix of any path", redirect("prefixRewrite: /b", match: "port: 80")),
        Rule(
            "two ports", redirect("port: 80, derivePort: FROM_REQUEST_PORT"),
            ["error 6 spec.http[0].redirect.derivePort"]),
        Rule("too great a port", redirect("port: 65536"), ["error 6 spec.http[0].redirect.port"]),
        Rule("an unknown port", redirect("derivePort: MINE"), ["error 6 spec.http[0].redirect.derivePort"]),
        Rule("a line break", redirect("uri: \"/a\\nb\""), ["error 6 spec.http[0].redirect.uri"]),
    ]

    private static func response(_ fields: String) -> String { entry("directResponse: {\(fields)}") }

    private static func body(bytes: Int) -> String {
        response("status: 200, body: {string: \(String(repeating: "a", count: bytes))}")
    }

    private static let responseRules: [Rule] = [
        Rule("a text", response("status: 503, body: {string: gone}")),
        Rule("bytes", response("status: 200, body: {bytes: aGVsbG8=}")),
        Rule("the least status", response("status: 200")),
        Rule("the greatest status", response("status: 599")),
        Rule("no status", response("body: {string: a}"), ["error 6 spec.http[0].directResponse.status"]),
        Rule("too small a status", response("status: 199"), ["error 6 spec.http[0].directResponse.status"]),
        Rule("too great a status", response("status: 601"), ["error 6 spec.http[0].directResponse.status"]),
        Rule(
            "text and bytes", response("status: 200, body: {string: a, bytes: YQ==}"),
            ["error 6 spec.http[0].directResponse.body.bytes"]),
        Rule(
            "bytes that are none", response("status: 200, body: {bytes: \"?\"}"),
            ["error 6 spec.http[0].directResponse.body.bytes"]),
        Rule("a long body", body(bytes: 102_400)),
        Rule("too long a body to be wise", body(bytes: 102_401), ["warning 6 spec.http[0].directResponse.body"]),
        Rule("the longest body", body(bytes: 1_048_576), ["warning 6 spec.http[0].directResponse.body"]),
        Rule("too long a body", body(bytes: 1_048_577), ["error 6 spec.http[0].directResponse.body"]),
    ]

    private static let rewriteRules: [Rule] = [
        Rule("a path and an authority", routed("rewrite: {uri: /a, authority: b.c}")),
        Rule("a pattern", routed("rewrite: {uriRegexRewrite: {match: \"^/a/(.*)$\", rewrite: '/\\1'}}")),
        Rule("nothing", routed("rewrite: {}"), ["error 6 spec.http[0].rewrite"]),
        Rule("an empty path", routed("rewrite: {uri: \"\"}"), ["error 6 spec.http[0].rewrite"]),
        Rule(
            "two ways", routed("rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}"),
            ["error 6 spec.http[0].rewrite.uriRegexRewrite"]),
        Rule(
            "no pattern", routed("rewrite: {uriRegexRewrite: {rewrite: b}}"),
            ["error 6 spec.http[0].rewrite.uriRegexRewrite.match"]),
        Rule(
            "no replacement", routed("rewrite: {uriRegexRewrite: {match: a}}"),
            ["error 6 spec.http[0].rewrite.uriRegexRewrite.rewrite"]),
        Rule(
            "a broken pattern", routed("rewrite: {uriRegexRewrite: {match: \"(\", rewrite: b}}"),
            ["error 6 spec.http[0].rewrite.uriRegexRewrite.match"]),
        Rule("a blank in a path", routed("rewrite: {uri: \"/a b\"}"), ["error 6 spec.http[0].rewrite.uri"]),
    ]

    private static func cors(_ fields: String) -> String { routed("corsPolicy: {\(fields)}") }

    private static let corsRules: [Rule] = [
        Rule(
            "every field",
            cors(
                "allowOrigins: [{exact: \"*\"}, {prefix: \"https://a\"}, {regex: \".*\"}], allowMethods: [GET, \"*\"], "
                    + "allowHeaders: [x-a, \"*\"], exposeHeaders: [x-b], maxAge: 24h, allowCredentials: false, "
                    + "unmatchedPreflights: IGNORE")),
        Rule("nothing", cors("")),
        Rule("any origin", cors("allowOrigins: [{}]"), ["error 6 spec.http[0].corsPolicy.allowOrigins[0]"]),
        Rule(
            "an empty origin", cors("allowOrigins: [{exact: \"\"}]"),
            ["error 6 spec.http[0].corsPolicy.allowOrigins[0]"]),
        Rule(
            "a broken origin", cors("allowOrigins: [{exact: a}, {regex: \"(\"}]"),
            ["error 6 spec.http[0].corsPolicy.allowOrigins[1].regex"]),
        Rule("the old field", cors("allowOrigin: [a]"), ["warning IST0002 6 spec.http[0].corsPolicy.allowOrigin"]),
        Rule("an unknown method", cors("allowMethods: [get]"), ["error 6 spec.http[0].corsPolicy.allowMethods[0]"]),
        Rule("a strange header", cors("allowHeaders: [\"a b\"]"), ["error 6 spec.http[0].corsPolicy.allowHeaders[0]"]),
        Rule("no header", cors("exposeHeaders: [\"\"]"), ["error 6 spec.http[0].corsPolicy.exposeHeaders[0]"]),
        Rule("a part of a second", cors("maxAge: 1500ms"), ["error 6 spec.http[0].corsPolicy.maxAge"]),
        Rule("no time", cors("maxAge: 0s"), ["error 6 spec.http[0].corsPolicy.maxAge"]),
        Rule(
            "an unknown word", cors("unmatchedPreflights: DROP"),
            ["error 6 spec.http[0].corsPolicy.unmatchedPreflights"]),
    ]

    private static func request(_ operations: String) -> String { routed("headers: {request: {\(operations)}}") }
    private static func reply(_ operations: String) -> String { routed("headers: {response: {\(operations)}}") }

    private static let headerRules: [Rule] = [
        Rule("every operation", request("set: {X-A: a}, add: {x-b: \"\"}, remove: [x-c]")),
        Rule("on a response", reply("set: {X-A: a}, add: {x-b: b}, remove: [server]")),
        Rule("the authority of a request", request("set: {Host: a.b}")),
        Rule("by its other name", request("add: {\":authority\": a.b}")),
        Rule(
            "the authority of a response", reply("set: {host: a.b}"),
            ["error 6 spec.http[0].headers.response.set.host"]),
        Rule("the authority taken away", request("remove: [Host]"), ["error 6 spec.http[0].headers.request.remove[0]"]),
        Rule(
            "the path", request("set: {\":path\": /}"), ["error 6 spec.http[0].headers.request.set[\":path\"]"]),
        Rule("no name", request("remove: [\"\"]"), ["error 6 spec.http[0].headers.request.remove[0]"]),
        Rule("a strange name", request("add: {\"a b\": c}"), ["error 6 spec.http[0].headers.request.add[\"a b\"]"]),
        Rule("variables", request("set: {x-a: \"%REQ(X-B?C):8% %PROTOCOL% 100%% %START_TIME(%Y-%m)%\"}")),
        Rule("a percent sign alone", request("set: {x-a: 100%}"), ["error 6 spec.http[0].headers.request.set.x-a"]),
        Rule(
            "a variable that does not end", request("set: {x-a: \"%REQ(a\"}"),
            ["error 6 spec.http[0].headers.request.set.x-a"]),
        Rule("a line break", request("set: {x-a: \"a\\r\\nb\"}"), ["error 6 spec.http[0].headers.request.set.x-a"]),
        Rule("a number", request("set: {x-a: 1}"), ["error 6 spec.http[0].headers.request.set.x-a"]),
        Rule(
            "the authority twice", routed("rewrite: {authority: a}, headers: {request: {set: {host: b}}}"),
            ["error 6 spec.http[0].headers.request.set.host"]),
        Rule(
            "the authority set and added", request("set: {host: b}, add: {\":authority\": c}"),
            ["error 6 spec.http[0].headers.request.add[\":authority\"]"]),
        Rule(
            "of a destination", entry("route: [{destination: {host: a}, headers: {response: {set: {\"\": a}}}}]"),
            ["error 6 spec.http[0].route[0].headers.response.set[\"\"]"]),
    ]

    @Test(arguments: redirectRules + responseRules + rewriteRules + corsRules + headerRules)
    func holdsActionsToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }
}
