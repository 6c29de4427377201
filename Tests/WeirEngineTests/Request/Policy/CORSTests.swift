import Testing
import WeirTestSupport

@testable import WeirEngine

/// Preflights and answers for scripts of other origins.
@Suite struct CORSTests {
    private func policy(
        _ origins: [CORSPolicy.Origin], methods: String = "", headers: String = "",
        _ adjust: (inout CORSPolicy) -> Void = { _ in }
    ) -> CORSPolicy {
        var policy = CORSPolicy()
        policy.origins = origins
        policy.methods = methods
        policy.headers = headers
        adjust(&policy)
        return policy
    }

    private func gateway() throws -> ActionGateway {
        let regex = try RegexSet(pattern: "https://.*\\.trusted\\.org", workers: 1)
        let full = policy(
            [.exact("https://app.example.com"), .prefix("https://pre"), .regex(regex)], methods: "GET,POST",
            headers: "x-token,content-type"
        ) {
            $0.exposed = "x-total"
            $0.maxAge = "86400"
            $0.allowsCredentials = true
        }
        let edits = try HeaderEdits(set: ["access-control-allow-origin": "by the route", "x-made": "it"])
        return try ActionGateway([
            .doing(.prefix("/full"), RouteActions(cors: full, responseEdits: edits)),
            .doing(.prefix("/all"), RouteActions(cors: policy([.exact("*")], methods: "*", headers: "*"))),
            .doing(
                .prefix("/ignore"),
                RouteActions(
                    cors: policy([.exact("https://a")], methods: "GET") {
                        $0.exposed = "x-total"
                        $0.answersUnmatched = true
                    })),
            .doing(.prefix("/none"), RouteActions(cors: policy([], methods: "GET"))),
            .doing(.prefix("/uh"), to: [1], RouteActions(cors: policy([.exact("https://a")]))),
            .doing(
                .prefix("/direct"),
                RouteActions(answer: .direct(status: 200, body: [65]), cors: policy([.exact("https://a")]))),
        ])
    }

    private let asks = ("access-control-request-method", "POST")

    @Test(arguments: ["https://app.example.com", "https://prefix.net", "https://a.trusted.org"])
    func aPreflightFromAnAllowedOriginIsAnswered(origin: String) throws {
        let gateway = try gateway()
        let answer = try gateway.ask("OPTIONS", "/full", [("origin", origin), asks])
        #expect(answer.status == 200 && answer.body == [] && answer["content-length"] == "0")
        #expect(answer.all("access-control-allow-origin") == [origin])
        #expect(answer["access-control-allow-methods"] == "GET,POST")
        #expect(answer["access-control-allow-headers"] == "x-token,content-type")
        #expect(answer["access-control-max-age"] == "86400" && answer["access-control-expose-headers"] == "x-total")
        #expect(answer["access-control-allow-credentials"] == "true")
        // No route answers it, so no operations of one are seen.
        #expect(answer["x-made"] == nil && gateway.origin.requests.isEmpty)
    }

    @Test func whatIsNoPreflightIsPassedOn() throws {
        let gateway = try gateway()
        let allowed = ("origin", "https://app.example.com")
        for headers in [[allowed], [allowed, ("access-control-request-method", "")], [asks], [("origin", ""), asks]] {
            let answer = try gateway.ask("OPTIONS", "/full", headers)
            #expect(answer.text.hasPrefix("OPTIONS /full") && answer["access-control-allow-methods"] == nil)
        }
        #expect(try gateway.ask("GET", "/full", [allowed, asks]).text.hasPrefix("GET"))
    }

    @Test func aPreflightFromAnotherOriginIsPassedOnUnlessThePolicySaysOtherwise() throws {
        let gateway = try gateway()
        let other = ("origin", "https://evil.example.net")
        let passed = try gateway.ask("OPTIONS", "/full", [other, asks])
        #expect(passed.text.hasPrefix("OPTIONS") && passed["access-control-allow-methods"] == nil)
        #expect(try gateway.ask("OPTIONS", "/none", [("origin", "https://a"), asks]).text.hasPrefix("OPTIONS"))
        let answered = try gateway.ask("OPTIONS", "/ignore", [other, asks])
        #expect(answered.status == 200 && answered.body == [] && answered["access-control-allow-origin"] == nil)
        #expect(answered["access-control-allow-methods"] == "GET" && answered["access-control-expose-headers"] == nil)
        let allowed = try gateway.ask("OPTIONS", "/ignore", [("origin", "https://a"), asks])
        #expect(allowed["access-control-expose-headers"] == "x-total")
    }

    @Test func answersToAllowedOriginsCanBeRead() throws {
        let gateway = try gateway()
        let upstream = ("x-answer", "Access-Control-Allow-Origin: up|access-control-expose-headers: up|vary: x")
        let allowed = try gateway.ask("GET", "/full", [("origin", "https://prefix.net"), upstream])
        #expect(allowed.all("access-control-allow-origin") == ["https://prefix.net"])
        #expect(allowed.all("access-control-expose-headers") == ["x-total"] && allowed["vary"] == "x")
        #expect(allowed["access-control-allow-credentials"] == "true" && allowed["access-control-max-age"] == nil)
        let other = try gateway.ask("GET", "/all", [("x-answer", "access-control-allow-origin: up")])
        #expect(other.all("access-control-allow-origin") == ["up"])
        let evil = try gateway.ask("GET", "/full", [("origin", "https://evil.net"), upstream])
        #expect(evil.all("access-control-allow-origin") == ["by the route"])
        #expect(evil.all("access-control-expose-headers") == ["up"] && evil["x-made"] == "it")
        let failed = try gateway.ask("GET", "/uh", [("origin", "https://a")])
        #expect(failed.status == 503 && failed["access-control-allow-origin"] == "https://a")
        // A route that answers by itself has no say in this, as in Envoy.
        let direct = try gateway.ask("GET", "/direct", [("origin", "https://a")])
        #expect(direct.status == 200 && direct["access-control-allow-origin"] == nil)
        #expect(try gateway.ask("OPTIONS", "/direct", [("origin", "https://a"), asks]).text == "A")
    }

    @Test func aStarEchoesWhatWasAskedFor() throws {
        let gateway = try gateway()
        let answer = try gateway.ask(
            "OPTIONS", "/all",
            [
                ("origin", "null"), asks, ("access-control-request-headers", "x-a"),
                ("access-control-request-headers", "x-b"),
            ])
        #expect(answer["access-control-allow-origin"] == "null" && answer["access-control-allow-methods"] == "POST")
        #expect(answer["access-control-allow-headers"] == "x-a,x-b" && answer["access-control-max-age"] == nil)
        let twice = try gateway.ask("OPTIONS", "/all", [("origin", "https://a"), ("origin", "https://b"), asks])
        #expect(twice["access-control-allow-origin"] == "https://a,https://b")
        // Two origins are none that a list knows.
        let pair = [("origin", "https://app.example.com"), ("origin", "https://b"), asks]
        #expect(try gateway.ask("OPTIONS", "/full", pair).text.hasPrefix("OPTIONS"))
    }
}
