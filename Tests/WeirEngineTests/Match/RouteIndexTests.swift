import Testing

@testable import WeirEngine

/// The index must answer what a scan of all routes answers, for any table and request.
@Suite struct RouteIndexTests {
    /// Draws tables and requests from few words, so that routes overlap and requests hit.
    private struct Sampler {
        var random: SeededRandom
        let regexes: [RegexSet]

        static let segments = [
            "/", "/a", "/a/b", "/a/b/c", "/ab", "/api/v1", "/api/v1/users", "/A", "/long/path/of/words",
        ]
        static let names = ["x", "x-user", "end-user", "x-tier"]
        static let values = ["", "1", "jason", "a long header value", "2"]

        mutating func pick<Element>(_ list: [Element]) -> Element {
            list[Int.random(in: 0..<list.count, using: &random)]
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func condition() -> MatchCondition {
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1: return MatchCondition(.path, .exact(pick(Self.segments)), ignoresCase: chance(20))
            case 2, 3, 4: return MatchCondition(.path, .prefix(pick(Self.segments)), ignoresCase: chance(20))
            case 5, 6, 7:
                return MatchCondition(.header(pick(Self.names)), .exact(pick(Self.values)), negated: chance(15))
            case 8: return MatchCondition(.query(pick(Self.names)), .exact(pick(Self.values)))
            case 9: return MatchCondition(.authority, .exact(pick(["a.com", "b.com:80"])))
            case 10:
                return MatchCondition(
                    pick([.path, .header("x"), .header("x-user"), .authority]), .regex(pick(regexes)),
                    negated: chance(10))
            default: return MatchCondition(pick([.header("x-tier"), .query("x")]), .present, negated: chance(30))
            }
        }

        mutating func table() -> [[MatchCondition]] {
            (0..<Int.random(in: 1...30, using: &random)).map { _ in
                (0..<(chance(5) ? 0 : Int.random(in: 1...3, using: &random))).map { _ in condition() }
            }
        }

        mutating func request() -> SampleRequest {
            var target = pick(Self.segments) + (chance(30) ? pick(["x", "/b", "/c/d"]) : "")
            if chance(40) {
                let parameters = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    pick(Self.names) + "=" + pick(Self.values)
                }
                target += "?" + parameters.joined(separator: "&")
            }
            let headers = (0..<Int.random(in: 0...4, using: &random)).map { _ in (pick(Self.names), pick(Self.values)) }
            return SampleRequest(target, authority: pick(["a.com", "b.com:80", "c"]), headers: headers)
        }
    }

    private struct Tally {
        var pairs = 0
        var disagreements = 0
        var firstWins = 0
        var lastWins = 0
        var otherWins = 0
        var none = 0
        var resumed = 0
        var winsByKey: [String: Int] = [:]
    }

    private func kind(_ route: [MatchCondition]) -> String {
        let keys = route.flatMap { RouteKey.offers(of: $0) }
        guard let key = keys.first else { return "none" }
        let offering = route.count { !RouteKey.offers(of: $0).isEmpty }
        if offering > 1 { return "several" }
        switch key {
        case .exactPath(_, let folded): return folded ? "exact path, any case" : "exact path"
        case .prefix(_, let folded): return folded ? "prefix, any case" : "prefix"
        case .header: return "header"
        case .authority: return "authority"
        case .query: return "query"
        case .gram: return "regex"
        }
    }

    /// `fault` changes the routes the index files, and those alone: a fault in it.
    private func compare(
        tables: Int, requests: Int, seed: UInt64, fault: ([[MatchCondition]]) -> [[MatchCondition]] = { $0 }
    ) throws -> Tally {
        let regexes = try [
            "/a.*", "[0-9]*", "/api/v[12].*", ".*", "a long.*value", "(?i)JAS.N", "(.*)/(users|words)", "[abc].com.*",
            "/lon(g|ger)/path/of/.*", "j(as|os)on|a .*",
        ].map { try RegexSet(pattern: $0, workers: 1) }
        var sampler = Sampler(random: SeededRandom(seed), regexes: regexes)
        let pool = (0..<requests).map { _ in sampler.request() }
        var tally = Tally()
        for _ in 0..<tables {
            let routes = sampler.table()
            let scanned = RouteTable(routes, indexAbove: .max)
            let indexed = RouteTable(routes, indexAbove: -1, filed: fault(routes))
            for request in pool {
                tally.pairs += 1
                let expected = request.linearNext(in: scanned)
                let found = request.next(in: indexed)
                if found != expected { tally.disagreements += 1 }
                count(expected, routes, &tally)
                guard expected >= 0, tally.pairs % 4 == 0 else { continue }
                tally.resumed += 1
                let expectedNext = request.linearNext(in: scanned, after: expected)
                let foundNext = request.next(in: indexed, after: expected)
                if foundNext != expectedNext { tally.disagreements += 1 }
            }
        }
        return tally
    }

    private func count(_ winner: Int32, _ routes: [[MatchCondition]], _ tally: inout Tally) {
        switch Int(winner) {
        case -1: tally.none += 1
        case 0: tally.firstWins += 1
        case routes.count - 1: tally.lastWins += 1
        default: tally.otherWins += 1
        }
        if winner >= 0 { tally.winsByKey[kind(routes[Int(winner)]), default: 0] += 1 }
    }

    @Test func indexAnswersWhatAScanAnswers() throws {
        let tally = try compare(tables: 4000, requests: 250, seed: 20_260_101)
        print(
            "route index: \(tally.pairs) pairs, first \(tally.firstWins), last \(tally.lastWins), other",
            "\(tally.otherWins), none \(tally.none), resumed \(tally.resumed), by key \(tally.winsByKey)")
        #expect(tally.pairs >= 1_000_000)
        // Neither the first nor the last route: what a lookup that stops too soon or too late gets wrong.
        #expect(Double(tally.otherWins) >= 0.3 * Double(tally.pairs))
        #expect(tally.disagreements == 0)
        // The sample must reach every corner, or agreeing means little.
        for wins in [tally.firstWins, tally.lastWins, tally.otherWins, tally.none, tally.resumed] {
            #expect(wins > 1000)
        }
        #expect(tally.winsByKey.count == 10)
        for (key, wins) in tally.winsByKey { #expect(wins > 100, "\(key)") }
    }

    @Test func theComparisonSeesAFault() throws {
        #expect(try compare(tables: 40, requests: 50, seed: 8).disagreements == 0)
        let isForgotten = try compare(tables: 40, requests: 50, seed: 8) { Array($0.dropLast()) }
        #expect(isForgotten.disagreements > 0)
        let isMisfiled = try compare(tables: 40, requests: 50, seed: 8) { routes in
            routes.map { route in
                route.map { condition in
                    guard case .prefix(let text) = condition.pattern else { return condition }
                    return MatchCondition(condition.subject, .prefix(text + "b"), ignoresCase: condition.ignoresCase)
                }
            }
        }
        #expect(isMisfiled.disagreements > 0)
        let wrong = try RegexSet(pattern: "words.*value", workers: 1)
        let asksTooMuch = try compare(tables: 40, requests: 50, seed: 8) { routes in
            routes.map { route in
                route.map { condition in
                    guard case .regex = condition.pattern, !condition.negated else { return condition }
                    return MatchCondition(condition.subject, .regex(wrong))
                }
            }
        }
        #expect(asksTooMuch.disagreements > 0)
    }

    @Test func eachRouteIsFiledUnderItsRarestKey() {
        let common = MatchCondition(.path, .prefix("/"))
        let byHeader = (0..<1000).map { [common, MatchCondition(.header("x-user"), .exact("u\($0)"))] }
        let table = RouteTable(byHeader + [[common]])
        let residual = table.residualCount
        #expect(residual == 0)
        let last = SampleRequest("/x", headers: [("a", "b"), ("x-user", "u999")]).next(in: table)
        #expect(last == 999)
        let fallback = SampleRequest("/x", headers: [("x-user", "u1000")]).next(in: table)
        #expect(fallback == 1000)
        let resumed = SampleRequest("/x", headers: [("x-user", "u999")]).next(in: table, after: 999)
        #expect(resumed == 1000)
    }

    @Test func regexesAreFiledUnderWhatTheirMatchesHold() throws {
        let patterns = (0..<1000).map { $0 % 2 == 0 ? "/shop/item-\($0)/[a-z]+" : "/(a|b)/x?\($0)-end" }
        let regexes = try patterns.map { [MatchCondition(.path, .regex(try RegexSet(pattern: $0, workers: 1)))] }
        let table = RouteTable(regexes)
        let residual = table.residualCount
        #expect(residual == 0)
        let even = SampleRequest("/shop/item-998/abc").next(in: table)
        #expect(even == 998)
        let odd = SampleRequest("/b/x997-end").next(in: table)
        #expect(odd == 997)
        let none = SampleRequest("/shop/item-998/ABC").next(in: table)
        #expect(none == -1)
    }

    @Test func aTextThatRepeatsAFiledGramIsScannedOnce() throws {
        // Each fails on the whole text, and each is filed under bytes the text holds everywhere.
        let patterns = (0..<20).map { ".*needle.*\($0)x" }
        var routes = try patterns.map { [MatchCondition(.header("x"), .regex(try RegexSet(pattern: $0, workers: 1)))] }
        routes.append([MatchCondition(.header("x"), .regex(try RegexSet(pattern: "(needle)+", workers: 1)))])
        let table = RouteTable(routes)
        let found = SampleRequest(headers: [("x", String(repeating: "needle", count: 10_000))]).next(in: table)
        #expect(found == 20)
    }

    @Test func prefixesOfManyLengthsKeepTheOrder() {
        let prefixes = (1...60).map { "/" + String(repeating: "a", count: $0) }
        let table = RouteTable(prefixes.reversed().map { [MatchCondition(.path, .prefix($0))] })
        for length in 1...60 {
            let found = SampleRequest("/" + String(repeating: "a", count: length)).next(in: table)
            #expect(found == Int32(60 - length))
        }
    }

    @Test func routesWithoutAKeyAreScanned() {
        let present = (0..<20).map { [MatchCondition(.header("h\($0)"), .present)] }
        let table = RouteTable(present)
        let residual = table.residualCount
        #expect(residual == 20)
        let found = SampleRequest(headers: [("h19", ""), ("h7", "")]).next(in: table)
        #expect(found == 7)
        let resumed = SampleRequest(headers: [("h19", ""), ("h7", "")]).next(in: table, after: 7)
        #expect(resumed == 19)
    }
}
