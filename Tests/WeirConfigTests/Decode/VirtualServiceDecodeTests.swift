import Testing
import WeirConfig

@Suite struct VirtualServiceDecodeTests {
    private func service(_ yaml: String) throws -> VirtualService? {
        let resource = try #require(decodeOne(yaml).resources.first)
        guard case .virtualService(let service) = resource.spec else { return nil }
        return service
    }

    @Test func decodesEveryConditionOfAMatch() throws {
        let service = try service(
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              http:
              - name: r
                match:
                - name: m
                  uri: {prefix: /a}
                  scheme: {exact: https}
                  method: {exact: GET}
                  authority: {regex: "a.*"}
                  headers: {Zeta: {exact: z}, alpha: {}}
                  withoutHeaders: {X: {regex: "*"}, w: {regex: "a*"}}
                  queryParams: {Q: {exact: "1"}}
                  port: 80
                  sourceLabels: {app: web}
                  sourceNamespace: ns
                  gateways: [infra/public]
                  ignoreUriCase: true
                  statPrefix: s
                route: [{destination: {host: a}}]
            """)
        let route = try #require(service?.http.first)
        let match = try #require(route.match.first)
        #expect(route.name == "r" && route.line == 7 && match.name == "m" && match.line == 9)
        #expect(match.uri == .prefix("/a") && match.scheme == .exact("https") && match.method == .exact("GET"))
        #expect(match.authority == .regex("a.*"))
        #expect(
            match.headers == [NamedMatch(name: "alpha", match: .present), NamedMatch(name: "zeta", match: .exact("z"))])
        #expect(
            match.withoutHeaders == [
                NamedMatch(name: "w", match: .regex("a*")), NamedMatch(name: "x", match: .present),
            ])
        #expect(match.queryParams == [NamedMatch(name: "Q", match: .exact("1"))])
        #expect(match.port == 80 && match.sourceLabels == ["app": "web"] && match.sourceNamespace == "ns")
        #expect(match.gateways == ["infra/public"] && match.ignoreUriCase && match.statPrefix == "s")
    }

    @Test func decodesDestinationsAndWeights() throws {
        let service = try service(
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              gateways: [infra/public, mesh]
              exportTo: ["*"]
              http:
              - route:
                - destination: {host: a, subset: v1, port: {number: 8080}}
                  weight: 80
                - destination: {host: b}
                  weight: 20
              tcp: [{route: [{destination: {host: a}}]}]
            """)
        let route = try #require(service?.http.first)
        #expect(service?.gateways == ["infra/public", "mesh"])
        #expect(service?.exportTo == ["*"])
        #expect(service?.tcp.count == 1)
        #expect(
            route.route.map(\.destination) == [
                Destination(host: "a", subset: "v1", port: 8080), Destination(host: "b"),
            ])
        #expect(route.route.map(\.weight) == [80, 20])
        #expect(route.route.map(\.line) == [10, 12])
    }

    @Test func namesTheFieldsItDoesNotActOnAndWarnsOfEachOnce() {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              http:
              - match: [{uri: {prefix: /a}, statPrefix: a}, {uri: {prefix: /b}, statPrefix: b}]
                route: [{destination: {host: a}}]
            """
        let document = decodeOne(yaml)
        #expect(document.diagnostics.count == 2)
        #expect(document.diagnostics.allSatisfy { $0.code == .fieldNotHonoured && $0.severity == .warning })
        #expect(document.diagnostics.allSatisfy { $0.message.contains("is not acted on by this version; ") })
    }
}
