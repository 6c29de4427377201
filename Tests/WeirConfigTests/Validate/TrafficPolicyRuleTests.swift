import Testing
import WeirConfig

/// Rules of the blocks of `trafficPolicy`.
@Suite struct TrafficPolicyRuleTests {
    /// The policy is line 6 of the file.
    private static func policy(_ fields: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: a, namespace: team}
        spec:
          host: a
          trafficPolicy: {\(fields)}
        """
    }

    private static func hash(_ fields: String) -> String { policy("loadBalancer: {consistentHash: {\(fields)}}") }
    private static let hashPath = "6 spec.trafficPolicy.loadBalancer.consistentHash"

    private static let hashRules: [Rule] = [
        Rule("a header", hash("httpHeaderName: X-A")),
        Rule("a parameter on Maglev", hash("httpQueryParameterName: q, maglev: {tableSize: 65537}")),
        Rule("an address on a ring", hash("useSourceIp: true, ringHash: {minimumRingSize: \"2048\"}")),
        Rule("a ring of the standard size", hash("useSourceIp: true, ringHash: {}")),
        Rule(
            "a cookie",
            hash(
                "httpCookie: {name: c, path: /, ttl: 0s, attributes: [{name: SameSite, value: Lax}, {name: Secure}]}")),
        Rule("no key", hash(""), ["warning \(hashPath)"]),
        Rule("not by address", hash("useSourceIp: false"), ["warning \(hashPath)"]),
        Rule("two keys", hash("httpHeaderName: a, useSourceIp: true"), ["error \(hashPath)"]),
        Rule("a cookie without name", hash("httpCookie: {ttl: 1s}"), ["error \(hashPath).httpCookie.name"]),
        Rule("a strange cookie", hash("httpCookie: {name: \"a;b\"}"), ["error \(hashPath).httpCookie.name"]),
        Rule(
            "a path that ends early", hash("httpCookie: {name: a, path: \"/;b\"}"),
            ["error \(hashPath).httpCookie.path"]),
        Rule(
            "an attribute without name", hash("httpCookie: {name: a, attributes: [{value: b}]}"),
            ["error \(hashPath).httpCookie.attributes[0].name"]),
        Rule(
            "an attribute twice", hash("httpCookie: {name: a, attributes: [{name: Secure}, {name: secure}]}"),
            ["error \(hashPath).httpCookie.attributes[1].name"]),
        Rule("Maglev without size", hash("useSourceIp: true, maglev: {}"), ["error \(hashPath).maglev.tableSize"]),
        Rule("a table of 0", hash("useSourceIp: true, maglev: {tableSize: 0}"), ["error \(hashPath).maglev.tableSize"]),
        Rule("a table of 4", hash("useSourceIp: true, maglev: {tableSize: 4}"), ["error \(hashPath).maglev.tableSize"]),
        Rule("a table of 9", hash("useSourceIp: true, maglev: {tableSize: 9}"), ["error \(hashPath).maglev.tableSize"]),
        Rule("a table of 2", hash("useSourceIp: true, maglev: {tableSize: 2}")),
        Rule("the greatest table", hash("useSourceIp: true, maglev: {tableSize: 4999999}")),
        Rule(
            "too great a table", hash("useSourceIp: true, maglev: {tableSize: 5000011}"),
            ["error \(hashPath).maglev.tableSize"]),
        Rule(
            "two algorithms", hash("useSourceIp: true, maglev: {tableSize: 7}, ringHash: {}"),
            ["error \(hashPath).ringHash"]),
        Rule(
            "the old size of a ring", hash("useSourceIp: true, minimumRingSize: 10"),
            ["warning \(hashPath).minimumRingSize"]),
        Rule("the old size, unset", hash("useSourceIp: true, minimumRingSize: 0, ringHash: {}")),
        Rule(
            "both sizes", hash("useSourceIp: true, minimumRingSize: 10, ringHash: {}"),
            ["warning \(hashPath).minimumRingSize", "error \(hashPath).minimumRingSize"]),
    ]

    private static func locality(_ fields: String) -> String {
        policy("outlierDetection: {}, loadBalancer: {localityLbSetting: {\(fields)}}")
    }
    private static let localityPath = "6 spec.trafficPolicy.loadBalancer.localityLbSetting"

    private static let localityRules: [Rule] = [
        Rule("shares", locality("distribute: [{from: a/b/*, to: {a/b/*: 80, a/c/*: 20}}]")),
        Rule("regions", locality("failover: [{from: a, to: b}], failoverPriority: [topology.istio.io/network]")),
        Rule(
            "shares of 99", locality("distribute: [{from: a, to: {a: 99}}]"), ["error \(localityPath).distribute[0].to"]
        ),
        Rule(
            "a share of 0", locality("distribute: [{from: a, to: {a: 100, b: 0}}]"),
            ["error \(localityPath).distribute[0].to.b"]),
        Rule(
            "overlapping places", locality("distribute: [{from: a/*, to: {a: 100}}, {from: a/b, to: {a: 100}}]"),
            ["error \(localityPath).distribute[1].from"]),
        Rule(
            "overlapping shares", locality("distribute: [{from: a, to: {\"*\": 50, b: 50}}]"),
            ["error \(localityPath).distribute[0].to.b"]),
        Rule(
            "a star inside", locality("distribute: [{from: \"*/a\", to: {a: 100}}]"),
            ["error \(localityPath).distribute[0].from"]),
        Rule(
            "shares and regions", locality("distribute: [{from: a, to: {a: 100}}], failover: [{from: a, to: b}]"),
            ["error \(localityPath).failover"]),
        Rule(
            "shares and labels", locality("distribute: [{from: a, to: {a: 100}}], failoverPriority: [a]"),
            ["error \(localityPath).failoverPriority"]),
        Rule(
            "regions and a label of regions",
            locality("failover: [{from: a, to: b}], failoverPriority: [topology.kubernetes.io/region]"),
            ["error \(localityPath).failoverPriority[0]"]),
        Rule("a region to itself", locality("failover: [{from: a, to: a}]"), ["error \(localityPath).failover[0]"]),
        Rule("a zone", locality("failover: [{from: a/b, to: c}]"), ["error \(localityPath).failover[0].from"]),
        Rule("any region", locality("failover: [{from: a, to: \"*\"}]"), ["error \(localityPath).failover[0].to"]),
        Rule(
            "regions without ejection", policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}"),
            ["warning \(localityPath)"]),
        Rule(
            "two kinds of locality",
            policy("loadBalancer: {localityLbSetting: {}, zoneAwareLbSetting: {enabled: true}}"),
            ["error 6 spec.trafficPolicy.loadBalancer.zoneAwareLbSetting"]),
        Rule(
            "zones", policy("loadBalancer: {zoneAwareLbSetting: {minClusterSize: 1, failover: [{from: a, to: b}]}}")),
    ]

    private static func warmup(_ fields: String) -> String { policy("loadBalancer: {warmup: {\(fields)}}") }
    private static let warmupPath = "6 spec.trafficPolicy.loadBalancer.warmup"

    private static let warmupRules: [Rule] = [
        Rule("a warm-up", warmup("duration: 30s, minimumPercent: 10, aggression: 0.5")),
        Rule(
            "the old field", policy("loadBalancer: {warmupDurationSecs: 30s}"),
            ["warning IST0002 6 spec.trafficPolicy.loadBalancer.warmupDurationSecs"]),
        Rule("no duration", warmup("aggression: 1"), ["error \(warmupPath).duration"]),
        Rule("too great a start", warmup("duration: 1s, minimumPercent: 101"), ["error \(warmupPath).minimumPercent"]),
        Rule("no aggression", warmup("duration: 1s, aggression: 0"), ["error \(warmupPath).aggression"]),
    ]

    private static func pool(_ fields: String) -> String { policy("connectionPool: {http: {\(fields)}}") }
    private static let poolPath = "6 spec.trafficPolicy.connectionPool"

    private static let poolRules: [Rule] = [
        Rule("limits of 0", pool("maxRetries: 0, http2MaxRequests: 0")),
        Rule("a negative limit", pool("maxRetries: -1"), ["error \(poolPath).http.maxRetries"]),
        Rule(
            "negative connections", policy("connectionPool: {tcp: {maxConnections: -1}}"),
            ["error \(poolPath).tcp.maxConnections"]),
        Rule("never idle", policy("connectionPool: {tcp: {idleTimeout: 0s}}")),
        Rule("never idle on HTTP", pool("idleTimeout: 0s"), ["error \(poolPath).http.idleTimeout"]),
        Rule("pings", pool("http2KeepAlive: {interval: 10s, timeout: 1s}")),
        Rule(
            "pings without time", pool("http2KeepAlive: {interval: 10s}"),
            ["error \(poolPath).http.http2KeepAlive.timeout"]),
        Rule(
            "pings without interval", pool("http2KeepAlive: {timeout: 10s}"),
            ["error \(poolPath).http.http2KeepAlive.interval"]),
        Rule(
            "two protocols", pool("h2UpgradePolicy: UPGRADE, useClientProtocol: true"),
            ["error \(poolPath).http.useClientProtocol"]),
        Rule("the client's protocol", pool("h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: true")),
        Rule("an unknown policy", pool("h2UpgradePolicy: NEVER"), ["error \(poolPath).http.h2UpgradePolicy"]),
    ]

    private static func outlier(_ fields: String) -> String { policy("outlierDetection: {\(fields)}") }
    private static let outlierPath = "6 spec.trafficPolicy.outlierDetection"

    private static let outlierRules: [Rule] = [
        Rule("nothing", outlier("")),
        Rule("the old count", outlier("consecutiveErrors: 5"), ["warning \(outlierPath).consecutiveErrors"]),
        Rule("local failures", outlier("splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5")),
        Rule(
            "local failures together", outlier("consecutiveLocalOriginFailures: 5"),
            ["error \(outlierPath).consecutiveLocalOriginFailures"]),
        Rule("more than all", outlier("maxEjectionPercent: 101"), ["error \(outlierPath).maxEjectionPercent"]),
        Rule("less than none", outlier("minHealthPercent: -1"), ["error \(outlierPath).minHealthPercent"]),
        Rule("no interval", outlier("interval: 0s"), ["error \(outlierPath).interval"]),
        Rule("statuses", outlier("outlierDetectionHttpErrorCodes: [429, 503]")),
        Rule(
            "a strange status", outlier("outlierDetectionHttpErrorCodes: [99]"),
            ["error \(outlierPath).outlierDetectionHttpErrorCodes[0]"]),
    ]

    private static func tls(_ fields: String) -> String { policy("tls: {\(fields)}") }
    private static let tlsPath = "6 spec.trafficPolicy.tls"

    private static let tlsRules: [Rule] = [
        Rule("a Secret", tls("mode: MUTUAL, credentialName: a")),
        Rule("files", tls("mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /a, caCrl: /r")),
        Rule("a certificate without key", tls("mode: MUTUAL, clientCertificate: /c"), ["error \(tlsPath).privateKey"]),
        Rule("a key without certificate", tls("mode: MUTUAL, privateKey: /k"), ["error \(tlsPath).clientCertificate"]),
        Rule(
            "a Secret and files", tls("mode: SIMPLE, credentialName: a, caCertificates: /a"),
            ["error \(tlsPath).caCertificates"]),
        Rule("a Secret and a list", tls("mode: SIMPLE, credentialName: a, caCrl: /r"), ["error \(tlsPath).caCrl"]),
        Rule("nothing verified", tls("mode: SIMPLE, insecureSkipVerify: true")),
        Rule(
            "nothing verified with a CA", tls("mode: SIMPLE, insecureSkipVerify: true, caCertificates: /a"),
            ["error \(tlsPath).caCertificates"]),
        Rule(
            "nothing verified but names", tls("mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]"),
            ["error \(tlsPath).subjectAltNames"]),
        Rule(
            "nothing verified with a Secret", tls("mode: SIMPLE, insecureSkipVerify: true, credentialName: a"),
            ["error \(tlsPath).credentialName"]),
        Rule("a client's Secret", tls("mode: MUTUAL, insecureSkipVerify: true, credentialName: a")),
        Rule(
            "the mesh's and another", tls("mode: ISTIO_MUTUAL, credentialName: a"),
            ["warning WEIR0009 \(tlsPath).mode", "warning \(tlsPath).credentialName"]),
        Rule("the mesh's", tls("mode: ISTIO_MUTUAL"), ["warning WEIR0009 \(tlsPath).mode"]),
        Rule("an unknown mode", tls("mode: TLS"), ["error \(tlsPath).mode"]),
    ]

    private static let otherRules: [Rule] = [
        Rule("a tunnel", policy("tunnel: {protocol: POST, targetHost: a.b, targetPort: 443}")),
        Rule(
            "an unknown tunnel", policy("tunnel: {protocol: GET, targetHost: a, targetPort: 443}"),
            ["error 6 spec.trafficPolicy.tunnel.protocol"]),
        Rule(
            "a tunnel to nowhere", policy("tunnel: {targetPort: 443}"), ["error 6 spec.trafficPolicy.tunnel.targetHost"]
        ),
        Rule(
            "a tunnel to no port", policy("tunnel: {targetHost: a}"), ["error 6 spec.trafficPolicy.tunnel.targetPort"]),
        Rule(
            "a tunnel and a header", policy("tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {}"),
            ["error 6 spec.trafficPolicy.proxyProtocol"]),
        Rule(
            "an unknown version", policy("proxyProtocol: {version: V3}"),
            ["error 6 spec.trafficPolicy.proxyProtocol.version"]),
        Rule("a budget", policy("retryBudget: {percent: 25.5, minRetryConcurrency: 5, budgetInterval: 0s}")),
        Rule(
            "too great a budget", policy("retryBudget: {percent: 101}"),
            ["error 6 spec.trafficPolicy.retryBudget.percent"]),
        Rule(
            "a port's policy of nothing", policy("portLevelSettings: [{port: {number: 80}}]"),
            ["error 6 spec.trafficPolicy.portLevelSettings[0]"]),
        Rule(
            "a port's policy", policy("portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]")),
        Rule(
            "a mistake of a port",
            policy("portLevelSettings: [{port: {number: 80}, outlierDetection: {maxEjectionPercent: 101}}]"),
            ["error 6 spec.trafficPolicy.portLevelSettings[0].outlierDetection.maxEjectionPercent"]),
        Rule(
            "the old algorithm", policy("loadBalancer: {simple: LEAST_CONN}"),
            ["warning IST0002 6 spec.trafficPolicy.loadBalancer.simple"]),
    ]

    @Test(
        arguments: hashRules + localityRules + warmupRules + poolRules + outlierRules + tlsRules + otherRules)
    func holdsPoliciesToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }

    @Test func comparesThousandsOfLocalitiesInLinearTime() {
        let places = (0..<20_000).map { "{from: r\($0), to: {a: 100}}" }.joined(separator: ", ")
        #expect(findings(Self.locality("distribute: [\(places)]")).isEmpty)
    }
}
