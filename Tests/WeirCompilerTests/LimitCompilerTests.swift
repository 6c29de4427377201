import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// `connectionPool` and `retryBudget`: what becomes of their fields (semantics 4.4, 3.11).
@Suite struct LimitCompilerTests {
    private typealias F = Fixture

    private static func resources(_ policy: TrafficPolicy?) -> [Resource] {
        [
            F.entry("alpha"), F.gateway(), F.virtualService([F.rule([F.match(prefix: "/a")], to: "alpha")]),
            F.destinationRule("alpha", host: "alpha", policy: policy),
        ]
    }

    private static func pool(
        _ adjust: (inout TrafficPolicy.ConnectionPoolSettings.TCP, inout TrafficPolicy.ConnectionPoolSettings.HTTP) ->
            Void
    ) -> TrafficPolicy {
        var tcp = TrafficPolicy.ConnectionPoolSettings.TCP()
        var http = TrafficPolicy.ConnectionPoolSettings.HTTP()
        adjust(&tcp, &http)
        var pool = TrafficPolicy.ConnectionPoolSettings()
        pool.tcp = tcp
        pool.http = http
        var policy = TrafficPolicy()
        policy.connectionPool = pool
        return policy
    }

    private static func plan(_ policy: TrafficPolicy?) throws -> ClusterPlan {
        try #require(Compiler.make(workers: 3).compile(resources(policy)).snapshot.clusters.first)
    }

    @Test func withoutLimitsWorkersShareNothing() throws {
        for policy in [nil, Self.pool { tcp, _ in tcp.connectTimeoutMilliseconds = 5 }] {
            let plan = try Self.plan(policy)
            #expect(plan.spec.limits == ClusterLimits() && plan.shared == nil && plan.limitUses == nil)
            #expect(plan.life == ConnectionLife())
        }
    }

    @Test func everyLimitIsTheWritten() throws {
        var policy = Self.pool { tcp, http in
            tcp.maxConnections = 1
            http.http1MaxPendingRequests = 2
            http.http2MaxRequests = 3
            http.maxRetries = 4
        }
        var limits = try Self.plan(policy).spec.limits
        #expect(limits.connections == 1 && limits.pending == 2 && limits.requests == 3 && limits.retries == 4)
        #expect(limits.retryBudget == nil)
        policy.retryBudget = TrafficPolicy.RetryBudget()
        #expect(try Self.plan(policy).spec.limits.retryBudget == ClusterLimits.RetryBudget(percent: 20, least: 3))
        policy.retryBudget?.percent = 12.5
        policy.retryBudget?.minRetryConcurrency = 7
        limits = try Self.plan(policy).spec.limits
        #expect(limits.retryBudget == ClusterLimits.RetryBudget(percent: 12.5, least: 7))
        let plan = try Self.plan(policy)
        #expect(plan.shared?.workers == 3)
        #expect(plan.limitUses?.map(\.limit) == [1, 2, 3, 7])
    }

    @Test func aConnectionsLifeIsAsWrittenAndTheSystemCountsInSeconds() throws {
        let life = try Self.plan(
            Self.pool { tcp, http in
                tcp.maxConnectionDurationMilliseconds = 90_000
                http.maxRequestsPerConnection = 8
                var keepAlive = TrafficPolicy.ConnectionPoolSettings.Keepalive()
                keepAlive.probes = 5
                keepAlive.timeMilliseconds = 7_200_000
                keepAlive.intervalMilliseconds = 1_500
                tcp.tcpKeepalive = keepAlive
            }
        ).life
        #expect(life.maxMilliseconds == 90_000 && life.maxRequests == 8)
        #expect(life.keepAlive == SocketKeepAlive(probes: 5, idleSeconds: 7_200, intervalSeconds: 2))
        let bare = Self.pool { tcp, _ in tcp.tcpKeepalive = TrafficPolicy.ConnectionPoolSettings.Keepalive() }
        #expect(try Self.plan(bare).life.keepAlive == SocketKeepAlive())
    }

    @Test func countsOutliveEveryChange() throws {
        let compiler = Compiler.make(workers: 2)
        func shared(_ policy: TrafficPolicy?) throws -> ClusterShared? {
            try #require(compiler.compile(Self.resources(policy)).snapshot.clusters.first).shared
        }
        let first = try #require(try shared(Self.pool { tcp, _ in tcp.maxConnections = 1 }))
        #expect(try shared(Self.pool { tcp, _ in tcp.maxConnections = 2 }) === first)
        #expect(try shared(nil) == nil)
        // The cluster itself may be gone meanwhile.
        #expect(compiler.compile([F.gateway()]).snapshot.clusters.isEmpty)
        #expect(try shared(Self.pool { _, http in http.maxRetries = 2 }) === first)
    }
}
