import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// From `consistentHash` to a cluster's table and to what its routes make keys of.
@Suite struct HashTests {
    private typealias F = Fixture
    private typealias Hash = TrafficPolicy.ConsistentHash

    private static func hash(_ key: Hash.Key?, _ algorithm: Hash.Algorithm? = nil) -> TrafficPolicy.LoadBalancer {
        var balancer = TrafficPolicy.LoadBalancer()
        balancer.consistentHash = Hash()
        balancer.consistentHash?.key = key
        if let algorithm { balancer.consistentHash?.algorithm = algorithm }
        return balancer
    }

    private static func policy(
        _ balancer: TrafficPolicy.LoadBalancer?, port: TrafficPolicy.LoadBalancer? = nil
    ) -> TrafficPolicy {
        var policy = F.policy(ports: port == nil ? [] : [F.portPolicy(80)])
        policy.loadBalancer = balancer
        if let port { policy.portLevelSettings[0].loadBalancer = port }
        return policy
    }

    private static func header(_ name: String) -> TrafficPolicy.LoadBalancer { hash(.httpHeader(name)) }

    private func rule(_ policy: TrafficPolicy?, subset: TrafficPolicy? = nil) -> Resource {
        F.destinationRule(
            "alpha", host: "alpha", subsets: [F.subset("v1", policy: subset), F.subset("v2")], policy: policy)
    }

    private func compile(_ resources: [Resource], to targets: (String, Int?)...) -> Compilation {
        var route = F.rule(to: ("alpha", nil))
        route.route = targets.map { HTTPRouteDestination(destination: F.destination($0), weight: $1) }
        return Compiler.make().compile(
            [F.gateway(), F.entry("alpha"), F.entry("beta"), F.virtualService([route])] + resources)
    }

    private func route(_ compilation: Compilation) -> RouteSpec {
        compilation.snapshot.listeners[0].hosts[0].plan.specs[0]
    }

    private func balancer(_ compilation: Compilation) -> BalancerPolicy {
        compilation.snapshot.clusters[0].spec.balancer
    }

    // MARK: Blocks

    @Test func everyKeyAndAlgorithmReachesTheEngine() {
        var cookie = Hash.Cookie()
        cookie.name = "sid"
        cookie.path = "/app"
        cookie.ttlMilliseconds = 1_900
        cookie.attributes = [Hash.Attribute(), Hash.Attribute()]
        cookie.attributes[0].name = "SameSite"
        cookie.attributes[0].value = "Lax"
        cookie.attributes[1].name = "Secure"
        let made = HashPolicy.Cookie(
            name: "sid", maxAgeSeconds: 1, path: "/app",
            attributes: [HashPolicy.Attribute(name: "SameSite", value: "Lax"), HashPolicy.Attribute(name: "Secure")])
        let cases: [(Hash.Key?, [HashPolicy])] = [
            (.httpHeader("x-user"), [.header("x-user")]), (.httpQueryParameter("q"), [.query("q")]),
            (.sourceIP, [.sourceAddress]), (.httpCookie(cookie), [.cookie(made)]), (nil, []),
        ]
        for (key, policies) in cases {
            let result = compile([rule(Self.policy(Self.hash(key)))], to: ("alpha", nil))
            #expect(route(result).hashPolicies == policies)
            #expect(balancer(result) == .ringHash(minimumSize: 1_024))
        }
        let maglev = Self.hash(.sourceIP, .maglev(tableSize: 1_021))
        #expect(balancer(compile([rule(Self.policy(maglev))], to: ("alpha", nil))) == .maglev(size: 1_021))
    }

    @Test func aCookieWithoutALifetimeIsNotMade() {
        var cookie = Hash.Cookie()
        cookie.name = "sid"
        for (written, made) in [(nil, nil), (0, 0), (999, 0), (600_000, 600)] as [(Int?, Int?)] {
            cookie.ttlMilliseconds = written
            let result = compile([rule(Self.policy(Self.hash(.httpCookie(cookie))))], to: ("alpha", nil))
            #expect(route(result).hashPolicies == [.cookie(HashPolicy.Cookie(name: "sid", maxAgeSeconds: made))])
        }
    }

    // MARK: Precedence

    @Test func theNarrowestHashCounts() {
        let narrow = Self.policy(Self.header("subset"), port: Self.header("subset-port"))
        let wide = Self.policy(Self.header("top"), port: Self.header("port"))
        let rules = [
            rule(wide, subset: narrow), rule(wide, subset: Self.policy(Self.header("subset"))), rule(wide),
            rule(Self.policy(Self.header("top"))),
        ]
        let found = rules.map { rule in
            ["alpha:80", "alpha", "alpha/v1"].map { route(compile([rule], to: ($0, nil))).hashPolicies }
        }
        #expect(
            found == [
                [[.header("port")], [.header("top")], [.header("subset")]],
                [[.header("port")], [.header("top")], [.header("subset")]],
                [[.header("port")], [.header("top")], [.header("top")]],
                [[.header("top")], [.header("top")], [.header("top")]],
            ])
    }

    @Test func aSubsetsPortCountsWhereTheRouteNamesIt() {
        var rule = rule(nil, subset: Self.policy(Self.header("subset"), port: Self.header("subset-port")))
        guard case .destinationRule(var spec) = rule.spec else { return }
        spec.trafficPolicy = Self.policy(Self.header("top"))
        rule.spec = .destinationRule(spec)
        var http = F.rule(to: "alpha/v1")
        http.route[0].destination.port = 80
        let result = Compiler.make().compile([F.gateway(), F.entry("alpha"), F.virtualService([http]), rule])
        #expect(route(result).hashPolicies == [.header("subset-port")])
    }

    @Test func aSubsetsAlgorithmReplacesTheRules() {
        let simple = TrafficPolicy.LoadBalancer(.roundRobin)
        let undone = compile(
            [rule(Self.policy(Self.header("top")), subset: Self.policy(simple))], to: ("alpha/v1", nil))
        #expect(balancer(undone) == .roundRobin)
        let done = compile([rule(Self.policy(simple), subset: Self.policy(Self.header("a")))], to: ("alpha/v1", nil))
        #expect(balancer(done) == .ringHash(minimumSize: 1_024))
        let port = compile([rule(Self.policy(Self.header("top"), port: simple))], to: ("alpha:80", nil))
        #expect(balancer(port) == .roundRobin)
    }

    // MARK: Several destinations

    @Test func theHashesOfAllWeighedDestinationsCountTogether() {
        let rules = [
            rule(Self.policy(Self.header("a"))),
            F.destinationRule("beta", host: "beta", policy: Self.policy(Self.hash(.sourceIP))),
        ]
        func policies(_ targets: (String, Int?)...) -> [HashPolicy] {
            var http = F.rule(to: "alpha")
            http.route = targets.map { HTTPRouteDestination(destination: F.destination($0), weight: $1) }
            return route(
                Compiler.make().compile(
                    [F.gateway(), F.entry("alpha"), F.entry("beta"), F.virtualService([http])] + rules)
            ).hashPolicies
        }
        #expect(policies(("alpha", 50), ("beta", 50)) == [.header("a"), .sourceAddress])
        #expect(policies(("alpha", 0), ("beta", 50)) == [.sourceAddress])
        #expect(policies(("alpha", 100), ("beta", nil)) == [.header("a")])
        #expect(policies(("alpha", 0)) == [.header("a")])
    }

    @Test func onlyALoneDestinationRepeatsItsEndpoints() {
        let rule = rule(Self.policy(Self.header("a")))
        #expect(!route(compile([rule], to: ("alpha", nil))).retry.avoidsTried)
        #expect(route(compile([rule], to: ("alpha", 100), ("beta", 0))).retry.avoidsTried)
        #expect(route(compile([], to: ("alpha", nil))).retry.avoidsTried)
    }

    // MARK: Edits

    @Test func anotherKeyRecompilesTheHostsThatGoByIt() {
        let compiler = Compiler.make()
        func compile(_ rule: Resource) -> Compilation {
            compiler.compile([
                F.gateway(), F.entry("alpha"), F.entry("beta"), rule,
                F.virtualService("a", hosts: ["a.com"], revision: 1, [F.rule(to: "alpha")]),
                F.virtualService("b", hosts: ["b.com"], revision: 1, [F.rule(to: "beta")]),
            ])
        }
        _ = compile(rule(Self.policy(Self.header("x"))))
        let result = compile(rule(Self.policy(Self.header("y"))))
        #expect((result.recompiledVirtualHosts, result.recompiledClusters) == (1, 0))
        #expect(
            result.snapshot.listeners[0].hosts.first { $0.pattern == "a.com" }?.plan.specs[0].hashPolicies == [
                .header("y")
            ])
    }

    @Test func aSubsetInItsGraceKeepsItsKeys() {
        let compiler = Compiler.make { $0.referenceGraceSeconds = 2 }
        let resources = [
            F.gateway(), F.entry("alpha"), F.virtualService("vs", revision: 1, [F.rule(to: "alpha/v1")]),
        ]
        _ = compiler.compile(resources + [rule(Self.policy(Self.header("x")))], at: 10)
        let gone = F.destinationRule("alpha", host: "alpha", subsets: [F.subset("v2")])
        let kept = compiler.compile(resources + [gone], at: 11)
        #expect(kept.routes == "80 *\n  * -> 80|v1|alpha")
        #expect(route(kept).hashPolicies == [.header("x")] && balancer(kept) == .ringHash(minimumSize: 1_024))
    }

    @Test func aServiceByNameGoesByItsKeysToo() throws {
        let compiler = Compiler.make { $0.meshListen = MeshAddress(host: "127.0.0.1", port: 15080) }
        let result = compiler.compile([
            F.entry("alpha"), rule(Self.policy(Self.header("x"), port: Self.header("port"))),
        ])
        let byName = result.snapshot.listeners.last { $0.isLiteral }
        let listener = try #require(byName)
        let policies = listener.hosts.map { $0.plan.specs[0].hashPolicies }
        #expect(!policies.isEmpty && policies.allSatisfy { $0 == [.header("port")] })
    }
}
