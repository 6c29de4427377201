import Testing
import WeirConfig

@Suite struct DestinationRuleRuleTests {
    /// The first line of the spec's fields is line 5 of the file.
    private static func rule(_ spec: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: a}
        spec:
        \(spec.indented(2))
        """
    }

    private static func policy(_ policy: String) -> String { rule("host: a\ntrafficPolicy: {\(policy)}") }

    private static func subsets(_ subsets: String) -> String { rule("host: a\nsubsets: [\(subsets)]") }

    private static let rules: [Rule] = [
        Rule("a host", rule("host: a.b.svc.cluster.local")),
        Rule("a wildcard", rule("host: \"*.b.svc.cluster.local\"")),
        Rule("no host", rule("subsets: []"), ["error 4 spec.host"]),
        Rule("an inner wildcard", rule("host: a.*.b"), ["error 5 spec.host"]),
        Rule("subsets", subsets("{name: v1, labels: {version: v1}}, {name: v2}")),
        Rule("a subset without name", subsets("{labels: {a: b}}"), ["error 6 spec.subsets[0].name"]),
        Rule("a strange subset", subsets("{name: v_1}"), ["error 6 spec.subsets[0].name"]),
        Rule("a subset twice", subsets("{name: v1}, {name: v1}"), ["error 6 spec.subsets[1].name"]),
        Rule("a strange label", subsets("{name: v1, labels: {a: b/c}}"), ["error 6 spec.subsets[0].labels.a"]),
        Rule("an empty policy", policy(""), ["error 6 spec.trafficPolicy"]),
        Rule("an empty pool", policy("connectionPool: {}"), ["error 6 spec.trafficPolicy.connectionPool"]),
        Rule(
            "an unknown algorithm", policy("loadBalancer: {simple: FASTEST}"),
            ["error 6 spec.trafficPolicy.loadBalancer.simple"]),
        Rule(
            "two algorithms", policy("loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}"),
            [
                "error 6 spec.trafficPolicy.loadBalancer.simple"
            ]),
        Rule(
            "a hash", policy("loadBalancer: {consistentHash: {useSourceIp: true}}")),
        Rule(
            "passed through", policy("loadBalancer: {simple: PASSTHROUGH}"),
            ["warning WEIR0009 6 spec.trafficPolicy.loadBalancer.simple"]),
        Rule(
            "a port without number", policy("portLevelSettings: [{loadBalancer: {simple: RANDOM}}]"),
            ["error 6 spec.trafficPolicy.portLevelSettings[0].port.number"]),
        Rule(
            "what is not acted on",
            policy(
                "tls: {mode: SIMPLE}, outlierDetection: {}, proxyProtocol: {}, connectionPool: {http: {maxRetries: 1}}")
        ),
        Rule(
            "a workload selector", rule("host: a\nworkloadSelector: {matchLabels: {a: b}}")),
        Rule(
            "a strange namespace", rule("host: a\nexportTo: [\"~\"]"),
            ["error 6 spec.exportTo[0]"]),
    ]

    @Test(arguments: rules)
    func holdsDestinationRulesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test(arguments: ["0s", "0", "1us", "1500us", "-1s", "5", "soon", "1h1", "\"\"", "300y", "[1s]"])
    func refusesDurationsThatAreNoWholeMilliseconds(text: String) {
        let yaml = Self.policy("connectionPool: {tcp: {connectTimeout: \(text)}}")
        #expect(findings(yaml) == ["error 6 spec.trafficPolicy.connectionPool.tcp.connectTimeout"])
        let http = Self.policy("connectionPool: {http: {idleTimeout: \(text)}}")
        #expect(findings(http) == ["error 6 spec.trafficPolicy.connectionPool.http.idleTimeout"])
    }

    private func policy(_ yaml: String) throws -> TrafficPolicy? {
        guard case .destinationRule(let rule) = try #require(decodeOne(yaml).resources.first).spec else { return nil }
        return rule.trafficPolicy
    }

    @Test(arguments: [
        ("simple: ROUND_ROBIN", TrafficPolicy.LoadBalancer.Simple.roundRobin), ("simple: RANDOM", .random),
        ("simple: LEAST_CONN", .leastRequest), ("simple: LEAST_REQUEST", .leastRequest),
        ("simple: UNSPECIFIED", .leastRequest), ("localityLbSetting: {enabled: true}", .leastRequest),
        ("simple: PASSTHROUGH", .passthrough), ("consistentHash: {httpHeaderName: x}", .leastRequest),
    ])
    func readsTheAlgorithm(text: String, expected: TrafficPolicy.LoadBalancer.Simple) throws {
        #expect(try policy(Self.policy("loadBalancer: {\(text)}"))?.loadBalancer?.simple == expected)
    }

    @Test func prefersTheIdleTimeoutOfHTTPAndKnowsNever() throws {
        let both = try policy(Self.policy("connectionPool: {tcp: {idleTimeout: 2s}, http: {idleTimeout: 1s}}"))
        #expect(both?.connectionPool?.idleTimeoutMilliseconds == 1_000)
        let tcp = try policy(Self.policy("connectionPool: {tcp: {idleTimeout: 0s, connectTimeout: 1.5s}}"))
        #expect(tcp?.connectionPool?.idleTimeoutMilliseconds == 0)
        #expect(tcp?.connectionPool?.connectTimeoutMilliseconds == 1_500)
    }
}
