import Testing
import WeirConfig

@Suite struct ServiceEntryRuleTests {
    /// The first line of the spec's fields is line 5 of the file.
    private static func entry(_ spec: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: a}
        spec:
        \(spec.indented(2))
        """
    }

    private static func ports(_ ports: String, hosts: String = "a.b") -> String {
        entry("hosts: [\(hosts)]\nresolution: STATIC\nports: [\(ports)]")
    }

    private static func endpoint(_ endpoint: String, resolution: String = "STATIC") -> String {
        entry(
            "hosts: [a.b]\nresolution: \(resolution)\nports: [{number: 80, name: http, protocol: HTTP}]\nendpoints: [{\(endpoint)}]"
        )
    }

    private static let hostAndPortRules: [Rule] = [
        Rule("no hosts", entry("resolution: STATIC"), ["error 4 spec.hosts"]),
        Rule("all hosts", entry("hosts: [\"*\"]"), ["error 5 spec.hosts[0]"]),
        Rule("a strange host", entry("hosts: [a.b, a_b]"), ["error 5 spec.hosts[1]"]),
        Rule("a port", ports("{number: 80, name: http, protocol: HTTP, targetPort: 8080}")),
        Rule("a partial wildcard", entry("hosts: [\"*a.example.com\"]"), ["warning 5 spec.hosts[0]"]),
        Rule(
            "a port without protocol", ports("{number: 80, name: http}", hosts: "\"*.a.b\""),
            ["warning IST0134 7 spec.ports[0].protocol"]),
        Rule("a TCP port that a mesh gives an address", ports("{number: 80, name: a, protocol: TCP}")),
        Rule(
            "a TCP port of a wildcard", ports("{number: 80, name: a, protocol: tcp}", hosts: "\"*.a.b\""),
            ["warning IST0134 7 spec.ports[0].protocol"]),
        Rule(
            "a range of addresses", entry("hosts: [a.b]\naddresses: [10.0.0.0/8, \"fd00::/64\"]\nresolution: STATIC"),
            ["info WEIR0009 6 spec.addresses"]),
        Rule(
            "a range that is looked up", entry("hosts: [a.b]\naddresses: [10.0.0.0/8]\nresolution: DNS"),
            ["info WEIR0009 6 spec.addresses", "error 6 spec.addresses[0]"]),
        Rule(
            "no address", entry("hosts: [a.b]\naddresses: [10.0.0.0/33, a.b]\nresolution: STATIC"),
            ["info WEIR0009 6 spec.addresses", "error 6 spec.addresses[0]", "error 6 spec.addresses[1]"]),
        Rule(
            "a selector without labels", entry("hosts: [a.b]\nresolution: STATIC\nworkloadSelector: {}"),
            ["warning 7 spec.workloadSelector"]),
        Rule(
            "a selector with a star", entry("hosts: [a.b]\nresolution: STATIC\nworkloadSelector: {labels: {a: \"*\"}}"),
            ["error 7 spec.workloadSelector.labels.a"]),
        Rule(
            "hosts found while serving",
            entry("hosts: [\"*.a.b\"]\nresolution: DYNAMIC_DNS\nports: [{number: 80, name: a, protocol: HTTP}]")),
        Rule(
            "TCP with hosts found while serving",
            entry("hosts: [\"*.a.b\"]\nresolution: DYNAMIC_DNS\nports: [{number: 80, name: a, protocol: REDIS}]"),
            ["error 7 spec.ports[0].protocol"]),
        Rule(
            "addresses with hosts found while serving",
            entry("hosts: [\"*.a.b\"]\nresolution: DYNAMIC_DNS\naddresses: [10.0.0.1]"),
            ["info WEIR0009 7 spec.addresses", "error 7 spec.addresses"]),
        Rule("no number", ports("{name: http}"), ["error 7 spec.ports[0].number"]),
        Rule("no name", ports("{number: 80}"), ["error 7 spec.ports[0].name"]),
        Rule(
            "too great a target", ports("{number: 80, name: a, targetPort: 70000}"),
            ["error 7 spec.ports[0].targetPort"]),
        Rule("a strange protocol", ports("{number: 80, name: a, protocol: QUIC}"), ["error 7 spec.ports[0].protocol"]),
        Rule("a number twice", ports("{number: 80, name: a}, {number: 80, name: b}"), ["error 7 spec.ports[1].number"]),
        Rule("a name twice", ports("{number: 80, name: a}, {number: 81, name: a}"), ["error 7 spec.ports[1].name"]),
        Rule("several hosts on HTTP", ports("{number: 80, name: a, protocol: HTTP}", hosts: "a.b, c.d")),
        Rule(
            "several hosts on TCP", ports("{number: 80, name: a, protocol: TCP}", hosts: "a.b, c.d"),
            ["error 7 spec.ports[0].protocol"]),
    ]

    private static let endpointRules: [Rule] = [
        Rule(
            "an address", endpoint("address: 10.0.0.1, ports: {http: 8080}, labels: {v: \"1\"}, weight: 0")),
        Rule(
            "what a mesh needs", endpoint("address: 10.0.0.1, network: n, serviceAccount: a"),
            ["info WEIR0009 8 spec.endpoints[0].network", "info WEIR0009 8 spec.endpoints[0].serviceAccount"]),
        Rule("an IPv6 address", endpoint("address: \"fd00::1\"")),
        Rule("a socket", endpoint("address: unix:///run/a.sock")),
        Rule(
            "a socket with ports", endpoint("address: unix:///a, ports: {http: 1}"), ["error 8 spec.endpoints[0].ports"]
        ),
        Rule("a relative socket", endpoint("address: unix://a"), ["error 8 spec.endpoints[0].address"]),
        Rule("a name", endpoint("address: a.example.com"), ["error 8 spec.endpoints[0].address"]),
        Rule("a name looked up", endpoint("address: a.example.com", resolution: "DNS")),
        Rule(
            "no name", endpoint("address: a_b", resolution: "DNS"), ["error 8 spec.endpoints[0].address"]),
        Rule("no address", endpoint("weight: 5"), ["error 8 spec.endpoints[0].address"]),
        Rule(
            "an unknown port", endpoint("address: 10.0.0.1, ports: {https: 1}"),
            ["error 8 spec.endpoints[0].ports.https"]),
        Rule("port 0", endpoint("address: 10.0.0.1, ports: {http: 0}"), ["error 8 spec.endpoints[0].ports.http"]),
        Rule("a negative weight", endpoint("address: 10.0.0.1, weight: -1"), ["error 8 spec.endpoints[0].weight"]),
        Rule(
            "a strange label", endpoint("address: 10.0.0.1, labels: {v: \"a b\"}"),
            ["error 8 spec.endpoints[0].labels.v"]),
        Rule("no resolution", endpoint("address: 10.0.0.1", resolution: "NONE"), ["error 6 spec.resolution"]),
        Rule(
            "a strange resolution", endpoint("address: 10.0.0.1", resolution: "static"),
            ["error 6 spec.resolution"]),
    ]

    private static let resolutionRules: [Rule] = [
        Rule(
            "a wildcard looked up", entry("hosts: [\"*.a.b\"]\nresolution: DNS"), ["error 5 spec.hosts"]),
        Rule(
            "two endpoints for one turn",
            entry("hosts: [a.b]\nresolution: DNS_ROUND_ROBIN\nendpoints: [{address: a}, {address: b}]"),
            ["error 7 spec.endpoints"]),
        Rule(
            "a plain host looked up dynamically", entry("hosts: [\"*.a.b\", a.b]\nresolution: DYNAMIC_DNS"),
            ["error 5 spec.hosts[1]"]),
        Rule(
            "a selector", entry("hosts: [a.b]\nresolution: STATIC\nworkloadSelector: {labels: {a: b}}")),
        Rule(
            "a selector and endpoints",
            entry(
                "hosts: [a.b]\nresolution: STATIC\nworkloadSelector: {labels: {a: b}}\nendpoints: [{address: 10.0.0.1}]"
            ),
            ["error 7 spec.workloadSelector"]),
        Rule(
            "what means nothing here", entry("hosts: [a.b]\nlocation: MESH_EXTERNAL\naddresses: [10.0.0.1]"),
            ["info WEIR0009 7 spec.addresses", "info WEIR0009 6 spec.location"]),
        Rule("exported to nobody", entry("hosts: [a.b]\nexportTo: [\"~\"]")),
        Rule(
            "names of certificates", entry("hosts: [a.b]\nsubjectAltNames: [a]")),
    ]

    @Test(arguments: hostAndPortRules + endpointRules + resolutionRules)
    func holdsServiceEntriesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test func decodesEveryField() throws {
        let yaml = Self.entry(
            """
            hosts: [a.b]
            resolution: STATIC
            ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 81, name: x, targetPort: 0}]
            endpoints:
            - {address: 10.0.0.1, ports: {http: 9090}, labels: {version: v1}, weight: 3, locality: r/z}
            - {address: 10.0.0.2, weight: 0}
            """)
        guard case .serviceEntry(let entry) = try #require(decodeOne(yaml).resources.first).spec else { return }
        #expect(entry.hosts == ["a.b"] && entry.resolution == .static)
        #expect(entry.ports.map(\.number) == [80, 81] && entry.ports.map(\.targetPort) == [8080, nil])
        #expect(entry.endpoints.map(\.weight) == [3, 1] && entry.endpoints.map(\.line) == [9, 10])
        #expect(entry.endpoints[0].ports == ["http": 9090] && entry.endpoints[0].labels == ["version": "v1"])
        #expect(entry.endpoints[0].locality == "r/z")
    }
}
