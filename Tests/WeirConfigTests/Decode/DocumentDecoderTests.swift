import Testing
import WeirConfig

@Suite struct DocumentDecoderTests {
    private let gateway = """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: public, namespace: infra}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: ["*"]
        """

    @Test func givesTheResourceWithItsPlace() throws {
        let documents = decodeAll("# note\n---\n" + gateway)
        let resource = try #require(documents.first?.resources.first)
        #expect(resource.id == ResourceID(kind: .gateway, namespace: "infra", name: "public"))
        #expect(resource.location == SourceLocation(file: "a.yaml", line: 3))
        #expect(documents.count == 1)
        #expect(documents[0].diagnostics.isEmpty)
    }

    @Test(arguments: ["v1", "v1beta1", "v1alpha3"])
    func readsEveryVersionOfIstiosGroup(version: String) {
        let text = gateway.replacing("networking.istio.io/v1", with: "networking.istio.io/\(version)")
        #expect(decodeOne(text).resources.count == 1)
    }

    @Test func readsMetadataAndFillsTheNamespace() throws {
        let document = decodeAll(
            """
            apiVersion: v1
            kind: Pod
            metadata:
              name: web-0
              labels: {app: web, version: "1.0"}
              annotations: {note: "a: b"}
              creationTimestamp: 2024-01-02T03:04:05Z
              ownerReferences:
              - {apiVersion: v1, kind: Other, name: beside, controller: false}
              - {apiVersion: apps/v1, kind: ReplicaSet, name: web-5d78f9c5b6, uid: x, controller: true}
              - {apiVersion: v1, kind: Another, name: behind}
            status: {podIP: 10.0.0.1, phase: Running}
            """, defaultNamespace: "apps")
        let pod = try #require(document.first?.resources.first)
        #expect(pod.id.namespace == "apps")
        #expect(pod.metadata.labels == ["app": "web", "version": "1.0"])
        #expect(pod.metadata.annotations == ["note": "a: b"])
        #expect(pod.metadata.creationTimestamp == "2024-01-02T03:04:05Z")
        #expect(pod.metadata.controller == Metadata.Owner(kind: "ReplicaSet", name: "web-5d78f9c5b6"))
        #expect(document[0].diagnostics.isEmpty)
    }

    @Test(arguments: [
        ("apps/v1", "Deployment", "apps/v1 Deployment"),
        ("serving.knative.dev/v1", "Service", "serving.knative.dev/v1 Service"),
        ("gateway.networking.k8s.io/v1", "Gateway", "gateway.networking.k8s.io/v1 Gateway"),
        ("networking.istio.io/v1", "Sidecar", "networking.istio.io/v1 Sidecar"),
        ("discovery.k8s.io/v1beta1", "EndpointSlice", "discovery.k8s.io/v1beta1 EndpointSlice"),
        ("v1", "Gateway", "v1 Gateway"),
    ])
    func leavesForeignKindsAlone(apiVersion: String, kind: String, expected: String) {
        let document = decodeOne("apiVersion: \(apiVersion)\nkind: \(kind)\nmetadata: {name: a}\nspec: {x: 1}\n")
        #expect(document.unknownKind == expected)
        #expect(document.resources.isEmpty)
        #expect(document.diagnostics.isEmpty)
        #expect(!document.unparsable)
    }

    @Test func opensListsAndTellsItemsApart() {
        let document = decodeOne(
            """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: v1
              kind: Service
              metadata: {name: a}
              spec: {ports: [{port: 80}]}
            - apiVersion: v1
              kind: Service
              metadata: {name: b}
              spec: {ports: [{port: 0}]}
            - apiVersion: apps/v1
              kind: Deployment
              metadata: {name: c}
            - apiVersion: v1
              kind: List
              items: []
            """)
        #expect(document.resources.map(\.id.name) == ["a"])
        #expect(document.resources.map(\.location.line) == [4])
        #expect(document.refused.map(\.name) == ["b"])
        #expect(document.unknownKind == "apps/v1 Deployment")
        let lines = document.diagnostics.map { "\($0.location.line) \($0.path)" }
        #expect(lines == ["11 items[1].spec.ports[0].port", "15 items[3]"])
    }

    @Test(arguments: [
        ("just text\n", 1), ("[1, 2]\n", 1), ("a: [\n", 2), ("a: b: c\n", 1), ("\tx: 1\n", 1), ("a: *nowhere\n", 1),
        ("metadata: {name: a}\n", 1), ("apiVersion: v1\nkind: Service\n", 1), ("apiVersion: v1\nkind: 5\n", 2),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: \"\"}\n", 1), ("a: 1\nb: \u{0}\n", 2),
    ])
    func callsATextUnparsableThatIsNoNamedObject(text: String, line: Int) {
        let document = decodeOne(text)
        #expect(document.unparsable)
        #expect(document.resources.isEmpty)
        #expect(document.refused.isEmpty)
        #expect(document.diagnostics.first?.location.line == line)
        #expect(document.diagnostics.first?.severity == .error)
    }

    @Test func takesALoneNullForAnEmptyDocument() {
        let document = decodeOne("--- ~\n")
        #expect(!document.unparsable)
        #expect(document.diagnostics.isEmpty)
    }

    @Test func refusesDuplicateKeysButKnowsWhoseTheyAre() {
        let text = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata:
              labels:
                name: not-this
              name: "shop" # the shop
              namespace: 'team'
            spec:
              hosts: [a.example.com]
              hosts: [b.example.com]
            """
        let document = decodeAll("---\n" + text).first
        #expect(document?.refused == [ResourceID(kind: .virtualService, namespace: "team", name: "shop")])
        #expect(document?.unparsable == false)
        #expect(document?.diagnostics.first?.location.line == 10)
        #expect(document?.diagnostics.first?.message.contains("hosts") == true)
    }

    @Test func callsDuplicateKeysUnparsableWhenTheObjectHasNoName() {
        #expect(decodeOne("kind: Service\na: 1\na: 2\n").unparsable)
        #expect(
            decodeOne("apiVersion: apps/v1\nkind: Job\nmetadata:\n  name: a\na: 1\na: 2\n").unknownKind == "apps/v1 Job"
        )
    }

    @Test func collectsEveryErrorOfAResource() {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: public}
            spec:
              servers:
              - port: {number: 80, name: http, protocol: SMTP}
                hosts: [a.example.com, 5]
                bind: nowhere
              - port: {number: 99999999999999999999, name: other, protocol: HTTP}
            """
        #expect(
            findings(yaml) == [
                "error 6 spec.servers[0].port.protocol", "error 7 spec.servers[0].hosts[1]",
                "error 9 spec.servers[1].port.number", "error 8 spec.servers[0].bind", "error 9 spec.servers[1].hosts",
            ])
    }

    @Test func aRefusedDocumentLeavesTheOthersAlone() {
        let documents = decodeAll(gateway + "\n---\nkind: [\n---\n" + gateway.replacing("public", with: "b_d") + "\n")
        #expect(documents.map(\.resources.count) == [1, 0, 0])
        #expect(documents.map(\.unparsable) == [false, true, false])
        #expect(documents[2].refused.map(\.name) == ["b_d"])
    }

    @Test func asksForAMissingApiVersion() {
        let document = decodeOne("kind: Service\nmetadata: {name: a}\n")
        #expect(document.refused.map(\.name) == ["a"])
        #expect(document.diagnostics.first?.message.contains("apiVersion: v1") == true)
    }

    @Test func printsADiagnosticInOneLine() {
        let yaml = gateway.replacing("number: 80", with: "number: 0")
        #expect(
            decodeOne(yaml).diagnostics.map(\.description) == [
                "error [IST0106] a.yaml:6 (Gateway infra/public) spec.servers[0].port.number: "
                    + "The port is missing or 0. Write a number from 1 to 65535."
            ])
    }
}
