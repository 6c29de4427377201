import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Which Gateways are ours, who the gateway is, and what it may see (semantics 2.1, 3.1, 3.4, 4.1).
@Suite struct NamespaceTests {
    private typealias F = Fixture
    private let alpha = Fixture.entry("alpha")

    private func compile(_ resources: Resource..., change: (inout CompilerOptions) -> Void) -> Compilation {
        Compiler.make(change).compile([alpha] + resources)
    }

    @Test func aGatewayIsOursWhenOurLabelsSatisfyItsSelector() {
        func ports(_ labels: [String: String]?) -> [Int] {
            let result = compile(
                F.gateway("all", [F.server(port: 80)]),
                F.gateway("istio", selector: ["istio": "ingressgateway"], [F.server(port: 81)]),
                F.gateway("both", selector: ["istio": "ingressgateway", "app": "edge"], [F.server(port: 82)]),
                F.gateway("other", selector: ["istio": "egressgateway"], [F.server(port: 83)])
            ) { $0.gatewayLabels = labels }
            return result.snapshot.listeners.map(\.port).sorted()
        }
        #expect(ports(nil) == [80, 81, 82, 83])
        #expect(ports(["istio": "ingressgateway"]) == [80, 81])
        #expect(ports(["istio": "ingressgateway", "app": "edge"]) == [80, 81, 82])
    }

    @Test func aForeignGatewayIsKnownAndNotServed() {
        let result = compile(
            F.gateway("other", selector: ["istio": "egress"], [F.server(["a.com"])]),
            F.virtualService(hosts: ["a.com"], gateways: ["other"], [F.rule(to: "nowhere")])
        ) { $0.gatewayLabels = ["istio": "ingress"] }
        #expect(result.snapshot.listeners.isEmpty)
        #expect(result.findings == ["WEIR0008 other spec.selector other.yaml:1"])
        #expect(result.diagnostics[0].severity == .info)
    }

    @Test func aForeignGatewayTakesNoPort() {
        let result = compile(
            F.gateway("a", selector: ["x": "y"], [F.server(port: 80, .https)]), F.gateway("b")
        ) { $0.gatewayLabels = [:] }
        #expect(result.snapshot.listeners.map(\.port) == [80])
        #expect(result.findings == ["WEIR0008 a spec.selector a.yaml:1"])
    }

    @Test func sourceConditionsSpeakOfTheGateway() {
        var labels = F.match(prefix: "/labels")
        labels.sourceLabels = ["istio": "ingress"]
        var other = F.match(prefix: "/other")
        other.sourceLabels = ["istio": "ingress", "app": "x"]
        var namespace = F.match(prefix: "/namespace")
        namespace.sourceNamespace = "edge"
        var named = F.match(prefix: "/named", gateways: ["gw"])
        (named.sourceLabels, named.sourceNamespace) = (["app": "x"], "x")
        let service = F.virtualService([F.rule([labels, other, namespace, named], to: "alpha")])
        let route = { (path: String) in "\n  path prefix \"/\(path)\" -> 80||alpha" }
        let known = compile(F.gateway(), service) {
            ($0.gatewayLabels, $0.gatewayNamespace) = (["istio": "ingress"], "edge")
        }
        #expect(known.routes == "80 *" + route("labels") + route("namespace") + route("named"))
        #expect(compile(F.gateway(), service) { _ in }.routes == "80 *" + route("named"))
    }

    @Test func theGatewaysNamespaceDecidesWhatItSees() {
        let match = [F.match(prefix: "/p")]
        func routes(_ namespace: String) -> [String] {
            let result = compile(
                F.gateway(),
                F.virtualService(
                    "own", namespace: "shop", gateways: ["default/gw"], exportTo: ["."], [F.rule(match, to: "x")]),
                F.virtualService("named", exportTo: ["shop", "web"], [F.rule(match, to: "x")]),
                F.virtualService("all", exportTo: ["*"], [F.rule(match, to: "x")])
            ) { $0.gatewayNamespace = namespace }
            return result.snapshot.describe().listeners[0].hosts.flatMap(\.routes).map {
                String($0.resource.dropFirst(15))
            }
        }
        #expect(routes("shop") == ["shop/own", "default/named", "default/all"])
        #expect(routes("web") == ["default/named", "default/all"])
        #expect(routes("default") == ["default/all"])
    }

    @Test(arguments: [["."], ["edge"], [".", "shop"], ["edge", "shop"]])
    func whatTheGatewaysNamespaceKeepsToItselfComesFirst(_ exportTo: [String]) {
        let match = [F.match(prefix: "/p")]
        let result = compile(
            F.gateway(),
            F.virtualService(
                "a", namespace: "shop", gateways: ["default/gw"], exportTo: ["edge"], [F.rule(match, to: "x")]),
            F.virtualService(
                "b", namespace: "edge", gateways: ["default/gw"], exportTo: ["*"], [F.rule(match, to: "x")]),
            F.virtualService(
                "c", namespace: "edge", gateways: ["default/gw"], exportTo: exportTo, [F.rule(match, to: "x")])
        ) { $0.gatewayNamespace = "edge" }
        let routes = result.snapshot.describe().listeners[0].hosts.flatMap(\.routes)
        #expect(routes.map { $0.resource.dropFirst(15) } == ["edge/c", "shop/a", "edge/b"])
    }

    @Test(arguments: [
        ("", true), (".", false), ("*", true), ("edge", true), ("shop, edge", true), ("shop,web", false), ("~", false),
    ])
    func aServiceSaysInAnAnnotationWhoMayUseIt(_ value: String, _ isVisible: Bool) {
        var service = Service()
        service.ports = [F.port(80)]
        var resource = F.resource(.service, "web", "shop", .service(service))
        resource.metadata.annotations["networking.istio.io/exportTo"] = value
        let result = compile(
            F.gateway(), resource, F.virtualService([F.rule(to: "web.shop.svc.cluster.local")])
        ) { $0.gatewayNamespace = "edge" }
        #expect(result.snapshot.clusters.count == (isVisible ? 1 : 0))
        let hidden = result.diagnostics.map {
            $0.message.hasPrefix("Service web.shop.svc.cluster.local of namespace shop is not")
        }
        #expect(hidden == (isVisible ? [] : [true]))
    }

    @Test func aServiceThatIsNotExportedAnyMoreIsCalledSo() {
        let compiler = Compiler.make { $0.gatewayNamespace = "edge" }
        func compile(_ exportTo: [String], revision: UInt64) -> Compilation {
            var entry = ServiceEntry()
            entry.hosts = ["api.example.com"]
            entry.ports = [F.port(80)]
            entry.resolution = .static
            entry.endpoints = [F.endpoint("10.0.0.1")]
            entry.exportTo = exportTo
            let resource = F.resource(.serviceEntry, "api", "shop", .serviceEntry(entry), revision: revision)
            return compiler.compile([F.gateway(), resource, F.virtualService([F.rule(to: "api.example.com")])])
        }
        #expect(compile([], revision: 1).diagnostics.isEmpty)
        let own = compile(["."], revision: 2)
        #expect(own.routes == "80 *\n  * -> 80||api.example.com (unknown)")
        #expect(own.findings == ["IST0101 vs spec.http[0].route[0].destination.host vs.yaml:30"])
        #expect(own.diagnostics.allSatisfy { $0.message.contains("namespace shop is not exported") })
        #expect(compile(["edge"], revision: 3).diagnostics.isEmpty)
    }

    @Test func theDomainSuffixMakesFullNames() {
        let result = compile(
            F.gateway(), F.entry("web", hosts: ["web.default.svc.corp.internal"]), F.virtualService([F.rule(to: "web")])
        ) { $0.domainSuffix = "corp.internal" }
        #expect(result.snapshot.clusters.map(\.spec.name) == ["outbound|80||web.default.svc.corp.internal"])
    }

    // MARK: Rules for some clients

    private func connect(
        _ rules: Resource..., labels: [String: String]? = ["istio": "ingress"], namespace: String = "default"
    )
        -> (String, [String])
    {
        let result = Compiler.make {
            ($0.gatewayLabels, $0.gatewayNamespace) = (labels, namespace)
        }.compile([alpha, F.gateway(), F.virtualService([F.rule(to: "alpha")])] + rules)
        return (String(result.clusters.drop { $0 != "," }.dropFirst(2)), result.findings)
    }

    @Test func aRuleForTheGatewaysLabelsComesBeforeOneForAll() {
        let all = F.destinationRule("all", host: "alpha", policy: F.policy(connect: 1), created: "2020-01-01T00:00:00Z")
        func selecting(_ labels: [String: String], namespace: String = "default") -> Resource {
            F.destinationRule(
                "some", namespace: namespace, host: "alpha.default.svc.cluster.local", policy: F.policy(connect: 2),
                selector: labels, created: "2024-01-01T00:00:00Z")
        }
        #expect(connect(all, selecting(["istio": "ingress"])).0 == "LEAST_REQUEST connect 2")
        #expect(connect(all, selecting(["istio": "ingress"])).1.isEmpty)
        #expect(connect(all, selecting(["istio": "other"])).0 == "LEAST_REQUEST connect 1")
        #expect(
            connect(all, selecting(["istio": "other"])).1 == ["WEIR0008 some spec.workloadSelector some.yaml:1"])
        #expect(connect(all, selecting(["istio": "ingress"]), labels: nil).0 == "LEAST_REQUEST connect 1")
        #expect(connect(all, selecting(["istio": "ingress"], namespace: "istio-system")).0 == "LEAST_REQUEST connect 1")
    }

    @Test func aRuleForSomeClientsTakesOverWhatItLacks() {
        let all = F.destinationRule(
            "all", host: "alpha", subsets: [F.subset("v1"), F.subset("v2")], policy: F.policy(connect: 1))
        let some = F.destinationRule(
            "some", host: "alpha", subsets: [F.subset("v1", policy: F.policy(connect: 5))],
            selector: ["istio": "ingress"])
        let result = Compiler.make { $0.gatewayLabels = ["istio": "ingress"] }.compile([
            alpha, F.gateway(), F.virtualService([F.rule(to: ("alpha/v1", 1), ("alpha/v2", 1))]), all, some,
        ])
        #expect(
            result.snapshot.describe().clusters.map(\.connectTimeoutMilliseconds) == [5, 1])
        #expect(result.diagnostics.isEmpty)
    }

    @Test func theSameExportsWrittenDifferentlyMerge() {
        let rules = [
            F.destinationRule("a", host: "alpha", policy: F.policy(connect: 3), exportTo: []),
            F.destinationRule("b", host: "alpha", subsets: [F.subset("v1")], exportTo: ["*"]),
            F.destinationRule("c", host: "alpha", subsets: [F.subset("v2")], exportTo: ["."]),
        ]
        let result = Compiler.make().compile(
            [alpha, F.gateway(), F.virtualService([F.rule(to: ("alpha/v1", 1), ("alpha/v2", 1))])] + rules)
        #expect(
            result.findings == ["IST0101 vs spec.http[0].route[1].destination.subset vs.yaml:30"])
        #expect(result.snapshot.describe().clusters.map(\.connectTimeoutMilliseconds) == [3])
    }

    @Test func rulesOfTheRootNamespaceAreNotTheGatewaysOwnWhenItLivesThere() {
        let meshWide = F.destinationRule(
            "wide", namespace: "istio-system", host: "*.local", policy: F.policy(connect: 1))
        let own = F.destinationRule(
            "own", namespace: "istio-system", host: "*.cluster.local", policy: F.policy(connect: 2), exportTo: ["."])
        let service = F.destinationRule("service", host: "alpha", policy: F.policy(connect: 3))
        #expect(connect(meshWide, service, namespace: "istio-system").0 == "LEAST_REQUEST connect 3")
        #expect(connect(meshWide, namespace: "istio-system").0 == "LEAST_REQUEST connect 1")
        #expect(connect(meshWide, service, own, namespace: "istio-system").0 == "LEAST_REQUEST connect 2")
    }

    @Test func aRuleThatIsNotExportedToTheGatewayIsReported() {
        let hidden = F.destinationRule("hidden", host: "alpha", policy: F.policy(connect: 1), exportTo: ["."])
        let (settings, findings) = connect(hidden, namespace: "edge")
        #expect(settings == "LEAST_REQUEST")
        #expect(findings == ["WEIR0008 hidden spec.exportTo hidden.yaml:1"])
    }
}
