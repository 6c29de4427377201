import Testing
import WeirConfig

@testable import WeirCompiler
@testable import WeirEngine

/// The annotation that says that clients come through proxies.
@Suite struct ProxyProtocolTests {
    private typealias F = Fixture

    private func gateway(_ name: String, _ value: String?, _ servers: [Gateway.Server] = [F.server()]) -> Resource {
        var gateway = F.gateway(name, servers)
        if let value { gateway.metadata.annotations[ProxyProtocol.annotation] = value }
        return gateway
    }

    /// The ports that expect a header.
    private func expecting(_ compilation: Compilation) -> [Int] {
        compilation.snapshot.listeners.filter(\.expectsProxyHeader).map(\.port)
    }

    @Test(arguments: [("true", true), ("True", true), ("false", false), (nil, false)])
    func theAnnotationAppliesToAllPortsOfItsGateway(value: String?, expects: Bool) {
        let result = Compiler.make().compile([
            gateway("a", value, [F.server(), F.server(port: 81), F.server(port: 90, .tcp)]),
            gateway("b", nil, [F.server(port: 82)]),
        ])
        #expect(Set(expecting(result)).isDisjoint(with: [82]))
        #expect(Set(expecting(result)).isSuperset(of: expects ? [80, 81] : []))
        #expect(expects || expecting(result).isEmpty)
        #expect(!result.diagnostics.contains { $0.code == .invalidAnnotation })
    }

    @Test func anyOtherValueIsReportedAndCountsAsNone() {
        let result = Compiler.make().compile([gateway("a", "yes")])
        #expect(expecting(result).isEmpty)
        #expect(result.diagnostics.count == 1)
        #expect(result.diagnostics.first?.code == .invalidAnnotation)
        #expect(result.diagnostics.first?.path == "metadata.annotations[\"weir.dev/proxy-protocol\"]")
    }

    @Test(
        arguments: [("true", nil, [80]), (nil, "true", []), ("true", "false", [80]), ("true", "true", [80])]
            as [(String?, String?, [Int])])
    func aSharedPortIsAsTheFirstGatewayHasIt(first: String?, second: String?, ports: [Int]) {
        let result = Compiler.make().compile([
            gateway("a", first, [F.server(["a.com"])]), gateway("b", second, [F.server(["b.com"])]),
        ])
        #expect(expecting(result) == ports)
        let conflicts = result.diagnostics.filter { $0.code == .conflictingGateways }
        #expect(conflicts.count == (first == second ? 0 : 1))
        #expect(conflicts.allSatisfy { $0.resource?.name == "b" && $0.message.contains("default/a") })
    }

    @Test func anEditOfTheAnnotationAloneIsSeen() {
        let compiler = Compiler.make()
        #expect(expecting(compiler.compile([gateway("a", nil)])).isEmpty)
        #expect(expecting(compiler.compile([gateway("a", "true")])) == [80])
        #expect(expecting(compiler.compile([gateway("a", "false")])).isEmpty)
    }

    @Test func thePlanStaysTheSameObjectWhereNothingChanges() {
        let socket = ListenerSocket(ListenerState(port: 80, bind: nil, name: "http.80"))
        #expect(socket.publishedPlan === socket.plan)
        socket.expectsProxyHeader = true
        let plan = socket.publishedPlan
        #expect(plan.expectsProxyHeader && plan !== socket.plan)
        #expect(socket.publishedPlan === plan)
    }
}

/// The header that endpoints get.
@Suite struct ProxyHeaderClusterTests {
    private func version(_ policy: TrafficPolicy?, subset: TrafficPolicy? = nil) -> ProxyHeaderVersion? {
        let effective = EffectivePolicy(policy, subset: subset, port: 80)
        return effective.proxyProtocol.map { $0 == .v1 ? .v1 : .v2 }
    }

    private func policy(_ version: TrafficPolicy.ProxyProtocolVersion?, port: Int? = nil) -> TrafficPolicy {
        var policy = TrafficPolicy()
        policy.proxyProtocol = version
        if let port {
            var entry = TrafficPolicy.PortTrafficPolicy()
            entry.port = port
            policy.portLevelSettings = [entry]
        }
        return policy
    }

    @Test func aSubsetsVersionReplacesTheRules() {
        #expect(version(policy(.v1)) == .v1)
        #expect(version(policy(.v1), subset: policy(.v2)) == .v2)
        #expect(version(policy(.v1), subset: policy(nil)) == .v1)
        #expect(version(nil, subset: policy(.v2)) == .v2)
        #expect(version(policy(nil)) == nil)
    }

    @Test func aPortOfTheRuleHasNoneAndThatOfASubsetKeepsIt() {
        #expect(version(policy(.v1, port: 80)) == nil)
        #expect(version(policy(.v1, port: 81)) == .v1)
        #expect(version(policy(.v1), subset: policy(.v2, port: 80)) == .v2)
        #expect(version(policy(.v1), subset: policy(nil, port: 80)) == .v1)
    }
}
