import Testing
import WeirConfig

@testable import WeirCompiler

/// What is told of DestinationRules: their hosts, subsets and TLS.
@Suite struct DestinationRuleAnalyzerTests {
    private static func rule(_ host: String, _ more: String = "", metadata: String = "") -> String {
        Doc.istio("DestinationRule", "dr", "host: \"\(host)\"" + (more.isEmpty ? "" : "\n" + more), more: metadata)
    }

    private static func entry(_ hosts: String, endpoints: String = "") -> String {
        Doc.istio(
            "ServiceEntry", "se",
            "hosts: [\(hosts)]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\n"
                + "endpoints: [\(endpoints)]")
    }

    private static let hosts = [
        AnalysisCase("a short name", rule("web") + Doc.service("web")),
        AnalysisCase("a full name", rule("web.default.svc.cluster.local") + Doc.service("web")),
        AnalysisCase(
            "a short name elsewhere", rule("web", metadata: ", namespace: other") + Doc.service("web"),
            ["IST0174 dr spec.host"]),
        AnalysisCase(
            "a name with a dot is a full name", rule("web.default") + Doc.service("web"), ["IST0174 dr spec.host"]),
        AnalysisCase("nothing is declared", rule("web"), ["IST0174 dr spec.host"]),
        AnalysisCase("a ServiceEntry's host", rule("api.example.com") + entry("api.example.com")),
        AnalysisCase("a host of a wildcard ServiceEntry", rule("a.example.com") + entry("\"*.example.com\"")),
        AnalysisCase("a wildcard over a service", rule("*.default.svc.cluster.local") + Doc.service("web")),
        AnalysisCase("a wildcard over nothing", rule("*.example.com") + Doc.service("web"), ["IST0174 dr spec.host"]),
        AnalysisCase("everything", rule("*") + Doc.service("web")),
    ]

    @Test(arguments: hosts)
    func hostsOfServices(row: AnalysisCase) {
        #expect(row.found(by: .destinationRuleHosts) == row.expected)
    }

    private static let v1v2 = "subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"

    private static let subsets = [
        AnalysisCase(
            "both have endpoints",
            rule("api.example.com", v1v2)
                + entry(
                    "api.example.com",
                    endpoints: "{address: 10.0.0.1, labels: {version: v1}}, {address: 10.0.0.2, labels: {version: v2}}")
        ),
        AnalysisCase(
            "one has none",
            rule("api.example.com", v1v2)
                + entry("api.example.com", endpoints: "{address: 10.0.0.1, labels: {version: v1}}"),
            ["IST0173 dr spec.subsets[1].labels"]),
        AnalysisCase(
            "pods of the Service, and pods of another",
            rule("web", v1v2) + Doc.service("web") + Doc.pod("p1", labels: "app: web, version: v1")
                + Doc.pod("p2", labels: "app: other, version: v2"),
            ["IST0173 dr spec.subsets[1].labels"]),
        AnalysisCase("without any workload nothing is known", rule("web", v1v2) + Doc.service("web")),
        AnalysisCase("a service that is missing is told elsewhere", rule("web", v1v2)),
        AnalysisCase(
            "labels of places are added by the cluster",
            rule("web", "subsets: [{name: a, labels: {topology.istio.io/cluster: c1}}, {name: all}]")
                + Doc.service("web")
                + Doc.pod("p1", labels: "app: web")),
    ]

    @Test(arguments: subsets)
    func labelsOfSubsets(row: AnalysisCase) {
        #expect(row.found(by: .destinationRuleSubsets) == row.expected)
    }

    private static func policy(_ tls: String) -> String { "trafficPolicy:\n  tls: {\(tls)}" }

    private static let tls = [
        AnalysisCase("plain text", rule("a", policy("mode: DISABLE"))),
        AnalysisCase("SIMPLE with an authority", rule("a", policy("mode: SIMPLE, caCertificates: /ca"))),
        AnalysisCase("SIMPLE with a Secret", rule("a", policy("mode: SIMPLE, credentialName: c"))),
        AnalysisCase(
            "SIMPLE that skips the check on purpose", rule("a", policy("mode: SIMPLE, insecureSkipVerify: true"))),
        AnalysisCase("SIMPLE without", rule("a", policy("mode: SIMPLE")), ["IST0128 dr spec.trafficPolicy.tls"]),
        AnalysisCase(
            "MUTUAL without", rule("a", policy("mode: MUTUAL, clientCertificate: /c, privateKey: /k")),
            ["IST0128 dr spec.trafficPolicy.tls"]),
        AnalysisCase("mesh certificates", rule("a", policy("mode: ISTIO_MUTUAL"))),
        AnalysisCase(
            "a port and a subset",
            rule(
                "a",
                """
                trafficPolicy:
                  portLevelSettings:
                  - {port: {number: 443}, tls: {mode: SIMPLE}}
                  - {port: {number: 444}, tls: {mode: SIMPLE, caCertificates: /ca}}
                subsets:
                - name: s
                  trafficPolicy: {tls: {mode: SIMPLE}}
                """),
            ["IST0128 dr spec.subsets[0].trafficPolicy.tls", "IST0129 dr spec.trafficPolicy.portLevelSettings[0].tls"]),
    ]

    @Test(arguments: tls)
    func authoritiesOfTLS(row: AnalysisCase) {
        #expect(row.found(by: .destinationRuleTLS) == row.expected)
    }
}
