import Testing
import WeirTestSupport

@testable import WeirEngine

/// Paths and authorities that change on their way.
@Suite struct RewriteTests {
    private func rewritten(_ path: RouteRewrite.Path, _ target: String) throws -> (target: String, original: String?) {
        let plan = VirtualHostPlan(routes: [.doing(RouteActions(rewrite: RouteRewrite(path: path)))])
        let request = RequestOfText("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        let values = HeaderValues()
        guard let policies = plan.policies(of: 0) else { throw TestSocketError(description: "no policies") }
        guard request.head.rewrite(policies.pointee.rewrite, worker: 0, values) else { return ("too long", nil) }
        let new = String(decoding: request.head.target, as: UTF8.self)
        #expect(String(decoding: request.head.path, as: UTF8.self) == new.prefix { $0 != "?" })
        return (new, request.head.originalTarget.map { String(decoding: $0, as: UTF8.self) })
    }

    @Test(arguments: [
        (8, "/v1/bookRatings", "/ratings", "/v1/bookRatings"), (8, "/v1/b", "/ratings/7?full=1", "/v1/b/7?full=1"),
        (8, "/n", "/ratingsX", "/nX"), (4, "/", "/svc/x", "//x"), (5, "/", "/api/x", "/x"), (5, "/", "/api/", "/"),
        (1, "/base/", "/x/y", "/base/x/y"), (1, "/base/", "/", "/base/"), (2, "n", "/a/b?q", "n/b?q"),
        (2, "/n?x=1", "/a?z", "/n?x=1?z"), (4, "/n", "/old?old", "/n?old"),
    ])
    func aPrefixIsReplacedAsText(_ length: Int, _ text: String, _ target: String, _ expected: String) throws {
        let result = try rewritten(.prefix(length: length, text), target)
        #expect(result.target == expected && result.original == target)
    }

    @Test func theWholePathIsReplacedAndTheQueryStays() throws {
        #expect(try rewritten(.whole("/new/place"), "/old?q=1").target == "/new/place?q=1")
        #expect(try rewritten(.whole("/new"), "/old").target == "/new")
    }

    @Test(arguments: [
        ("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api", "/v1/api/instance/foo"),
        ("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1?x=foo", "/v1/instance/foo?x=foo"),
        ("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo", "/service/foo"),
        ("one", "two", "/xxx/one/yyy/one?one", "/xxx/two/yyy/two?one"), ("x*", "-", "/dxxyx", "-/-d-y-"),
        ("(?i)A", "\\0\\0", "/aAb", "/aaAAb"), ("b", "\\\\", "/abc", "/a\\c"), ("(z)?b", "[\\1]", "/ab", "/a[]"),
    ])
    func everyMatchInThePathIsReplaced(
        _ pattern: String, _ text: String, _ target: String, _ expected: String
    ) throws {
        let regex = try RegexSet(pattern: pattern, workers: 1)
        #expect(regex.objection(toSubstitute: text) == nil)
        let result = try rewritten(.regex(regex, text), target)
        // The original is told of even where nothing matched, as in Envoy.
        #expect(result.target == expected && result.original == target)
    }

    @Test func aPathThatWouldBecomeNothingStays() throws {
        let result = try rewritten(.regex(try RegexSet(pattern: ".*", workers: 1), ""), "/a?b")
        #expect(result.target == "/a?b" && result.original == nil)
    }

    @Test func whatAPatternGrowsIsBounded() throws {
        let regex = try RegexSet(pattern: "", workers: 1)
        let target = "/" + String(repeating: "a", count: 700)
        #expect(try rewritten(.regex(regex, String(repeating: "x", count: 100)), target).target == "too long")
    }

    @Test func searchesOfAPathAreBounded() throws {
        // Matches nothing at each place, having read all that follows.
        let regex = try RegexSet(pattern: "(a*b)?", workers: 1)
        let few = "/" + String(repeating: "a", count: 400)
        #expect(try rewritten(.regex(regex, "\\1"), few).target == few)
        let many = "/" + String(repeating: "a", count: 30_000)
        #expect(try rewritten(.regex(regex, "\\1"), many).target == "too long")
    }

    @Test func aSubstituteMustFitItsPattern() throws {
        let regex = try RegexSet(pattern: "(a)", workers: 1)
        #expect(regex.objection(toSubstitute: "\\1") == nil)
        #expect(regex.objection(toSubstitute: "\\2") != nil && regex.objection(toSubstitute: "\\") != nil)
        #expect(regex.objection(toSubstitute: "\\x") != nil)
    }

    @Test func theUpstreamIsToldWhatThePathAndTheHostWere() throws {
        let gateway = try ActionGateway([
            .doing(RouteActions(rewrite: RouteRewrite(path: .prefix(length: 2, "/n"), authority: "new.host:81")))
        ])
        let forged = [("x-envoy-original-path", "/forged"), ("x-envoy-original-host", "forged")]
        let text = try gateway.ask("GET", "/a?b", host: "example.com:8080", forged).text
        #expect(text.hasPrefix("GET /n?b HTTP/1.1\nhost: new.host:81\n"))
        #expect(
            text.contains("x-envoy-original-host: example.com:8080") && text.contains("x-envoy-original-path: /a?b"))
        #expect(!text.contains("forged"))
    }

    @Test func withoutARewriteAClientsNotesAreDropped() throws {
        let gateway = try ActionGateway([.doing(nil)])
        let forged = [("x-envoy-original-path", "/forged"), ("x-envoy-original-host", "forged")]
        #expect(try !gateway.ask("GET", "/a?b", forged).text.contains("forged"))
    }

    @Test func theLogTellsWhatWasAskedFor() throws {
        let log = try AccessLog(format: AccessLogFormat("text"), workers: 1)
        let actions = RouteActions(
            rewrite: RouteRewrite(path: .whole("/new"), authority: "new.host"),
            requestEdits: try HeaderEdits(set: ["user-agent": "changed"]))
        let redirect = RouteAnswer.Redirect(path: .prefix(length: 3, "/elsewhere"))
        let gateway = try ActionGateway(
            [.doing(.exact("/a"), actions), .doing(RouteActions(answer: .redirect(redirect)))], log: log)
        _ = try gateway.ask("GET", "/a?b=c")
        _ = try gateway.ask("GET", "/old?x")
        let lines = text(log.rings[0].waiting).split(separator: "\n")
        #expect(lines[0].contains("\"GET /a?b=c HTTP/1.1\" 200 - via_upstream"))
        #expect(lines[0].contains("\"changed\"") && lines[0].contains("\"new.host\""))
        #expect(lines[1].contains("\"GET /old?x HTTP/1.1\" 301 - direct_response"))
    }
}
