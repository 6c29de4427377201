import Testing
import WeirConfig

@Suite struct StreamRouteRuleTests {
    /// The routes stand in line 6 of the file.
    private static func service(_ routes: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop}
        spec:
          hosts: [a.b, "*.c.d"]
          \(routes)
        """
    }

    private static let route = "route: [{destination: {host: a}}]"

    private static func tls(_ match: String) -> String { service("tls: [{match: [{\(match)}], \(route)}]") }
    private static func tcp(_ match: String) -> String { service("tcp: [{match: [{\(match)}], \(route)}]") }

    private static let rules: [Rule] = [
        Rule("names by SNI", tls("sniHosts: [a.b, A.B, x.c.d, \"*.c.d\", \"*.x.c.d\"], port: 443, gateways: [gw]")),
        Rule("ranges", tls("sniHosts: [a.b], destinationSubnets: [10.0.0.0/8, 10.0.0.1, \"fd00::/8\"]")),
        Rule("no match", service("tls: [{\(route)}]"), ["error 6 spec.tls[0].match"]),
        Rule("no SNI", tls("port: 443"), ["error 6 spec.tls[0].match[0].sniHosts"]),
        Rule("a name of no host", tls("sniHosts: [c.d]"), ["error 6 spec.tls[0].match[0].sniHosts[0]"]),
        Rule("more names than hosts", tls("sniHosts: [\"*\"]"), ["error 6 spec.tls[0].match[0].sniHosts[0]"]),
        Rule("no name", tls("sniHosts: [a_b]"), ["error 6 spec.tls[0].match[0].sniHosts[0]"]),
        Rule("an address as SNI", tls("sniHosts: [10.0.0.1]"), ["warning 6 spec.tls[0].match[0].sniHosts[0]"]),
        Rule(
            "a range that is none", tls("sniHosts: [a.b], destinationSubnets: [10.0.0.0/40]"),
            ["error 6 spec.tls[0].match[0].destinationSubnets[0]"]),
        Rule("no route", service("tls: [{match: [{sniHosts: [a.b]}]}]"), ["error 6 spec.tls[0].route"]),
        Rule("any connection", service("tcp: [{\(route)}]")),
        Rule("a source", tcp("sourceSubnet: 10.0.0.0/8, sourceLabels: {a: b}, sourceNamespace: ns")),
        Rule("a source that is none", tcp("sourceSubnet: a"), ["error 6 spec.tcp[0].match[0].sourceSubnet"]),
        Rule("port 0", tcp("port: 0"), ["error 6 spec.tcp[0].match[0].port"]),
        Rule("a strange namespace", tcp("sourceNamespace: a/b"), ["error 6 spec.tcp[0].match[0].sourceNamespace"]),
        Rule("a strange label", tcp("sourceLabels: {a: b/c}"), ["error 6 spec.tcp[0].match[0].sourceLabels.a"]),
        Rule("a strange gateway", tcp("gateways: [./a]"), ["error 6 spec.tcp[0].match[0].gateways[0]"]),
        Rule("no route for TCP", service("tcp: [{}]"), ["error 6 spec.tcp[0].route"]),
        Rule(
            "SNI on TCP", tcp("sniHosts: [a.b]"), ["warning WEIR0002 6 spec.tcp[0].match[0].sniHosts"]),
        Rule(
            "weights of 0 only",
            service("tcp: [{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]}]"),
            ["error 6 spec.tcp[0].route"]),
        Rule(
            "a negative weight", service("tcp: [{route: [{destination: {host: a}, weight: -1}]}]"),
            ["error 6 spec.tcp[0].route[0].weight"]),
        Rule(
            "no destination", service("tcp: [{route: [{weight: 1}]}]"),
            ["error 6 spec.tcp[0].route[0].destination.host"]),
    ]

    @Test(arguments: rules)
    func holdsStreamRoutesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }
}
