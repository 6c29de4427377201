import Testing
import WeirConfig

@Suite struct WorkloadEntryRuleTests {
    /// The entry is line 4 of the file.
    private static func entry(_ fields: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: WorkloadEntry
        metadata: {name: vm, labels: {app: a}}
        spec: {\(fields)}
        """
    }

    private static let rules: [Rule] = [
        Rule(
            "an address", entry("address: 10.0.0.1, ports: {http: 8080}, labels: {app: a}, weight: 5, locality: r/z/s")),
        Rule("a name", entry("address: vm.example.com")),
        Rule("a socket", entry("address: unix:///run/a.sock")),
        Rule("no address", entry("labels: {app: a}"), ["error 4 spec.address"]),
        Rule(
            "a network alone", entry("network: n"),
            ["info WEIR0009 4 spec.network", "warning 4 spec.address"]),
        Rule("a strange address", entry("address: a_b"), ["error 4 spec.address"]),
        Rule("a mistyped address", entry("address: 10.0.0.300"), ["error 4 spec.address"]),
        Rule("a relative socket", entry("address: unix://a"), ["error 4 spec.address"]),
        Rule("a socket with ports", entry("address: unix:///a, ports: {http: 80}"), ["error 4 spec.ports"]),
        Rule("a strange port name", entry("address: 10.0.0.1, ports: {a_b: 80}"), ["error 4 spec.ports.a_b"]),
        Rule("too great a port", entry("address: 10.0.0.1, ports: {http: 70000}"), ["error 4 spec.ports.http"]),
        Rule("a strange label", entry("address: 10.0.0.1, labels: {a: b/c}"), ["error 4 spec.labels.a"]),
        Rule("an identity", entry("address: 10.0.0.1, serviceAccount: a"), ["info WEIR0009 4 spec.serviceAccount"]),
        Rule("an unknown field", entry("address: 10.0.0.1, port: 80"), ["warning WEIR0002 4 spec.port"]),
    ]

    @Test(arguments: rules)
    func holdsWorkloadEntriesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }
}
