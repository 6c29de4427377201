import Testing
import WeirConfig

/// Damaged documents must be refused, never trap.
///
/// The damage is the same on every run.
@Suite struct RobustnessTests {
    private static let documents = [
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop, labels: &l {a: b}}
        spec:
          hosts: ["*.example.com", shop.example.org]
          gateways: [infra/public]
          http:
          - name: first
            match:
            - uri: {prefix: /a}
              headers: {x: {regex: "a+"}, y: {}}
              queryParams: {q: {exact: "1"}}
              port: 80
            route:
            - destination: {host: a, subset: v1, port: {number: 80}}
              weight: 100
            timeout: 5s
        """,
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata:
          name: "shop"
          creationTimestamp: null
        spec: &spec
          host: shop
          trafficPolicy:
            loadBalancer: {simple: ROUND_ROBIN}
            connectionPool: {tcp: {connectTimeout: 1.5s}, http: {idleTimeout: 1h}}
            portLevelSettings: [{port: {number: 8e1}, loadBalancer: {simple: LEAST_CONN}}]
          subsets:
          - &v1 {name: v1, labels: {version: v1}}
          - {<<: *v1, name: v2}
        """,
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop}
        spec:
          hosts: [a.b]
          http:
          - {match: [{uri: {prefix: /}}], redirect: {prefixRewrite: /b, derivePort: 1, redirectCode: 308}}
          - {directResponse: {status: 200, body: {bytes: aGk=}}, headers: {response: {set: {x: "%REQ(Y?Z):8% 100%%"}}}}
          - delegate: {name: d}
            retries: {attempts: 2, retryOn: "5xx,503", perTryTimeout: 1s}
            fault: {delay: {fixedDelay: 1s, percent: 5}, abort: {grpcStatus: OK, percentage: {value: 0.1}}}
            corsPolicy: {allowOrigins: [{regex: "a.*"}], maxAge: 24h, allowMethods: ["*"]}
          - route: [{destination: {host: a}}]
            rewrite: {uriRegexRewrite: {match: "(a)", rewrite: '\\1'}}
            mirrors: [{destination: {host: b}, percentage: {value: 50}}]
          tls: [{match: [{sniHosts: [a.b], destinationSubnets: [10.0.0.0/8]}], route: [{destination: {host: a}}]}]
        """,
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: a}
        spec:
          host: "*.b"
          trafficPolicy:
            loadBalancer:
              consistentHash: {httpCookie: {name: c, ttl: 0s, attributes: [{name: Secure}]}, maglev: {tableSize: 251}}
              localityLbSetting: {distribute: [{from: a/*, to: {a/*: 80, b: 20}}]}
              warmup: {duration: 1s, aggression: 0.5}
            connectionPool: {http: {http2KeepAlive: {interval: 1s, timeout: 1s}, h2UpgradePolicy: UPGRADE}}
            outlierDetection: {maxEjectionPercent: 100, outlierDetectionHttpErrorCodes: [429]}
            tls: {mode: SIMPLE, insecureSkipVerify: true}
            tunnel: {targetHost: a.b, targetPort: 443}
            retryBudget: {percent: 25.5}
        """,
        """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {tls.crt: Zm9v, k: null}, stringData: {x: "y"}}
        - apiVersion: networking.istio.io/v1
          kind: ServiceEntry
          metadata: {name: e}
          spec:
            hosts: [e.example.com]
            ports: [{number: 80, name: http, protocol: HTTP}]
            resolution: STATIC
            endpoints: [{address: "::1", ports: {http: 8080}, weight: 3}]
        - apiVersion: discovery.k8s.io/v1
          kind: EndpointSlice
          metadata: {name: s, labels: {kubernetes.io/service-name: s}}
          ports: [{name: http, port: 80}]
          endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: p}}]
        """,
    ]

    @Test(arguments: documents)
    func theUndamagedDocumentIsAccepted(text: String) {
        #expect(decodeOne(text).refused.isEmpty)
        #expect(!decodeOne(text).resources.isEmpty)
    }

    @Test(arguments: documents)
    func anyTruncationIsSurvived(text: String) {
        let bytes = Array(text.utf8)
        for length in 0...bytes.count { decode(Array(bytes.prefix(length))) }
    }

    @Test(arguments: documents)
    func anyFlippedByteIsSurvived(text: String) {
        var random = Sequence(state: 0x5EED)
        for _ in 0..<2_000 {
            var bytes = Array(text.utf8)
            for _ in 0...random.next() % 3 {
                let position = Int(random.next() % UInt64(bytes.count))
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
            decode(bytes)
        }
    }

    /// Characters that mean something to YAML, at places where they were not.
    @Test(arguments: documents)
    func anyMisplacedIndicatorIsSurvived(text: String) {
        let indicators = [
            "*v1", "&v1 ", "<<: ", "{", "}", "[", "]", "? ", ": ", "- ", "|\n", "!!int ", "~", "\n", "99999999999",
        ]
        var random = Sequence(state: 0xFACE)
        for _ in 0..<2_000 {
            var bytes = Array(text.utf8)
            let position = Int(random.next() % UInt64(bytes.count))
            let indicator = indicators[Int(random.next() % UInt64(indicators.count))]
            bytes.replaceSubrange(position..<min(position + 1, bytes.count), with: Array(indicator.utf8))
            decode(bytes)
        }
    }

    /// Thousands of mistakes are counted, not each looked up and worded: this takes a moment, not minutes.
    @Test(arguments: ["- route: [{destination: {host: a_b}}]", "- {x: 1, y: 2, z: 3}", "- match: [{uri: 5}]", "- 5"])
    func thousandsOfMistakesInOneResourceAreCounted(entry: String) {
        let document = decodeOne(
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              http:
            \(Array(repeating: entry, count: 5_000).joined(separator: "\n").indented(2))
            """)
        #expect(document.refused.count == 1)
        #expect(document.diagnostics.count == 101)
    }

    private func decode(_ bytes: [UInt8]) {
        let decoder = DocumentDecoder()
        for document in DocumentSplitter.split(bytes) {
            let result = decoder.decode(document, file: "a.yaml")
            let isUsed = !result.resources.isEmpty || result.unknownKind != nil
            let isExplained = !result.diagnostics.isEmpty
            // Whatever is not used says why; only a null document (`~`) and an empty List say nothing.
            #expect(isUsed || isExplained || result.refused.isEmpty)
            #expect(result.refused.isEmpty || isExplained)
            #expect(result.diagnostics.allSatisfy { $0.location.line >= 1 })
        }
    }

    /// A linear congruential generator: small and the same everywhere.
    private struct Sequence {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }
}
