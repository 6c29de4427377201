import Testing
import WeirConfig

@testable import WeirCompiler

/// What is told of Gateways: their workloads, each other, their certificates.
@Suite struct GatewayAnalyzerTests {
    private static let workloads = [
        AnalysisCase("no selector, no pods", Doc.gateway()),
        AnalysisCase("the selector of Istio's own gateway", Doc.gateway(selector: "istio: ingressgateway")),
        AnalysisCase("a selector nobody has", Doc.gateway(selector: "istio: typo"), ["IST0101 gw spec.selector"]),
        AnalysisCase(
            "a selector that a pod has", Doc.gateway(selector: "app: edge") + Doc.pod("p", labels: "app: edge")),
        AnalysisCase(
            "a selector that a pod has in part",
            Doc.gateway(selector: "app: edge, x: y") + Doc.pod("p", labels: "app: edge"),
            ["IST0101 gw spec.selector"]),
        AnalysisCase(
            "a port the Service has",
            Doc.gateway(selector: "app: edge") + Doc.pod("p", labels: "app: edge") + Doc.service("edge")),
        AnalysisCase(
            "a port the Service leads to",
            Doc.gateway(port: 8080, selector: "app: edge") + Doc.pod("p", labels: "app: edge")
                + Doc.service("edge", ports: "{name: http, port: 80, targetPort: 8080}")),
        AnalysisCase(
            "a port no Service has",
            Doc.gateway(port: 81, selector: "app: edge") + Doc.pod("p", labels: "app: edge") + Doc.service("edge"),
            ["IST0162 gw spec.servers[0].port.number"]),
        AnalysisCase(
            "a Service in another namespace is not in front of the pod",
            Doc.gateway(port: 81, selector: "app: edge") + Doc.pod("p", labels: "app: edge")
                + Doc.service("edge", more: ", namespace: other")),
        AnalysisCase(
            "a Service of other pods tells nothing",
            Doc.gateway(port: 81, selector: "app: edge") + Doc.pod("p", labels: "app: edge") + Doc.service("web")),
    ]

    @Test(arguments: workloads)
    func workloadsBehindTheSelector(row: AnalysisCase) {
        #expect(row.found(by: .gatewayWorkloads) == row.expected)
    }

    private static let conflicts = [
        AnalysisCase("one Gateway with two servers", Doc.gateway() + Doc.gateway("b", hosts: "b.com", port: 81)),
        AnalysisCase(
            "one host on one port", Doc.gateway("a", hosts: "x.com") + Doc.gateway("b", hosts: "x.com"),
            ["IST0145 a spec.servers[0].hosts", "IST0145 b spec.servers[0].hosts"]),
        AnalysisCase(
            "a host in other letters, and one with the namespace written",
            Doc.gateway("a", hosts: "X.com, ./y.com") + Doc.gateway("b", hosts: "x.com")
                + Doc.gateway("c", hosts: "default/y.com"),
            [
                "IST0145 a spec.servers[0].hosts", "IST0145 b spec.servers[0].hosts", "IST0145 c spec.servers[0].hosts",
            ]),
        AnalysisCase(
            "hosts that overlap only", Doc.gateway("a", hosts: "x.com") + Doc.gateway("b", hosts: "\"*.com\"")),
        AnalysisCase("one host on other ports", Doc.gateway("a", port: 80) + Doc.gateway("b", port: 81)),
        AnalysisCase(
            "one host for other pods", Doc.gateway("a", selector: "app: a") + Doc.gateway("b", selector: "app: b")),
        AnalysisCase(
            "one host, one selector wider than the other",
            Doc.gateway("a", selector: "app: a") + Doc.gateway("b", selector: "app: a, tier: edge"),
            ["IST0145 a spec.servers[0].hosts", "IST0145 b spec.servers[0].hosts"]),
    ]

    @Test(arguments: conflicts)
    func hostsClaimedTwice(row: AnalysisCase) {
        #expect(row.found(by: .gatewayConflicts) == row.expected)
    }

    private static let certificates = [
        AnalysisCase(
            "certificates of their own",
            Doc.tlsGateway("a", "credentialName: a") + Doc.tlsGateway("b", "credentialName: b")),
        AnalysisCase(
            "one Secret", Doc.tlsGateway("a", "credentialName: c") + Doc.tlsGateway("b", "credentialName: c"),
            ["IST0138 a spec.servers[0].tls", "IST0138 b spec.servers[0].tls"]),
        AnalysisCase(
            "one pair of files",
            Doc.tlsGateway("a", "serverCertificate: /c, privateKey: /k")
                + Doc.tlsGateway("b", "serverCertificate: /c, privateKey: /k"),
            ["IST0138 a spec.servers[0].tls", "IST0138 b spec.servers[0].tls"]),
        AnalysisCase(
            "one certificate with two keys",
            Doc.tlsGateway("a", "serverCertificate: /c, privateKey: /k")
                + Doc.tlsGateway("b", "serverCertificate: /c, privateKey: /l")),
        AnalysisCase(
            "one Secret for other pods",
            Doc.tlsGateway("a", "credentialName: c", selector: "app: a")
                + Doc.tlsGateway("b", "credentialName: c", selector: "app: b")),
        AnalysisCase(
            "one Secret that is yet to come, named by Gateways of two namespaces",
            Doc.tlsGateway("a", "credentialName: c")
                + Doc.tlsGateway("b", "credentialName: c", more: ", namespace: two"),
            ["IST0138 a spec.servers[0].tls", "IST0138 b spec.servers[0].tls"]),
        AnalysisCase(
            "one Secret where the gateway is, named by Gateways of two namespaces",
            Doc.tlsGateway("a", "credentialName: c", selector: "app: edge")
                + Doc.tlsGateway("b", "credentialName: c", selector: "app: edge", more: ", namespace: two")
                + Doc.core("Secret", "c", more: ", namespace: edge") + Doc.core("Secret", "c", more: ", namespace: two")
                + Doc.pod("p", labels: "app: edge", more: ", namespace: edge"),
            ["IST0138 a spec.servers[0].tls", "IST0138 b spec.servers[0].tls"]),
        AnalysisCase(
            "a Secret of the same name in each namespace",
            Doc.tlsGateway("a", "credentialName: c")
                + Doc.tlsGateway("b", "credentialName: c", more: ", namespace: two")
                + Doc.core("Secret", "c") + Doc.core("Secret", "c", more: ", namespace: two")),
        AnalysisCase(
            "the wider selector is told",
            Doc.tlsGateway("a", "credentialName: c", selector: "app: a")
                + Doc.tlsGateway("b", "credentialName: c", selector: "app: a, tier: edge"),
            ["IST0138 a spec.servers[0].tls"]),
    ]

    @Test(arguments: certificates)
    func certificatesServedTwice(row: AnalysisCase) {
        #expect(row.found(by: .gatewayCertificates) == row.expected)
    }
}
