import Testing
import WeirConfig

@Suite struct HTTPActionDecodeTests {
    private func route(_ fields: String) throws -> HTTPRoute {
        let document = decodeOne(
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              http:
              - {\(fields)}
            """)
        guard case .virtualService(let service) = try #require(document.resources.first).spec else {
            return HTTPRoute()
        }
        return try #require(service.http.first)
    }

    private func routed(_ fields: String) throws -> HTTPRoute {
        try route("route: [{destination: {host: a}}], \(fields)")
    }

    @Test func decodesARedirect() throws {
        let redirect = try route(
            "redirect: {uri: /a, authority: b.c, scheme: https, port: 8443, redirectCode: 308}"
        ).redirect
        #expect(redirect?.uri == "/a" && redirect?.authority == "b.c" && redirect?.scheme == "https")
        #expect(redirect?.port == .number(8443) && redirect?.redirectCode == 308 && redirect?.prefixRewrite == nil)
        let prefix = try route("redirect: {prefixRewrite: /b, derivePort: FROM_REQUEST_PORT}").redirect
        #expect(prefix?.prefixRewrite == "/b" && prefix?.port == .fromRequestPort && prefix?.redirectCode == nil)
        let standard = try route("redirect: {derivePort: FROM_PROTOCOL_DEFAULT}").redirect
        #expect(standard?.port == .fromProtocolDefault)
    }

    @Test func decodesAResponse() throws {
        let text = try route("directResponse: {status: 503, body: {string: gone}}").directResponse
        #expect(text?.status == 503 && text?.body == Array("gone".utf8))
        let bytes = try route("directResponse: {status: 200, body: {bytes: AAH/}}").directResponse
        #expect(bytes?.body == [0, 1, 255])
        #expect(try route("directResponse: {status: 204}").directResponse?.body == nil)
    }

    @Test func decodesADelegate() throws {
        let delegate = try route("delegate: {name: reviews, namespace: team}").delegate
        #expect(delegate?.name == "reviews" && delegate?.namespace == "team")
        #expect(try route("delegate: {name: a, namespace: \"\"}").delegate?.namespace == nil)
    }

    @Test func decodesARewrite() throws {
        let plain = try routed("rewrite: {uri: /a, authority: b}").rewrite
        #expect(plain?.uri == "/a" && plain?.authority == "b" && plain?.uriRegexRewrite == nil)
        let pattern = try routed("rewrite: {uriRegexRewrite: {match: \"a(.)\", rewrite: '\\1'}}").rewrite
        #expect(pattern?.uriRegexRewrite?.match == "a(.)" && pattern?.uriRegexRewrite?.rewrite == "\\1")
    }

    @Test func decodesACorsPolicy() throws {
        let policy = try #require(
            try routed(
                """
                corsPolicy: {allowOrigins: [{exact: "https://a"}, {prefix: b}, {regex: "c.*"}], allowMethods: [GET, POST],
                  allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 24h, allowCredentials: false,
                  unmatchedPreflights: IGNORE}
                """
            ).corsPolicy)
        #expect(policy.allowOrigins == [.exact("https://a"), .prefix("b"), .regex("c.*")])
        #expect(policy.allowMethods == ["GET", "POST"])
        #expect(policy.allowHeaders == ["x-a"] && policy.exposeHeaders == ["x-b"])
        #expect(policy.maxAgeSeconds == 86_400 && policy.allowCredentials == false)
        #expect(policy.unmatchedPreflights == .ignore)
    }

    @Test func readsTheOldOriginsOnlyWithoutTheNew() throws {
        #expect(
            try routed("corsPolicy: {allowOrigin: [a, \"*\"]}").corsPolicy?.allowOrigins == [.exact("a"), .exact("*")])
        let both = try routed("corsPolicy: {allowOrigin: [a], allowOrigins: [{prefix: b}]}").corsPolicy
        #expect(both?.allowOrigins == [.prefix("b")])
    }

    @Test func decodesHeaderOperations() throws {
        let route = try route(
            """
            headers: {request: {set: {X-A: a}, add: {x-b: b}, remove: [x-c]}},
              route: [{destination: {host: a}, headers: {response: {set: {x-d: d}}}}]
            """)
        #expect(route.headers?.request?.set == ["X-A": "a"] && route.headers?.request?.add == ["x-b": "b"])
        #expect(route.headers?.request?.remove == ["x-c"] && route.headers?.response == nil)
        #expect(route.route.first?.headers?.response?.set == ["x-d": "d"])
    }

    @Test func decodesTimeoutAndRetries() throws {
        let route = try routed(
            """
            timeout: 1.5s, retries: {attempts: 3, perTryTimeout: 250ms, retryOn: "5xx,503",
              retryRemoteLocalities: true, retryIgnorePreviousHosts: false, backoff: 10ms}
            """)
        #expect(route.timeoutMilliseconds == 1_500)
        let retries = try #require(route.retries)
        #expect(retries.attempts == 3 && retries.perTryTimeoutMilliseconds == 250 && retries.retryOn == "5xx,503")
        #expect(retries.retryRemoteLocalities == true && retries.retryIgnorePreviousHosts == false)
        #expect(retries.backoffMilliseconds == 10)
        #expect(try routed("timeout: 0s").timeoutMilliseconds == 0)
        #expect(try routed("name: a").timeoutMilliseconds == nil)
        #expect(try routed("retries: {}").retries == HTTPRetry())
    }

    @Test func decodesAFault() throws {
        let fault = try #require(
            try routed(
                """
                fault: {delay: {fixedDelay: 5s, percentage: {value: 0.1}},
                  abort: {grpcStatus: UNAVAILABLE, percentage: {value: "50"}}}
                """
            ).fault)
        #expect(fault.delay?.fixedDelayMilliseconds == 5_000 && fault.delay?.percentage == Percent(0.1))
        #expect(fault.abort?.failure == .grpcStatus("UNAVAILABLE") && fault.abort?.percentage == Percent(50))
        let legacy = try routed("fault: {delay: {fixedDelay: 1s, percent: 5}}").fault
        #expect(legacy?.delay?.percentage == Percent(5))
        let both = try routed("fault: {delay: {fixedDelay: 1s, percent: 5, percentage: {value: 7}}}").fault
        #expect(both?.delay?.percentage == Percent(7))
        let status = try routed("fault: {abort: {httpStatus: 418, percentage: {}}}").fault
        #expect(status?.abort?.failure == .httpStatus(418) && status?.abort?.percentage == Percent(0))
    }

    @Test func decodesMirrors() throws {
        let one = try routed("mirror: {host: b, subset: v1, port: {number: 80}}, mirrorPercentage: {value: 12.5}")
        #expect(one.mirror == Destination(host: "b", subset: "v1", port: 80) && one.mirrorPercentage == Percent(12.5))
        let legacy = try routed("mirror: {host: b}, mirror_percent: 5")
        #expect(legacy.mirrorPercent == Percent(5) && legacy.mirrorPercentage == nil)
        let both = try routed("mirror: {host: b}, mirrorPercent: 5, mirrorPercentage: {value: 7}")
        #expect(both.mirrorPercentage == Percent(7))
        let several = try routed(
            "mirrors: [{destination: {host: b}, percentage: {value: 1}}, {destination: {host: c}}]")
        #expect(several.mirrors.map(\.destination.host) == ["b", "c"])
        #expect(several.mirrors.map(\.percentage) == [Percent(1), nil])
    }

    @Test(arguments: [(0, 0), (0.0001, 1), (0.00019, 1), (12.5, 125_000), (100, 1_000_000)])
    func cutsPercentagesToMillionths(percent: Double, expected: Int) {
        #expect(Percent(percent).millionths == expected)
    }

    @Test func decodesStreamRoutes() throws {
        let document = decodeOne(
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              tls:
              - match: [{sniHosts: [a.b], destinationSubnets: [10.0.0.0/8], port: 443, gateways: [gw],
                  sourceLabels: {a: b}, sourceNamespace: ns}]
                route: [{destination: {host: a}, weight: 5}, {destination: {host: b}, weight: 95}]
              tcp:
              - match: [{sourceSubnet: 10.0.0.1}]
                route: [{destination: {host: c}}]
            """)
        guard case .virtualService(let service) = try #require(document.resources.first).spec else { return }
        let tls = try #require(service.tls.first)
        let match = try #require(tls.match.first)
        #expect(match.sniHosts == ["a.b"] && match.destinationSubnets == ["10.0.0.0/8"] && match.port == 443)
        #expect(match.gateways == ["gw"] && match.sourceLabels == ["a": "b"] && match.sourceNamespace == "ns")
        #expect(tls.route.map(\.destination.host) == ["a", "b"] && tls.route.map(\.weight) == [5, 95])
        #expect(tls.line == 7 && match.line == 7)
        #expect(service.tcp.first?.match.first?.sourceSubnet == "10.0.0.1")
        #expect(service.tcp.first?.route.first?.destination.host == "c")
    }
}
