import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// How the conditions of a root and a delegate come together (semantics 3.16).
@Suite struct DelegateMergeTests {
    private typealias F = Fixture

    @Test(arguments: [
        (StringMatch?.none, StringMatch?.some(.exact("a")), false),
        (.some(.exact("a")), .none, false),
        (.some(.exact("a")), .some(.exact("a")), false),
        (.some(.exact("a")), .some(.exact("b")), true),
        (.some(.exact("a")), .some(.prefix("a")), true),
        (.some(.prefix("/a")), .some(.prefix("/a")), false),
        (.some(.prefix("/a")), .some(.prefix("/ab")), false),
        (.some(.prefix("/a")), .some(.exact("/a/b")), false),
        (.some(.prefix("/a")), .some(.exact("/b")), true),
        (.some(.prefix("/a/b")), .some(.prefix("/a")), true),
        (.some(.regex("a.*")), .some(.exact("ab")), true),
        (.some(.prefix("a")), .some(.regex("ab")), true),
        (.some(.regex("a")), .some(.regex("a")), true),
        (.some(.present), .some(.exact("a")), true),
        (.some(.exact("a")), .some(.present), true),
        (.some(.prefix("")), .some(.prefix("/a")), true),
    ])
    func aConditionOfTheDelegateMustNarrowTheRoots(_ root: StringMatch?, _ leaf: StringMatch?, _ conflicts: Bool) {
        #expect(DelegateMerge.conflict(root, leaf) == conflicts)
        func header(_ match: StringMatch?) -> HTTPMatchRequest {
            F.match(headers: match.map { [NamedMatch(name: "x", match: $0)] } ?? [])
        }
        #expect(DelegateMerge.conflict(header(root), header(leaf)) == conflicts)
    }

    private static func match(_ change: (inout HTTPMatchRequest) -> Void) -> HTTPMatchRequest {
        var match = HTTPMatchRequest()
        change(&match)
        return match
    }

    @Test func fieldsWithoutPatternsConflictByTheirOwnRules() {
        func conflict(
            _ root: (inout HTTPMatchRequest) -> Void, _ leaf: (inout HTTPMatchRequest) -> Void
        ) -> Bool {
            DelegateMerge.conflict(Self.match(root), Self.match(leaf))
        }
        #expect(conflict({ $0.ignoreUriCase = true }, { _ in }))
        #expect(conflict({ $0.port = 80 }, { $0.port = 81 }))
        #expect(!conflict({ $0.port = 80 }, { _ in }))
        #expect(conflict({ $0.sourceNamespace = "a" }, { _ in }))
        #expect(!conflict({ _ in }, { $0.sourceNamespace = "a" }))
        #expect(conflict({ $0.sourceLabels = ["a": "1"] }, { $0.sourceLabels = ["a": "2"] }))
        #expect(!conflict({ $0.sourceLabels = ["a": "1"] }, { $0.sourceLabels = ["b": "2"] }))
        #expect(conflict({ $0.gateways = ["n/a"] }, { $0.gateways = ["n/a", "n/b"] }))
        #expect(!conflict({ $0.gateways = ["n/a", "n/b"] }, { $0.gateways = ["n/b"] }))
        #expect(!conflict({ $0.gateways = ["n/a"] }, { _ in }))
    }

    @Test func everyCompatiblePairMakesAMatch() throws {
        let root = [
            Self.match {
                ($0.name, $0.uri, $0.headers) = ("r1", .prefix("/a"), [NamedMatch(name: "x", match: .exact("1"))])
            },
            Self.match { ($0.name, $0.uri) = ("r2", .prefix("/b")) },
            Self.match { $0.method = .exact("GET") },
        ]
        let leaf = [
            Self.match {
                ($0.name, $0.uri, $0.headers) = ("l1", .exact("/a/1"), [NamedMatch(name: "y", match: .present)])
            }
        ]
        let merged = try #require(DelegateMerge.matches(root: root, leaf: leaf))
        #expect(merged.map(\.name) == ["r1-l1", "l1"])
        #expect(merged[0].uri == .exact("/a/1"))
        #expect(merged[0].headers.map(\.name) == ["x", "y"])
        #expect(merged[1].method == .exact("GET"))
        // One entry without a partner takes the whole rule with it.
        #expect(
            DelegateMerge.matches(root: root.dropLast(), leaf: leaf + [Self.match { $0.uri = .prefix("/c") }]) == nil)
        #expect(DelegateMerge.matches(root: [], leaf: leaf) == leaf)
        #expect(DelegateMerge.matches(root: root, leaf: []) == root)
    }

    @Test func theDelegateTakesWholeFieldsItLacks() throws {
        let owner = F.delegate("d", [])
        var root = HTTPRoute()
        root.name = "root"
        root.timeoutMilliseconds = 5
        root.retries = HTTPRetry()
        root.rewrite = HTTPRewrite()
        root.rewrite?.uri = "/root"
        root.mirrors = [HTTPMirrorPolicy(destination: Destination(host: "m"))]
        root.headers = Headers()
        root.directResponse = HTTPDirectResponse()
        root.corsPolicy = CorsPolicy()
        root.fault = HTTPFaultInjection()
        root.mirror = Destination(host: "m")
        root.mirrorPercentage = Percent(5)
        var leaf = F.rule(to: "alpha")
        leaf.timeoutMilliseconds = 7
        leaf.rewrite = HTTPRewrite()
        leaf.rewrite?.authority = "leaf"
        func merged(_ leaf: HTTPRoute) throws -> HTTPRoute {
            let rules = [root, leaf].map { RoutedRule(http: $0, resource: owner, path: "spec.http[0]") }
            return try #require(DelegateMerge.rule(root: rules[0], leaf: rules[1])).http
        }
        let full = try merged(leaf)
        #expect(full.name == "root")
        #expect(full.timeoutMilliseconds == 7)
        #expect(full.rewrite == leaf.rewrite)
        #expect(full.retries == root.retries && full.mirrors == root.mirrors && full.headers == root.headers)
        #expect(full.directResponse == root.directResponse && full.corsPolicy == root.corsPolicy)
        #expect(full.fault == root.fault && full.mirror == root.mirror)
        #expect(full.mirrorPercentage == root.mirrorPercentage)
        #expect(full.mirrorPercent == nil)
        // The older spelling is a field of its own: the root's newer one goes in front of it.
        leaf.mirrorPercent = Percent(100)
        #expect(try merged(leaf).mirroring.first?.share == RequestShare(millionths: 50_000))
        leaf.name = "leaf"
        #expect(try merged(leaf).name == "root-leaf")
    }
}
