import Testing
import WeirConfig

@Suite struct VirtualServiceRuleTests {
    /// The first line of the spec's fields is line 5 of the file.
    private static func service(_ spec: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop, namespace: team}
        spec:
        \(spec.indented(2))
        """
    }

    private static func hosts(_ hosts: String, gateways: String = "infra/public") -> String {
        service("hosts: [\(hosts)]\ngateways: [\(gateways)]\nhttp: [{route: [{destination: {host: a}}]}]")
    }

    private static func exported(_ names: String) -> String {
        service("hosts: [a.b]\nexportTo: [\(names)]\nhttp: [{route: [{destination: {host: a}}]}]")
    }

    private static let hostRules: [Rule] = [
        Rule("every form of host", hosts("a.b, \"*.a.b\", \"*.c\", short, 10.0.0.1, \"::1\"")),
        Rule("all hosts at a gateway", hosts("\"*\"")),
        Rule("all hosts in the mesh", hosts("\"*\"", gateways: "mesh, public"), ["error 5 spec.hosts[0]"]),
        Rule("a host twice", hosts("a.b, c.d, A.b"), ["error 5 spec.hosts[2]"]),
        Rule("a wildcard twice", hosts("\"*.b\", \"*.b\""), ["error 5 spec.hosts[1]"]),
        Rule("a wildcard over a host", hosts("a.b.c, \"*.c\""), ["error 5 spec.hosts[1]"]),
        Rule("a host under a wildcard", hosts("\"*.c\", a.b.c"), ["error 5 spec.hosts[1]"]),
        Rule("a wildcard under a wildcard", hosts("\"*.c\", \"*.b.c\""), ["error 5 spec.hosts[1]"]),
        Rule("all hosts and one", hosts("a.b, \"*\""), ["error 5 spec.hosts[1]"]),
        Rule("one host and all", hosts("\"*\", a.b"), ["error 5 spec.hosts[1]"]),
        Rule("neighbours", hosts("\"*.a.b\", \"*.c.b\", a.b, c.b")),
        Rule(
            "all hosts, of no gateway", service("hosts: [\"*\"]\nhttp: [{route: [{destination: {host: a}}]}]"),
            ["error 5 spec.hosts[0]"]),
        Rule("a mistyped address", hosts("10.0.0.300"), ["error 5 spec.hosts[0]"]),
        Rule("an inner wildcard", hosts("a.*.b"), ["error 5 spec.hosts[0]"]),
        Rule("an empty host", hosts("\"\""), ["error 5 spec.hosts[0]"]),
    ]

    private static let gatewayRules: [Rule] = [
        Rule("names with and without namespace", hosts("a.b", gateways: "public, infra/public, mesh")),
        Rule("the domain form", hosts("a.b", gateways: "gw.ns.svc.cluster.local"), ["warning 6 spec.gateways[0]"]),
        Rule("its own namespace as a dot", hosts("a.b", gateways: "./public"), ["error 6 spec.gateways[0]"]),
        Rule("an empty name", hosts("a.b", gateways: "\"\""), ["error 6 spec.gateways[0]"]),
        Rule("an empty namespace", hosts("a.b", gateways: "/public"), ["error 6 spec.gateways[0]"]),
        Rule("two slashes", hosts("a.b", gateways: "a/b/c"), ["error 6 spec.gateways[0]"]),
    ]

    private static let exportRules: [Rule] = [
        Rule("exported to all", exported("\"*\"")),
        Rule("exported to some", exported("., other")),
        Rule("to itself twice", exported("., team"), ["error 6 spec.exportTo[1]"]),
        Rule("to all and one", exported("\"*\", a"), ["error 6 spec.exportTo"]),
        Rule("to nobody", exported("\"~\""), ["error 6 spec.exportTo[0]"]),
        Rule("to no name", exported("a_b"), ["error 6 spec.exportTo[0]"]),
    ]

    private static let otherRules: [Rule] = [
        Rule("no routes", service("hosts: [a.b]"), ["error 4 spec.http"]),
        Rule("an empty list of routes", service("hosts: [a.b]\nhttp: []"), ["error 6 spec.http"]),
        Rule("TCP routes only", service("hosts: [a.b]\ntcp: [{route: [{destination: {host: a}}]}]")),
        Rule("a delegate", service("http: [{route: [{destination: {host: a}}]}]")),
        Rule(
            "no hosts at a gateway", service("gateways: [public]\nhttp: [{route: [{destination: {host: a}}]}]"),
            ["error 4 spec.hosts"]),
        Rule(
            "a delegate with TLS routes",
            service(
                "tls: [{match: [{sniHosts: [a.b]}], route: [{destination: {host: a}}]}]\nhttp: [{route: [{destination: {host: a}}]}]"
            ),
            ["error 4 spec.hosts", "error 5 spec.tls[0].match[0].sniHosts[0]"]),
        Rule(
            "a delegate that delegates", service("http: [{delegate: {name: a}}]"),
            ["error 5 spec.http[0].delegate"]),
    ]

    @Test(arguments: hostRules + gatewayRules + exportRules + otherRules)
    func holdsVirtualServicesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test func comparesThousandsOfHostsInLinearTime() {
        let hosts = (0..<20_000).map { "h\($0).example.com" }.joined(separator: ", ")
        #expect(findings(Self.hosts(hosts)).isEmpty)
    }
}
