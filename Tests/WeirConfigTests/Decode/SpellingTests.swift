import Testing
import WeirConfig

/// Names with underscores mean the same as the usual ones, in every kind and at every depth.
@Suite struct SpellingTests {
    private static let documents = [
        """
        kind: VirtualService
        spec:
          hosts: [a.b]
          exportTo: ["*"]
          http:
          - match: [{ignoreUriCase: true, withoutHeaders: {x: {}}, queryParams: {q: {}}, sourceLabels: {a: b},
              sourceNamespace: n, statPrefix: s}]
            directResponse: {status: 200}
            headers: {request: {set: {x_y: a}}}
          - route: [{destination: {host: a}}]
            rewrite: {uriRegexRewrite: {match: a, rewrite: b}}
            retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx, retryRemoteLocalities: true,
              retryIgnorePreviousHosts: false}
            fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}, abort: {httpStatus: 500, percentage: {value: 1}}}
            mirror: {host: a}
            mirrorPercentage: {value: 1}
            corsPolicy: {allowOrigins: [{exact: a}], allowMethods: [GET], allowHeaders: [a], exposeHeaders: [b],
              maxAge: 1s, allowCredentials: true, unmatchedPreflights: IGNORE}
          - redirect: {redirectCode: 302, derivePort: FROM_REQUEST_PORT, prefixRewrite: /a}
        """,
        """
        kind: DestinationRule
        spec:
          host: a
          workloadSelector: {matchLabels: {a_b: c}}
          trafficPolicy:
            loadBalancer: {localityLbSetting: {failoverPriority: [a]}, warmupDurationSecs: 1s}
            connectionPool: {tcp: {maxConnections: 1, connectTimeout: 1s, tcpKeepalive: {time: 1s}},
              http: {http1MaxPendingRequests: 1, http2MaxRequests: 1, h2UpgradePolicy: UPGRADE, idleTimeout: 1s}}
            outlierDetection: {consecutive5xxErrors: 1, consecutiveGatewayErrors: 2, baseEjectionTime: 1s,
              maxEjectionPercent: 5, minHealthPercent: 5, splitExternalLocalOriginErrors: true}
            portLevelSettings: [{port: {number: 1}, loadBalancer: {consistentHash: {httpHeaderName: a}}},
              {port: {number: 2}, loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 2}}}},
              {port: {number: 3}, loadBalancer: {consistentHash: {httpQueryParameterName: a,
                maglev: {tableSize: 7}}}},
              {port: {number: 4}, loadBalancer: {consistentHash: {httpCookie: {name: a}}}}]
            tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /a, subjectAltNames: [a]}
            proxyProtocol: {version: V2}
            retryBudget: {minRetryConcurrency: 1, budgetInterval: 1s}
        """,
        """
        kind: Gateway
        spec:
          servers:
          - port: {number: 443, name: a, protocol: HTTPS}
            hosts: ["*"]
            defaultEndpoint: a
            tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /a, minProtocolVersion: TLSV1_2,
              maxProtocolVersion: TLSV1_3, cipherSuites: [AES128-SHA], subjectAltNames: [c],
              verifyCertificateHash: [abababababababababababababababababababababababababababababababab],
              verifyCertificateSpki: ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}
          - {port: {number: 80, name: b, protocol: HTTP}, hosts: ["*"], tls: {httpsRedirect: true}}
        """,
        """
        kind: ServiceEntry
        spec:
          hosts: [a.b]
          ports: [{number: 80, name: a, protocol: HTTP, targetPort: 8080}]
          resolution: STATIC
          exportTo: ["."]
          subjectAltNames: [a]
          endpoints: [{address: 10.0.0.1, serviceAccount: a}]
        """,
    ]

    /// Field names between the start of a line or a brace and a colon.
    private static func withUnderscores(_ text: String) -> String {
        var result = ""
        for character in text {
            if character.isUppercase, result.last?.isLowercase == true || result.last?.isNumber == true {
                result += "_" + character.lowercased()
            } else {
                result.append(character)
            }
        }
        return result
    }

    /// Rewrites names only: kinds, words of enums and values stay.
    private static func respell(_ yaml: String) -> String {
        var lines: [String] = []
        for line in yaml.split(separator: "\n", omittingEmptySubsequences: false) {
            guard !line.hasPrefix("kind:") else {
                lines.append(String(line))
                continue
            }
            var spelt = ""
            var word = ""
            for character in line {
                if character.isLetter || character.isNumber {
                    word.append(character)
                } else {
                    spelt += (character == ":" ? withUnderscores(word) : word) + String(character)
                    word = ""
                }
            }
            lines.append(spelt + word)
        }
        return lines.joined(separator: "\n")
    }

    @Test(arguments: documents)
    func readsUnderscores(document: String) throws {
        let head = "apiVersion: networking.istio.io/v1alpha3\nmetadata: {name: a}\n"
        let usual = decodeOne(head + document)
        let respelt = decodeOne(head + Self.respell(document))
        #expect(Self.respell(document) != document)
        let expected = try #require(usual.resources.first)
        #expect(respelt.resources.first?.spec == expected.spec)
        #expect(!respelt.diagnostics.contains { $0.code == .unknownField })
    }

    @Test func refusesAFieldInBothSpellings() {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: a}
            spec:
              host: a
              trafficPolicy: {loadBalancer: {simple: RANDOM}}
              traffic_policy: {loadBalancer: {simple: RANDOM}}
            """
        #expect(findings(yaml) == ["error 7 spec.trafficPolicy"])
    }
}
