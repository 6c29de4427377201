import Testing
import WeirConfig

@testable import WeirCompiler

/// What is told of Services, ServiceEntries, pods and annotations.
@Suite struct ServiceAnalyzerTests {
    private static func ports(_ ports: String, type: String = "ClusterIP", more: String = "") -> String {
        let name = type == "ExternalName" ? ", externalName: a.example.com" : ""
        return Doc.core("Service", "web", "spec: {type: \(type)\(name), ports: [\(ports)]}", more: more)
    }

    private static let names = [
        AnalysisCase(
            "protocols",
            ports(
                "{name: http, port: 1}, {name: http2-a, port: 2}, {name: grpc-web-b, port: 3}, {name: TLS-c, port: 4}, "
                    + "{name: tcp, port: 5}, {name: mongo-x, port: 6}")),
        AnalysisCase(
            "appProtocol",
            ports(
                "{name: a, port: 1, appProtocol: http}, {name: b, port: 2, appProtocol: kubernetes.io/h2c}, "
                    + "{name: c, port: 3, appProtocol: acme.com/x}"),
            ["IST0118 web spec.ports[2].name"]),
        AnalysisCase("no name", ports("{port: 80}"), ["IST0118 web spec.ports[0].name"]),
        AnalysisCase(
            "names of other kinds", ports("{name: web, port: 80}, {name: httpfoo, port: 81}"),
            ["IST0118 web spec.ports[0].name", "IST0118 web spec.ports[1].name"]),
        AnalysisCase("UDP needs no name", ports("{name: dns, port: 5353, protocol: UDP}")),
        AnalysisCase("ports whose protocol is known", ports("{name: db, port: 3306}")),
        AnalysisCase("the system's own", ports("{name: web, port: 80}", more: ", namespace: kube-system")),
        AnalysisCase("an ExternalName for HTTP", ports("{name: http, port: 80}", type: "ExternalName")),
        AnalysisCase(
            "an ExternalName for TCP", ports("{name: tcp, port: 80}", type: "ExternalName"),
            ["IST0150 web spec.ports[0].name"]),
        AnalysisCase(
            "an ExternalName's port without a protocol", ports("{name: web, port: 80}", type: "ExternalName"),
            ["IST0150 web spec.ports[0].name"]),
    ]

    @Test(arguments: names)
    func portsSayWhatTheySpeak(row: AnalysisCase) {
        #expect(row.found(by: .servicePorts) == row.expected)
    }

    private static func behind(_ name: String, _ port: String) -> String {
        Doc.core("Service", name, "spec: {selector: {app: web}, ports: [{\(port)}]}")
    }
    private static let pod = Doc.pod("p", labels: "app: web")

    private static let pods = [
        AnalysisCase("one Service", pod + behind("a", "port: 80")),
        AnalysisCase("two that agree", pod + behind("a", "port: 80") + behind("b", "port: 80")),
        AnalysisCase(
            "two protocols", pod + behind("a", "port: 53") + behind("b", "port: 53, protocol: UDP"),
            ["IST0116 p metadata.labels"]),
        AnalysisCase(
            "two ports that lead to one",
            pod + behind("a", "port: 80, targetPort: 8080") + behind("b", "port: 81, targetPort: 8080"),
            ["IST0137 p metadata.labels"]),
        AnalysisCase(
            "two pods of one workload are one finding",
            pod + Doc.pod("q", labels: "app: web") + behind("a", "port: 80, targetPort: 1")
                + behind("b", "port: 81, targetPort: 1"),
            ["IST0137 p metadata.labels"]),
        AnalysisCase("no pods", behind("a", "port: 53") + behind("b", "port: 53, protocol: UDP")),
    ]

    @Test(arguments: pods)
    func servicesOfOnePodAgree(row: AnalysisCase) {
        #expect(row.found(by: .podServices) == row.expected)
    }

    private static func entry(_ name: String, _ word: String, hosts: String = "a.com", more: String = "") -> String {
        Doc.istio(
            "ServiceEntry", name,
            "hosts: [\(hosts)]\naddresses: [10.0.0.9]\nresolution: STATIC\nports: [{number: 80, name: p, protocol: \(word)}]\n"
                + more)
    }

    private static let protocols = [
        AnalysisCase("the same", entry("a", "HTTP") + entry("b", "http")),
        AnalysisCase(
            "different", entry("a", "HTTP") + entry("b", "TLS"),
            ["IST0177 a spec.ports[0].protocol", "IST0177 b spec.ports[0].protocol"]),
        AnalysisCase("other hosts", entry("a", "HTTP") + entry("b", "TLS", hosts: "b.com")),
        AnalysisCase(
            "nobody sees both", entry("a", "HTTP", more: "exportTo: [x]") + entry("b", "TLS", more: "exportTo: [y]")),
    ]

    @Test(arguments: protocols)
    func entriesOfOneHostAgree(row: AnalysisCase) {
        #expect(row.found(by: .serviceEntryProtocols) == row.expected)
    }

    private static let selecting = entry("se", "HTTP", more: "workloadSelector: {labels: {app: web}}")

    private static let workloads = [
        AnalysisCase("a pod", selecting + pod),
        AnalysisCase(
            "a WorkloadEntry",
            selecting + Doc.istio("WorkloadEntry", "we", "address: 10.0.0.1\nlabels: {app: web}")),
        AnalysisCase(
            "a pod elsewhere", selecting + Doc.pod("p", labels: "app: web", more: ", namespace: other"),
            ["IST0127 se spec.workloadSelector"]),
        AnalysisCase("nobody", selecting, ["IST0127 se spec.workloadSelector"]),
        AnalysisCase("no selector", entry("se", "HTTP")),
    ]

    @Test(arguments: workloads)
    func selectorsMatchSomebody(row: AnalysisCase) {
        #expect(row.found(by: .serviceEntryWorkloads) == row.expected)
    }

    private static func annotated(_ kind: String, _ name: String, _ value: String) -> String {
        Doc.core(
            kind, "web", kind == "Service" ? "spec: {ports: [{name: http, port: 80}]}" : "",
            more: ", annotations: {\(name): \"\(value)\"}")
    }

    private static func path(_ name: String) -> String { "web metadata.annotations[\"\(name)\"]" }

    private static let annotations = [
        AnalysisCase("somebody else's", annotated("Service", "example.com/x", "y")),
        AnalysisCase("known, in its place", annotated("Pod", "sidecar.istio.io/inject", "true")),
        AnalysisCase(
            "unknown", annotated("Service", "networking.istio.io/exportThree", "x"),
            ["IST0108 \(path("networking.istio.io/exportThree"))"]),
        AnalysisCase(
            "unknown to Weir", annotated("Service", "weir.dev/nothing", "x"), ["IST0108 \(path("weir.dev/nothing"))"]),
        AnalysisCase(
            "misplaced", annotated("Service", "sidecar.istio.io/inject", "true"),
            ["IST0107 \(path("sidecar.istio.io/inject"))"]),
        AnalysisCase(
            "an Ingress's", annotated("Pod", "kubernetes.io/ingress.class", "istio"),
            ["IST0107 \(path("kubernetes.io/ingress.class"))"]),
        AnalysisCase(
            "no number", annotated("Pod", "readiness.status.sidecar.istio.io/periodSeconds", "soon"),
            [
                "IST0125 \(path("readiness.status.sidecar.istio.io/periodSeconds"))",
                "IST0136 \(path("readiness.status.sidecar.istio.io/periodSeconds"))",
            ]),
        AnalysisCase(
            "no flag", annotated("Pod", "sidecar.istio.io/inject", "maybe"),
            ["IST0125 \(path("sidecar.istio.io/inject"))"]),
        AnalysisCase(
            "no range", annotated("Pod", "traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8, 10.0.0.0/40"),
            [
                "IST0125 \(path("traffic.sidecar.istio.io/includeOutboundIPRanges"))",
                "IST0136 \(path("traffic.sidecar.istio.io/includeOutboundIPRanges"))",
            ]),
        AnalysisCase(
            "alpha", annotated("Service", "networking.istio.io/exportTo", "."),
            ["IST0136 \(path("networking.istio.io/exportTo"))"]),
        AnalysisCase(
            "deprecated", annotated("Pod", "sidecar.istio.io/discoveryAddress", "x"),
            ["IST0135 \(path("sidecar.istio.io/discoveryAddress"))"]),
    ]

    @Test(arguments: annotations)
    func annotationsOfIstio(row: AnalysisCase) {
        #expect(row.found(by: .annotations) == row.expected)
    }

    @Test func everyAnalyzerIsListedOnce() {
        let names = Analyzer.all.map(\.name)
        #expect(names == names.sorted())
        #expect(Set(names).count == names.count)
        #expect(Analyzer.all.allSatisfy { !$0.inputs.isEmpty && !$0.codes.isEmpty && !$0.summary.isEmpty })
    }
}
