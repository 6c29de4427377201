import Testing

@testable import WeirEngine

/// Each row of the matching table (semantics 3.5), one condition at a time.
@Suite struct MatchConditionTests {
    private func matches(_ conditions: [MatchCondition], _ request: SampleRequest) -> Bool {
        let table = RouteTable([conditions])
        let indexed = RouteTable([conditions], indexAbove: 0)
        let found = request.next(in: table)
        let indexedFound = request.next(in: indexed)
        #expect(found == indexedFound, "\(conditions) \(request.description)")
        return found == 0
    }

    private func regex(_ pattern: String) throws -> MatchCondition.Pattern {
        .regex(try RegexSet(pattern: pattern, workers: 1))
    }

    @Test(arguments: [
        ("/login", true), ("/login?next=/x", true), ("/login/", false), ("/Login", false), ("/log", false),
    ])
    func exactPath(_ target: String, _ expected: Bool) {
        #expect(matches([MatchCondition(.path, .exact("/login"))], SampleRequest(target)) == expected)
    }

    @Test(arguments: [
        ("/foo", true), ("/foo/", true), ("/foobar", true), ("/foo?x=1", true), ("/fo", false), ("/FOO", false),
        ("/x/foo", false),
    ])
    func prefixIsPlainText(_ target: String, _ expected: Bool) {
        #expect(matches([MatchCondition(.path, .prefix("/foo"))], SampleRequest(target)) == expected)
    }

    @Test func emptyPrefixTakesEverything() {
        #expect(matches([MatchCondition(.path, .prefix(""))], SampleRequest("/x")))
        #expect(matches([], SampleRequest("/x")))
    }

    @Test func regexTakesTheWholePathWithoutQuery() throws {
        let item = [MatchCondition(.path, try regex("/item/[0-9]+"))]
        #expect(matches(item, SampleRequest("/item/42?q=1")))
        #expect(!matches(item, SampleRequest("/item/42/x")))
        #expect(!matches(item, SampleRequest("/x/item/42")))
    }

    @Test func caseIsIgnoredForExactAndPrefix() {
        let exact = [MatchCondition(.path, .exact("/ExactlyThisPath"), ignoresCase: true)]
        let prefix = [MatchCondition(.path, .prefix("/PrefixOfPath"), ignoresCase: true)]
        #expect(matches(exact, SampleRequest("/exactlythispath")))
        #expect(matches(exact, SampleRequest("/EXACTLYTHISPATH")))
        #expect(!matches(exact, SampleRequest("/exactlythispathx")))
        #expect(matches(prefix, SampleRequest("/pREFIXofpath/X")))
        #expect(!matches(prefix, SampleRequest("/prefixofpat")))
    }

    @Test func authorityKeepsPortAndCase() {
        let exact = [MatchCondition(.authority, .exact("a.example.com"))]
        #expect(matches(exact, SampleRequest(authority: "a.example.com")))
        #expect(!matches(exact, SampleRequest(authority: "a.example.com:81")))
        #expect(!matches(exact, SampleRequest(authority: "A.example.com")))
    }

    @Test func methodAndScheme() throws {
        let method = [MatchCondition(.method, try regex("PUT|DELETE"))]
        #expect(matches(method, SampleRequest(method: "PUT")))
        #expect(!matches(method, SampleRequest(method: "PUTT")))
        let scheme = [MatchCondition(.scheme, .exact("https"))]
        #expect(matches(scheme, SampleRequest(scheme: .https)))
        #expect(!matches(scheme, SampleRequest(scheme: .http)))
    }

    @Test func repeatedHeaderLinesAreTriedOneByOne() {
        let condition = [MatchCondition(.header("x"), .exact("b"))]
        #expect(matches(condition, SampleRequest(headers: [("x", "a"), ("x", "b")])))
        #expect(!matches(condition, SampleRequest(headers: [("x", "a,b")])))
        #expect(!matches(condition, SampleRequest(headers: [("y", "b")])))
        let without = [MatchCondition(.header("x"), .exact("b"), negated: true)]
        #expect(!matches(without, SampleRequest(headers: [("x", "a"), ("x", "b")])))
        #expect(matches(without, SampleRequest(headers: [("x", "a")])))
        #expect(matches(without, SampleRequest()))
    }

    @Test func presenceCountsAnEmptyValue() throws {
        let empty = SampleRequest(headers: [("x", "")])
        #expect(matches([MatchCondition(.header("x"), .present)], empty))
        #expect(!matches([MatchCondition(.header("x"), .present)], SampleRequest()))
        #expect(!matches([MatchCondition(.header("x"), .present, negated: true)], empty))
        #expect(matches([MatchCondition(.header("x"), try regex(".*"))], empty))
        #expect(!matches([MatchCondition(.header("x"), try regex(".*"))], SampleRequest()))
        #expect(matches([MatchCondition(.header("x"), .prefix("a"), negated: true)], empty))
    }

    @Test(arguments: [
        ("/?v=2", true), ("/?x=1&v=2", true), ("/?v=22", false), ("/?V=2", false), ("/?v=1&v=2", false),
        ("/?v=2&v=1", true), ("/?v=%32", false), ("/", false), ("/?", false), ("/?&&v=2", true), ("/?v", false),
    ])
    func theFirstParameterCountsUndecoded(_ target: String, _ expected: Bool) {
        #expect(matches([MatchCondition(.query("v"), .exact("2"))], SampleRequest(target)) == expected)
    }

    @Test(arguments: [("/?k", true), ("/?k=", true), ("/?k=1", false), ("/?kk", false), ("/", false)])
    func aParameterWithoutValueIsEmpty(_ target: String, _ expected: Bool) {
        #expect(matches([MatchCondition(.query("k"), .exact(""))], SampleRequest(target)) == expected)
    }

    @Test func allConditionsMustHold() {
        let both = [
            MatchCondition(.path, .prefix("/a")), MatchCondition(.header("x-one"), .exact("1")),
            MatchCondition(.header("x-two"), .exact("2")),
        ]
        #expect(matches(both, SampleRequest("/a", headers: [("x-one", "1"), ("x-two", "2")])))
        #expect(!matches(both, SampleRequest("/a", headers: [("x-one", "1")])))
        #expect(!matches(both, SampleRequest("/b", headers: [("x-one", "1"), ("x-two", "2")])))
    }

    @Test func eachWorkerRunsItsOwnProgram() throws {
        let table = RouteTable([[MatchCondition(.path, .regex(try RegexSet(pattern: "/a+", workers: 3)))]])
        for worker in 0..<3 {
            let hit = SampleRequest("/aaa", worker: worker).next(in: table)
            let miss = SampleRequest("/aab", worker: worker).next(in: table)
            #expect(hit == 0)
            #expect(miss == -1)
        }
    }

    @Test func aMalformedPatternIsRefusedInWords() {
        #expect(throws: RegexSet.Malformed.self) { try RegexSet(pattern: "/a(b", workers: 2) }
        do throws(RegexSet.Malformed) {
            _ = try RegexSet(pattern: "*", workers: 1)
            Issue.record("compiled")
        } catch {
            #expect(error.reason.contains("no argument"))
        }
    }
}
