import Testing

@testable import WeirEngine

/// Which routes no request reaches.
@Suite struct ShadowedRoutesTests {
    private static func path(prefix: String, anyCase: Bool = false) -> MatchCondition {
        MatchCondition(.path, .prefix(prefix), ignoresCase: anyCase)
    }

    private static func path(exact: String, anyCase: Bool = false) -> MatchCondition {
        MatchCondition(.path, .exact(exact), ignoresCase: anyCase)
    }

    private static func header(
        _ name: String, _ pattern: MatchCondition.Pattern, negated: Bool = false
    ) -> MatchCondition {
        MatchCondition(.header(name), pattern, negated: negated)
    }

    private static func regex(_ pattern: String) throws -> MatchCondition.Pattern {
        .regex(try RegexSet(pattern: pattern, workers: 1))
    }

    /// Whether a route with `later` is shadowed by one with `earlier`.
    private func shadows(_ earlier: [MatchCondition], _ later: [MatchCondition]) -> Bool {
        ShadowedRoutes.find(in: [earlier, later])[1] == 0
    }

    @Test func aRouteWithoutConditionsShadowsAll() throws {
        let later = [Self.path(prefix: "/a"), Self.header("x", try Self.regex("a+"))]
        #expect(shadows([], later))
        #expect(shadows([Self.path(prefix: "/")], later))
        #expect(shadows([Self.path(prefix: "")], [Self.header("x", .present)]))
        #expect(shadows([MatchCondition(.path, try Self.regex(".*"))], []))
        #expect(!shadows(later, []))
    }

    @Test func aShorterPrefixShadowsLongerPathsUnderNoMoreConditions() {
        #expect(shadows([Self.path(prefix: "/api")], [Self.path(prefix: "/api/v1")]))
        #expect(shadows([Self.path(prefix: "/api")], [Self.path(exact: "/apix")]))
        #expect(shadows([Self.path(prefix: "/api")], [Self.path(prefix: "/api"), Self.header("x", .present)]))
        #expect(!shadows([Self.path(prefix: "/api/v1")], [Self.path(prefix: "/api")]))
        #expect(!shadows([Self.path(prefix: "/api"), Self.header("x", .present)], [Self.path(prefix: "/api/v1")]))
        #expect(!shadows([Self.path(exact: "/api")], [Self.path(prefix: "/api")]))
    }

    @Test func caseCountsUnlessTheEarlierIgnoresIt() {
        #expect(shadows([Self.path(prefix: "/API", anyCase: true)], [Self.path(prefix: "/api/x")]))
        #expect(shadows([Self.path(prefix: "/API", anyCase: true)], [Self.path(exact: "/Api", anyCase: true)]))
        #expect(!shadows([Self.path(prefix: "/API")], [Self.path(prefix: "/api/x")]))
        #expect(!shadows([Self.path(prefix: "/api")], [Self.path(prefix: "/api/x", anyCase: true)]))
        #expect(shadows([Self.path(prefix: "/1")], [Self.path(prefix: "/1/x", anyCase: true)]))
    }

    @Test func headersAreComparedLineByLine() throws {
        #expect(shadows([Self.header("x", .prefix("ja"))], [Self.header("x", .exact("jason"))]))
        #expect(shadows([Self.header("x", .present)], [Self.header("x", try Self.regex("a|b"))]))
        #expect(shadows([Self.header("x", try Self.regex("a|b"))], [Self.header("x", try Self.regex("a|b"))]))
        #expect(!shadows([Self.header("x", try Self.regex("a|b"))], [Self.header("x", .exact("a"))]))
        #expect(!shadows([Self.header("x", .exact("a"))], [Self.header("y", .exact("a"))]))
        #expect(!shadows([Self.header("x", .exact("a"))], [Self.header("x", .present)]))
    }

    @Test func withoutIsTheOtherWayRound() {
        let absent = Self.header("x", .present, negated: true)
        let notJason = Self.header("x", .exact("jason"), negated: true)
        let notJ = Self.header("x", .prefix("j"), negated: true)
        #expect(shadows([notJason], [absent]))
        #expect(shadows([notJason], [notJ]))
        #expect(!shadows([notJ], [notJason]))
        #expect(!shadows([absent], [notJason]))
        // Another line of the header may still be the one.
        #expect(!shadows([notJason], [Self.header("x", .exact("anna"))]))
    }

    @Test func theFirstOfSeveralIsNamed() {
        let routes = [
            [Self.path(exact: "/a")], [Self.path(prefix: "/b")], [Self.path(prefix: "/b/c")], [],
            [Self.path(prefix: "/b/c/d"), MatchCondition(.method, .exact("GET"))], [Self.path(prefix: "/z")],
        ]
        #expect(ShadowedRoutes.find(in: routes) == [nil, nil, 1, nil, 1, 3])
    }

    @Test func comparisonsAreBounded() {
        var routes = (0..<ShadowedRoutes.comparisonLimit).map {
            [Self.path(prefix: "/a"), Self.header("x", .prefix("\($0)-"))]
        }
        routes.append([Self.path(prefix: "/a"), Self.header("y", .prefix("b"))])
        routes.append([Self.path(prefix: "/a"), Self.header("y", .prefix("bb"))])
        let found = ShadowedRoutes.find(in: routes)
        #expect(found.allSatisfy { $0 == nil })
    }

    private static let texts = ["/", "/a", "/a/b", "/ab", "/A"]
    private static let values = ["", "u", "uv", "v"]

    private static func pattern(_ texts: [String], _ random: inout SeededRandom) -> MatchCondition.Pattern {
        let text = texts.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return .present
        case 1: return .exact(text)
        default: return .prefix(text)
        }
    }

    private static func conditions(_ random: inout SeededRandom) -> [MatchCondition] {
        var conditions: [MatchCondition] = []
        if Int.random(in: 0..<3, using: &random) > 0 {
            let ignoresCase = Int.random(in: 0..<4, using: &random) == 0
            conditions.append(MatchCondition(.path, pattern(texts, &random), ignoresCase: ignoresCase))
        }
        for name in ["x", "y"] where Int.random(in: 0..<3, using: &random) == 0 {
            let isNegated = Int.random(in: 0..<3, using: &random) == 0
            conditions.append(header(name, pattern(values, &random), negated: isNegated))
        }
        return conditions
    }

    private static func request(_ random: inout SeededRandom) -> SampleRequest {
        let path = (texts.randomElement(using: &random) ?? "/") + (["", "b", "/b"].randomElement(using: &random) ?? "")
        var headers: [(String, String)] = []
        for name in ["x", "y", "x"] where Bool.random(using: &random) {
            headers.append((name, values.randomElement(using: &random) ?? ""))
        }
        return SampleRequest(path, headers: headers)
    }

    @Test func noRequestReachesAShadowedRoute() {
        var random = SeededRandom(11)
        var shadowed = 0
        for _ in 0..<300 {
            let routes = (0..<8).map { _ in Self.conditions(&random) }
            let found = ShadowedRoutes.find(in: routes)
            shadowed += found.count { $0 != nil }
            let table = RouteTable(routes)
            for _ in 0..<40 {
                let request = Self.request(&random)
                let winner = Int(request.next(in: table))
                if winner >= 0 { #expect(found[winner] == nil, "\(routes[winner]) took \(request.description)") }
            }
        }
        #expect(shadowed > 300)
    }
}
