import Testing
import WeirConfig

@Suite struct KubernetesRuleTests {
    private static func service(_ spec: String) -> String {
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {\(spec)}\n"
    }

    private static func slice(_ fields: String, labels: String = "kubernetes.io/service-name: a") -> String {
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a-1, labels: {\(labels)}}\n\(fields)\n"
    }

    private static func secret(_ fields: String) -> String {
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n\(fields)\n"
    }

    private static let rules: [Rule] = [
        Rule(
            "a Service with fields beyond our need", service("clusterIP: None, ports: [{port: 80, nodePort: 3}], x: y")),
        Rule("no ports", service("selector: {a: b}")),
        Rule("port 0", service("ports: [{port: 0}]"), ["error 4 spec.ports[0].port"]),
        Rule("a named target", service("ports: [{port: 80, targetPort: http}]")),
        Rule(
            "a target beyond all ports", service("ports: [{port: 80, targetPort: 65536}]"),
            ["error 4 spec.ports[0].targetPort"]),
        Rule("unnamed ports", service("ports: [{port: 80}, {port: 81, name: b}]"), ["error 4 spec.ports[0].name"]),
        Rule(
            "a name twice", service("ports: [{port: 80, name: b}, {port: 81, name: b}]"), ["error 4 spec.ports[1].name"]
        ),
        Rule("an alias", service("type: ExternalName, externalName: a.b")),
        Rule("an alias of nothing", service("type: ExternalName"), ["error 4 spec.externalName"]),
        Rule("a slice", slice("addressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.0.0.1]}]")),
        Rule("a slice of nulls", slice("addressType: IPv4\nports: null\nendpoints: null")),
        Rule("a slice of no Service", slice("addressType: IPv4", labels: ""), ["warning 3 metadata.labels"]),
        Rule("a name for an address", slice("endpoints: [{addresses: [a.b]}]"), ["error 4 endpoints[0].addresses[0]"]),
        Rule("names", slice("addressType: FQDN\nendpoints: [{addresses: [a.b]}]")),
        Rule("port 0 of a slice", slice("ports: [{port: 0}]"), ["error 4 ports[0].port"]),
        Rule("a Secret", secret("type: kubernetes.io/tls\ndata: {tls.crt: Zm9v, empty: \"\"}\nimmutable: true")),
        Rule("no base64", secret("data: {tls.crt: \"?\"}"), ["error 4 data[\"tls.crt\"]"]),
        Rule("a number for a value", secret("stringData: {a: 5}"), ["error 4 stringData.a"]),
        Rule("a capital in the name", secret("").replacing("name: a", with: "name: A"), ["error 3 metadata.name"]),
        Rule(
            "a dot in the namespace", secret("").replacing("name: a", with: "name: a, namespace: b.c"),
            ["error 3 metadata.namespace"]),
        Rule(
            "a number for a label", secret("").replacing("name: a", with: "name: a, labels: {v: 1.0}"),
            ["error 3 metadata.labels.v"]),
        Rule("a number for a name", secret("").replacing("name: a", with: "name: 5"), ["error 3 metadata.name"]),
    ]

    @Test(arguments: rules)
    func findsTheMistakesOfHandWrittenObjects(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test func decodesAService() throws {
        let yaml = Self.service(
            "type: LoadBalancer, selector: {app: a}, ports: "
                + "[{port: 80, name: http, targetPort: 8080, appProtocol: http2}, {port: 53, name: d, protocol: UDP}]")
        guard case .service(let service) = try #require(decodeOne(yaml).resources.first).spec else { return }
        #expect(service.type == "LoadBalancer" && service.selector == ["app": "a"])
        #expect(service.ports.map(\.number) == [80, 53] && service.ports.map(\.protocol) == ["TCP", "UDP"])
        #expect(service.ports[0].targetPort == 8080 && service.ports[0].appProtocol == "http2")
    }

    @Test func decodesAnEndpointSlice() throws {
        let yaml = Self.slice(
            """
            addressType: IPv4
            ports: [{name: "", port: 80, protocol: TCP}, {name: all}]
            endpoints:
            - {addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: p, namespace: n}}
            - {addresses: [10.0.0.2], conditions: {}, targetRef: {kind: Node, name: q}}
            - {addresses: [10.0.0.3], targetRef: {kind: Pod, name: r}}
            """)
        guard case .endpointSlice(let slice) = try #require(decodeOne(yaml).resources.first).spec else { return }
        #expect(slice.serviceName == "a" && slice.addressType == "IPv4" && slice.ports.map(\.port) == [80])
        #expect(slice.endpoints.map(\.ready) == [false, true, true])
        #expect(slice.endpoints.map(\.podName) == ["p", nil, "r"])
        #expect(slice.endpoints.map(\.podNamespace) == ["n", nil, "default"])
    }

    @Test func decodesSecretsAndPrefersPlainData() throws {
        let yaml = Self.secret("data: {a: Zm9v, b: \"\", c: null}\nstringData: {a: bar, d: \"5\"}")
        guard case .secret(let secret) = try #require(decodeOne(yaml).resources.first).spec else { return }
        #expect(secret.type == "Opaque")
        #expect(secret.data == ["a": Array("bar".utf8), "b": [], "c": [], "d": [UInt8(ascii: "5")]])
    }

    @Test func neverRepeatsASecretsValue() {
        let yaml = Self.secret("data: {a: hunter2!, b: [hunter2], c: {hunter2: x}}\nstringData: {d: [hunter2]}")
        let text = decodeOne(yaml).diagnostics.map(\.description).joined()
        #expect(!text.isEmpty)
        #expect(!text.contains("hunter2"))
    }

    @Test func decodesTheConditionsAndPlaceOfAnEndpoint() throws {
        let yaml = Self.slice(
            """
            endpoints:
            - {addresses: [10.0.0.1], zone: eu-1a, nodeName: n1, conditions: {ready: true, serving: true, terminating: false}}
            - {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}
            - {addresses: [10.0.0.3], conditions: {ready: false}}
            - {addresses: [10.0.0.4], conditions: {ready: null}}
            """)
        guard case .endpointSlice(let slice) = try #require(decodeOne(yaml).resources.first).spec else { return }
        #expect(slice.endpoints.map(\.ready) == [true, false, false, true])
        #expect(slice.endpoints.map(\.serving) == [true, true, false, true])
        #expect(slice.endpoints.map(\.terminating) == [false, true, nil, nil])
        #expect(slice.endpoints[0].zone == "eu-1a" && slice.endpoints[0].nodeName == "n1")
    }

    @Test func aNamespaceLivesInNone() throws {
        let yaml = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, namespace: odd, labels: {team: a}}\n"
        let resource = try #require(decodeOne(yaml).resources.first)
        #expect(resource.id == ResourceID(kind: .namespace, namespace: "", name: "shop"))
        #expect(resource.id.description == "Namespace shop")
        #expect(resource.metadata.labels == ["team": "a"] && resource.spec == .namespace(Namespace()))
        let doubled = decodeOne(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {}\n  labels: {}\n")
        #expect(doubled.refused == [resource.id])
    }

    @Test(arguments: [
        ("internalTrafficPolicy: Local", ["spec.internalTrafficPolicy"]), ("internalTrafficPolicy: Cluster", []),
        ("trafficDistribution: PreferClose", ["spec.trafficDistribution"]),
    ])
    func saysThatEndpointsAreChosenWhereverTheyAre(field: String, expected: [String]) {
        #expect(unserved(Self.service(field)) == expected)
    }
}
