import Testing
import WeirConfig

@Suite struct TrafficPolicyDecodeTests {
    private func rule(_ spec: String) throws -> DestinationRule {
        let document = decodeOne(
            """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: a}
            spec:
              host: a
            \(spec.indented(2))
            """)
        guard case .destinationRule(let rule) = try #require(document.resources.first).spec else {
            return DestinationRule()
        }
        return rule
    }

    private func policy(_ fields: String) throws -> TrafficPolicy {
        try #require(try rule("trafficPolicy: {\(fields)}").trafficPolicy)
    }

    private func hash(_ fields: String) throws -> TrafficPolicy.ConsistentHash {
        try #require(try policy("loadBalancer: {consistentHash: {\(fields)}}").loadBalancer?.consistentHash)
    }

    @Test func decodesTheKeyOfAHash() throws {
        #expect(try hash("httpHeaderName: X-User").key == .httpHeader("x-user"))
        #expect(try hash("httpQueryParameterName: User").key == .httpQueryParameter("User"))
        #expect(try hash("useSourceIp: true").key == .sourceIP)
        #expect(try hash("useSourceIp: false").key == nil)
        var cookie = TrafficPolicy.ConsistentHash.Cookie()
        cookie.name = "c"
        #expect(try hash("httpCookie: {name: c}").key == .httpCookie(cookie))
        cookie.path = "/a"
        cookie.ttlMilliseconds = 0
        cookie.attributes = [TrafficPolicy.ConsistentHash.Attribute()]
        cookie.attributes[0].name = "SameSite"
        cookie.attributes[0].value = "Lax"
        let whole = "httpCookie: {name: c, path: /a, ttl: 0s, attributes: [{name: SameSite, value: Lax}]}"
        #expect(try hash(whole).key == .httpCookie(cookie))
    }

    @Test func decodesTheAlgorithmOfAHash() throws {
        #expect(try hash("useSourceIp: true").algorithm == .ringHash(minimumRingSize: 1_024))
        #expect(try hash("useSourceIp: true, ringHash: {}").algorithm == .ringHash(minimumRingSize: 1_024))
        let ring = "useSourceIp: true, ringHash: {minimumRingSize: \"64\"}"
        #expect(try hash(ring).algorithm == .ringHash(minimumRingSize: 64))
        #expect(try hash("useSourceIp: true, minimumRingSize: 32").algorithm == .ringHash(minimumRingSize: 32))
        #expect(try hash("useSourceIp: true, maglev: {tableSize: 251}").algorithm == .maglev(tableSize: 251))
    }

    @Test func decodesLocalitiesAndWarmUp() throws {
        let balancer = try #require(
            try policy(
                """
                loadBalancer: {localityLbSetting: {enabled: false, distribute: [{from: a/*, to: {a/*: 80, b: 20}}]},
                  warmup: {duration: 30s, minimumPercent: 20, aggression: 1.5}}
                """
            ).loadBalancer)
        let locality = try #require(balancer.localityLbSetting)
        #expect(locality.enabled == false && locality.distribute.map(\.from) == ["a/*"])
        #expect(locality.distribute.map(\.to) == [["a/*": 80, "b": 20]])
        #expect(balancer.warmup?.durationMilliseconds == 30_000 && balancer.warmup?.minimumPercent == 20)
        #expect(balancer.warmup?.aggression == 1.5)
        let other = try policy(
            """
            loadBalancer: {zoneAwareLbSetting: {enabled: true, minClusterSize: "3", failover: [{from: a, to: b}]},
              warmupDurationSecs: 5s}
            """
        ).loadBalancer
        #expect(other?.zoneAwareLbSetting?.minClusterSize == 3 && other?.zoneAwareLbSetting?.enabled == true)
        #expect(other?.zoneAwareLbSetting?.failover.map(\.to) == ["b"])
        #expect(other?.warmup?.durationMilliseconds == 5_000)
    }

    @Test func decodesAConnectionPool() throws {
        let pool = try #require(
            try policy(
                """
                connectionPool: {tcp: {maxConnections: 100, connectTimeout: 30ms, maxConnectionDuration: 1h,
                  tcpKeepalive: {probes: 3, time: 7200s, interval: 75s}}, http: {http1MaxPendingRequests: 1,
                  http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 5s,
                  h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: true, maxConcurrentStreams: 0,
                  http2KeepAlive: {interval: 10s, timeout: 1s}}}
                """
            ).connectionPool)
        let tcp = try #require(pool.tcp)
        #expect(tcp.maxConnections == 100 && tcp.connectTimeoutMilliseconds == 30)
        #expect(tcp.maxConnectionDurationMilliseconds == 3_600_000)
        #expect(tcp.tcpKeepalive?.probes == 3 && tcp.tcpKeepalive?.timeMilliseconds == 7_200_000)
        #expect(tcp.tcpKeepalive?.intervalMilliseconds == 75_000)
        let http = try #require(pool.http)
        #expect(http.http1MaxPendingRequests == 1 && http.http2MaxRequests == 2)
        #expect(http.maxRequestsPerConnection == 3 && http.maxRetries == 4)
        #expect(http.h2UpgradePolicy == .doNotUpgrade && http.useClientProtocol)
        #expect(http.maxConcurrentStreams == nil, "0 means no limit")
        #expect(
            http.http2KeepAlive?.intervalMilliseconds == 10_000 && http.http2KeepAlive?.timeoutMilliseconds == 1_000)
        #expect(pool.idleTimeoutMilliseconds == 5_000 && pool.connectTimeoutMilliseconds == 30)
    }

    @Test func decodesEjectionAndItsZeros() throws {
        let outlier = try #require(
            try policy(
                """
                outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, interval: 1m,
                  baseEjectionTime: 2m, maxEjectionPercent: 50, minHealthPercent: 10,
                  splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 7,
                  outlierDetectionHttpErrorCodes: [429]}
                """
            ).outlierDetection)
        #expect(outlier.consecutive5xxErrors == 0 && outlier.consecutiveGatewayErrors == 3)
        #expect(outlier.intervalMilliseconds == 60_000 && outlier.baseEjectionTimeMilliseconds == 120_000)
        #expect(outlier.maxEjectionPercent == 50 && outlier.minHealthPercent == 10)
        #expect(outlier.splitExternalLocalOriginErrors && outlier.consecutiveLocalOriginFailures == 7)
        #expect(outlier.httpErrorCodes == [429])
        #expect(try policy("outlierDetection: {}").outlierDetection?.consecutive5xxErrors == nil)
    }

    @Test func decodesTLSAndWhatIsBesideIt() throws {
        let policy = try policy(
            """
            tls: {mode: SIMPLE, caCertificates: system, sni: a.b, subjectAltNames: [a], insecureSkipVerify: false},
              proxyProtocol: {version: V2}, retryBudget: {percent: 25, minRetryConcurrency: 5, budgetInterval: 10s}
            """)
        let tls = try #require(policy.tls)
        #expect(tls.mode == .simple && tls.caCertificates == "system" && tls.sni == "a.b")
        #expect(tls.subjectAltNames == ["a"] && tls.insecureSkipVerify == false && tls.credentialName == nil)
        #expect(policy.proxyProtocol == .v2)
        #expect(policy.retryBudget?.percent == 25 && policy.retryBudget?.minRetryConcurrency == 5)
        #expect(policy.retryBudget?.budgetIntervalMilliseconds == 10_000)
        #expect(try self.policy("proxyProtocol: {}").proxyProtocol == .v1)
        let tunnel = try self.policy("tunnel: {protocol: POST, targetHost: a.b, targetPort: 443}").tunnel
        #expect(tunnel?.protocol == "POST" && tunnel?.targetHost == "a.b" && tunnel?.targetPort == 443)
    }

    @Test func decodesPoliciesOfPortsAndSubsets() throws {
        let rule = try rule(
            """
            workloadSelector: {matchLabels: {app: gateway}}
            trafficPolicy:
              portLevelSettings:
              - port: {number: 80}
                loadBalancer: {simple: RANDOM}
                outlierDetection: {}
                tls: {mode: DISABLE}
            subsets:
            - name: v1
              labels: {version: v1}
              trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}
            """)
        #expect(rule.workloadSelector == ["app": "gateway"])
        let port = try #require(rule.trafficPolicy?.portLevelSettings.first)
        #expect(port.port == 80 && port.loadBalancer?.simple == .random && port.line == 9)
        #expect(port.outlierDetection != nil && port.tls?.mode == .disable && port.connectionPool == nil)
        let subset = try #require(rule.subsets.first)
        #expect(subset.trafficPolicy?.connectionPool?.connectTimeoutMilliseconds == 1_000)
        #expect(subset.trafficPolicy?.loadBalancer == nil)
    }
}
