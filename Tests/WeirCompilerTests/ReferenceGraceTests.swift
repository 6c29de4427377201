import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Updates that name what is not declared yet, or outlive what they name (`--reference-grace`).
@Suite struct ReferenceGraceTests {
    private typealias F = Fixture
    private let base = [Fixture.gateway(), Fixture.entry("alpha")]

    private func compiler() -> Compiler { Compiler.make { $0.referenceGraceSeconds = 2 } }

    private func service(
        _ name: String = "vs", hosts: [String] = ["*"], revision: UInt64, to targets: (String, Int?)...
    ) -> Resource {
        var route = F.rule(to: ("alpha", nil))
        route.route = targets.map { HTTPRouteDestination(destination: F.destination($0), weight: $1) }
        return F.virtualService(name, hosts: hosts, revision: revision, [route])
    }

    private func rule(_ subsets: String...) -> Resource {
        F.destinationRule("alpha", host: "alpha", subsets: subsets.map { F.subset($0) })
    }

    private let broken = "IST0101 vs spec.http[0].route[0].destination.subset vs.yaml:1"
    private let held = "WEIR0011 vs spec.http[0].route[0].destination vs.yaml:1"

    @Test func atFirstStartThereIsNoGrace() {
        let result = compiler().compile(base + [service(revision: 1, to: ("alpha/v1", nil))])
        #expect(result.routes == "80 *\n  * -> 80|v1|alpha (unknown)")
        #expect(result.findings == [broken])
        #expect(result.nextDeadline == nil)
    }

    @Test func theEditionBeforeServesUntilTheSubsetAppears() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))], at: 10)
        let edited = service(revision: 2, to: ("alpha/v1", nil))
        let waiting = compiler.compile(base + [edited], at: 11)
        #expect(waiting.routes == "80 *\n  * -> 80||alpha")
        #expect(waiting.findings == [held])
        #expect(waiting.diagnostics[0].message.contains("subset v1 of alpha.default.svc.cluster.local"))
        #expect(waiting.nextDeadline == 13)
        #expect(waiting.recompiledVirtualHosts == 0)
        let live = compiler.compile(base + [edited, rule("v1")], at: 11.5)
        #expect(live.routes == "80 *\n  * -> 80|v1|alpha")
        #expect(live.diagnostics.isEmpty)
        #expect(live.nextDeadline == nil)
    }

    @Test func whenTheGraceIsOverTheUpdateIsLive() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))], at: 10)
        let resources = base + [service(revision: 2, to: ("alpha/v1", nil))]
        _ = compiler.compile(resources, at: 11)
        #expect(compiler.compile(resources, at: 12.9).routes == "80 *\n  * -> 80||alpha")
        let over = compiler.compile(resources, at: 13)
        #expect(over.routes == "80 *\n  * -> 80|v1|alpha (unknown)")
        #expect(over.findings == [broken])
        #expect(over.nextDeadline == nil)
        // Named already, so another edit does not wait for it again.
        let again = compiler.compile(base + [service(revision: 3, to: ("alpha/v1", nil), ("alpha", 0))], at: 14)
        #expect(again.nextDeadline == nil)
    }

    @Test func aServiceThatIsNotThereYetIsWaitedForToo() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))])
        let resources = base + [service(revision: 2, to: ("alpha", 50), ("beta", 50))]
        #expect(compiler.compile(resources, at: 1).routes == "80 *\n  * -> 80||alpha")
        #expect(
            compiler.compile(resources + [F.entry("beta")], at: 1).routes == "80 *\n  * -> 50 80||alpha, 50 80||beta")
    }

    @Test func theOtherOrderNeedsNoGrace() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))])
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil)), rule("v1")])
        let live = compiler.compile(base + [service(revision: 2, to: ("alpha/v1", nil)), rule("v1")])
        #expect(live.routes == "80 *\n  * -> 80|v1|alpha")
        #expect(live.diagnostics.isEmpty)
    }

    @Test func otherUpdatesDoNotWait() {
        let compiler = compiler()
        let (a, b) = (
            { service("a", hosts: ["a.com"], revision: $0, to: ($1, nil)) },
            { service("b", hosts: ["b.com"], revision: $0, to: ($1, nil)) }
        )
        _ = compiler.compile(base + [F.entry("beta"), a(1, "alpha"), b(1, "alpha")])
        _ = compiler.compile(base + [F.entry("beta"), a(2, "alpha/v1"), b(1, "alpha")], at: 1)
        let mixed = compiler.compile(base + [F.entry("beta"), a(2, "alpha/v1"), b(2, "beta")], at: 2)
        #expect(mixed.routes == "80 a.com\n  * -> 80||alpha\n80 b.com\n  * -> 80||beta")
        // Nor does a VirtualService that comes, which lays everything out anew.
        let more = compiler.compile(
            base + [
                F.entry("beta"), a(2, "alpha/v1"), b(2, "beta"),
                service("c", hosts: ["c.com"], revision: 1, to: ("x", nil)),
            ],
            at: 2.5)
        #expect(more.routes.hasPrefix("80 a.com\n  * -> 80||alpha\n80 b.com\n  * -> 80||beta\n80 c.com"))
        #expect(more.routes.hasSuffix("80||x (unknown)"))
        #expect(more.nextDeadline == 3)
        #expect(compiler.compile(base + [F.entry("beta"), b(2, "beta")], at: 2.6).nextDeadline == nil)
    }

    @Test func anotherEditWhileWaitingForTheSameGainsNoTime() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))])
        let two = compiler.compile(base + [service(revision: 2, to: ("alpha", 90), ("alpha/v1", 10))], at: 1)
        #expect(two.nextDeadline == 3)
        let three = compiler.compile(base + [service(revision: 3, to: ("alpha", 80), ("alpha/v1", 20))], at: 2)
        #expect(three.nextDeadline == 3)
        #expect(three.routes == "80 *\n  * -> 80||alpha")
        let other = compiler.compile(base + [service(revision: 4, to: ("alpha", 80), ("alpha/v2", 20))], at: 2.5)
        #expect(other.nextDeadline == 4.5)
        let back = compiler.compile(base + [service(revision: 5, to: ("alpha", 1))], at: 2.6)
        #expect(back.nextDeadline == nil)
        #expect(back.diagnostics.isEmpty)
    }

    @Test func aDestinationWithoutAShareIsNotWaitedFor() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha", nil))])
        let result = compiler.compile(base + [service(revision: 2, to: ("alpha", 100), ("alpha/canary", 0))])
        #expect(result.routes == "80 *\n  * -> 100 80||alpha, 0 80|canary|alpha (unknown)")
        #expect(result.nextDeadline == nil)
    }

    @Test func newHostsWaitWithTheRest() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(hosts: ["a.com"], revision: 1, to: ("alpha", nil))])
        let resources = base + [service(hosts: ["b.com"], revision: 2, to: ("alpha/v1", nil))]
        #expect(compiler.compile(resources, at: 1).routes == "80 a.com\n  * -> 80||alpha")
        #expect(compiler.compile(resources + [rule("v1")], at: 2).routes == "80 b.com\n  * -> 80|v1|alpha")
    }

    @Test func anEditOfADelegateWaitsAtItsRoot() {
        let compiler = compiler()
        let root = F.virtualService("root", revision: 1, [F.delegating(to: "team")])
        func team(_ target: String, revision: UInt64) -> Resource {
            F.delegate("team", revision: revision, [F.rule(to: target)])
        }
        _ = compiler.compile(base + [root, team("alpha", revision: 1)])
        let waiting = compiler.compile(base + [root, team("alpha/v1", revision: 2)], at: 1)
        #expect(waiting.routes == "80 *\n  * -> 80||alpha")
        #expect(waiting.findings == ["WEIR0011 team spec.http[0].route[0].destination team.yaml:30"])
        let live = compiler.compile(base + [root, team("alpha/v1", revision: 2), rule("v1")], at: 2)
        #expect(live.routes == "80 *\n  * -> 80|v1|alpha")
        #expect(live.diagnostics.isEmpty)
    }

    // MARK: What is taken away

    @Test func aSubsetThatIsTakenAwayServesOnForTheGrace() {
        let compiler = compiler()
        let routed = [F.gateway(), service(revision: 1, to: ("alpha", 50), ("alpha/v1", 50))]
        func resources(_ endpoint: String, _ rules: Resource...) -> [Resource] {
            routed + [F.entry("alpha", [F.endpoint(endpoint)])] + rules
        }
        let before = compiler.compile(resources("10.0.0.1", rule("v1")))
        let kept = compiler.compile(resources("10.0.0.1"), at: 1)
        #expect(kept.routes == before.routes)
        #expect(kept.clusters == before.clusters)
        #expect(kept.nextDeadline == 3)
        #expect(kept.findings == ["IST0101 vs spec.http[0].route[1].destination.subset vs.yaml:1"])
        #expect(kept.diagnostics[0].message.contains("soon will be answered with 503"))
        let back = compiler.compile(resources("10.0.0.2", rule("v1")), at: 2)
        #expect(back.diagnostics.isEmpty && back.nextDeadline == nil)
        #expect(back.clusters.contains("80|v1|alpha: 10.0.0.2:80"))
        _ = compiler.compile(resources("10.0.0.2"), at: 3)
        let over = compiler.compile(resources("10.0.0.2"), at: 5)
        #expect(over.routes == "80 *\n  * -> 50 80||alpha, 50 80|v1|alpha (unknown)")
        #expect(over.nextDeadline == nil)
        #expect(over.snapshot.clusters.count == 1)
        #expect(over.diagnostics[0].message.contains("its requests are answered with 503"))
    }

    @Test func theVirtualServiceThatFollowsEndsIt() {
        let compiler = compiler()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha/v1", nil)), rule("v1")])
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha/v1", nil))], at: 1)
        let followed = compiler.compile(base + [service(revision: 2, to: ("alpha", nil))], at: 2)
        #expect(followed.routes == "80 *\n  * -> 80||alpha")
        #expect(followed.snapshot.clusters.count == 1)
        #expect(followed.nextDeadline == nil)
        #expect(followed.diagnostics.isEmpty)
    }

    @Test func withoutGraceEverythingIsAtOnce() {
        let compiler = Compiler.make()
        _ = compiler.compile(base + [service(revision: 1, to: ("alpha/v1", nil)), rule("v1")])
        #expect(compiler.compile(base + [service(revision: 1, to: ("alpha/v1", nil))]).findings == [broken])
        let result = compiler.compile(base + [service(revision: 2, to: ("alpha/v2", nil))])
        #expect(result.findings == [broken])
        #expect(result.nextDeadline == nil)
    }
}
