import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// VirtualServices that take rules of others (semantics 3.16).
@Suite struct DelegateTests {
    private typealias F = Fixture
    private let base = [Fixture.gateway(), Fixture.entry("alpha"), Fixture.entry("beta")]

    private func compile(_ resources: Resource...) -> Compilation { Compiler.make().compile(base + resources) }

    @Test func theRulesOfADelegateStandInThePlaceOfTheRootsRule() {
        let result = compile(
            F.virtualService(
                "root",
                [
                    F.rule([F.match(exact: "/first")], to: "beta"),
                    F.delegating([F.match(prefix: "/a")], to: "team", name: "r"),
                    F.rule(to: "beta"),
                ]),
            F.delegate(
                "team",
                [F.rule([F.match(prefix: "/a/v2")], to: ("beta", nil), name: "v2"), F.rule(to: ("alpha", nil))]))
        #expect(
            result.routes == """
                80 *
                  path exact "/first" -> 80||beta
                  path prefix "/a/v2" -> 80||beta
                  path prefix "/a" -> 80||alpha
                  * -> 80||beta
                """)
        let routes = result.snapshot.describe().listeners[0].hosts[0].routes
        #expect(routes.map(\.name) == ["", "r-v2", "r", ""])
        #expect(routes.map(\.file) == ["root.yaml", "team.yaml", "team.yaml", "root.yaml"])
        #expect(result.diagnostics.isEmpty)
    }

    @Test func namesOfADelegateBelongToItsNamespace() {
        let result = compile(
            F.virtualService("root", [F.delegating(to: "shop/team")]),
            F.delegate("team", namespace: "shop", [F.rule(to: "cart"), F.rule(to: "cart")]),
            F.entry("cart", namespace: "shop"))
        #expect(result.routes == "80 *\n  * -> 80||cart.shop.svc.cluster.local")
        // What is wrong in the delegate is told there.
        #expect(result.findings == ["IST0130 team spec.http[1] team.yaml:20"])
    }

    @Test func gatewaysOfARootsMatchAreThoseOfItsNamespace() {
        let result = compile(
            F.gateway("two", [F.server(port: 81)]),
            F.virtualService(
                "root", gateways: ["gw", "two"],
                [F.delegating([F.match(prefix: "/a", gateways: ["two"])], to: "shop/team")]),
            F.delegate("team", namespace: "shop", [F.rule(to: "alpha.default.svc.cluster.local")]))
        #expect(result.routes == "81 *\n  path prefix \"/a\" -> 80||alpha")
    }

    @Test func aRuleWithoutDelegateIsLeftOutAndReported() {
        func check(_ delegate: Resource?, from namespace: String = "default", _ expected: [String]) {
            let rules = [F.delegating(to: "shop/team"), F.rule(to: "alpha.default.svc.cluster.local")]
            let root = F.virtualService("root", namespace: namespace, gateways: ["default/gw"], rules)
            let result = Compiler.make().compile(base + [root] + (delegate.map { [$0] } ?? []))
            #expect(result.routes == "80 *\n  * -> 80||alpha")
            #expect(result.findings == expected)
        }
        let broken = "IST0101 root spec.http[0].delegate root.yaml:20"
        check(nil, [broken])
        check(
            F.delegate("team", namespace: "shop", exportTo: ["."], [F.rule(to: "beta")]), [broken])
        check(
            F.delegate("team", namespace: "shop", exportTo: ["other", "prod"], [F.rule(to: "beta")]),
            [broken])
        check(
            F.virtualService(
                "team", namespace: "shop", hosts: ["x.com"], gateways: ["default/none"], [F.rule(to: "beta")]),
            [broken, "IST0101 team spec.gateways[0] team.yaml:1"])
    }

    @Test func aDelegateSeenFromTheRootsNamespaceIsUsedWhereverTheGatewayIs() {
        let result = compile(
            F.virtualService(
                "root", namespace: "shop", gateways: ["default/gw"], [F.delegating(to: "team")]),
            F.delegate(
                "team", namespace: "shop", exportTo: ["."], [F.rule(to: "alpha.default.svc.cluster.local")]))
        #expect(result.routes == "80 *\n  * -> 80||alpha")
        #expect(result.diagnostics.isEmpty)
    }

    @Test func aDelegatesRuleThatLeavesTheRootsMatchIsLeftOut() {
        let result = compile(
            F.virtualService("root", [F.delegating([F.match(prefix: "/b")], to: "team"), F.rule(to: "alpha")]),
            F.delegate(
                "team",
                [F.rule([F.match(prefix: "/else")], to: "alpha"), F.rule([F.match(exact: "/b/only")], to: "beta")]))
        #expect(result.routes == "80 *\n  path exact \"/b/only\" -> 80||beta\n  * -> 80||alpha")
        #expect(result.findings == ["IST0130 team spec.http[0].match team.yaml:20"])
    }

    @Test func matchesAreMultipliedUpToALimit() {
        let many = (0..<Delegation.pairLimit / 100).map { F.match(prefix: "/\($0)/") }
        func compile(_ pairs: Int) -> Compilation {
            let leaf = (0..<pairs).map { F.match(prefix: "/0/\($0)") }
            return self.compile(
                F.virtualService("root", [F.delegating(many, to: "team"), F.rule(to: "alpha")]),
                F.delegate("team", [F.rule(leaf, to: "beta"), F.rule([], to: "beta")]))
        }
        let full = compile(99)
        #expect(full.diagnostics.isEmpty)
        #expect(full.snapshot.listeners[0].hosts[0].plan.routeCount == 99 + many.count + 1)
        let over = compile(100)
        #expect(over.findings == ["IST0106 root spec.http[0].delegate root.yaml:20"])
        #expect(over.snapshot.listeners[0].hosts[0].plan.routeCount == 100 + 1)
    }

    @Test func aDelegateNobodyNamesIsReported() {
        let unused = "WEIR0008 team spec.hosts team.yaml:1"
        let team = F.delegate("team", revision: 1, [F.rule(to: "alpha")])
        func root(_ target: String, revision: UInt64) -> Resource {
            F.virtualService("root", revision: revision, [F.delegating(to: target)])
        }
        let compiler = Compiler.make()
        #expect(compiler.compile(base + [team, root("team", revision: 1)]).diagnostics.isEmpty)
        let away = compiler.compile(base + [team, root("gone", revision: 2)])
        #expect(away.findings == ["IST0101 root spec.http[0].delegate root.yaml:20", unused])
        #expect(compiler.compile(base + [team, root("team", revision: 3)]).diagnostics.isEmpty)
    }

    @Test func anEditOfADelegateRecompilesWhatUsesItAndNothingElse() {
        let compiler = Compiler.make()
        func root(_ name: String, _ target: String?) -> Resource {
            F.virtualService(
                name, hosts: ["\(name).com"], revision: 1,
                [target.map { F.delegating(to: $0) } ?? F.rule(to: "alpha")])
        }
        func team(_ name: String, _ target: String, revision: UInt64) -> Resource {
            F.delegate(name, revision: revision, [F.rule(to: target)])
        }
        let roots = [root("a", "one"), root("b", "one"), root("c", "two"), root("d", nil)]
        let first = compiler.compile(
            base + roots + [team("one", "alpha", revision: 1), team("two", "alpha", revision: 1)])
        #expect(first.recompiledVirtualHosts == 4)
        let second = compiler.compile(
            base + roots + [team("one", "beta", revision: 2), team("two", "alpha", revision: 1)])
        #expect(second.recompiledVirtualHosts == 2)
        #expect(
            second.routes == """
                80 a.com
                  * -> 80||beta
                80 b.com
                  * -> 80||beta
                80 c.com
                  * -> 80||alpha
                80 d.com
                  * -> 80||alpha
                """)
        let third = compiler.compile(base + roots + [team("two", "alpha", revision: 1)])
        #expect(third.routes == "80 c.com\n  * -> 80||alpha\n80 d.com\n  * -> 80||alpha")
        #expect(third.findings.count == 2)
        let again = compiler.compile(
            base + roots + [team("one", "beta", revision: 2), team("two", "alpha", revision: 1)])
        #expect(again.routes == second.routes)
        #expect(again.recompiledVirtualHosts == 2)
        #expect(again.diagnostics.isEmpty)
    }

    @Test func whatIsWrongInASharedDelegateIsToldOnce() {
        let result = compile(
            F.virtualService("a", hosts: ["a.com"], [F.delegating(to: "team")]),
            F.virtualService("b", hosts: ["b.com"], [F.delegating(to: "team")]),
            F.delegate("team", [F.rule(to: "nowhere")]))
        #expect(result.findings == ["IST0101 team spec.http[0].route[0].destination.host team.yaml:30"])
    }
}
