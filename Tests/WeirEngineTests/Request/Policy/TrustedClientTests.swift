import Testing
import WeirTestSupport

@testable import WeirEngine

/// Who a request is from when proxies in front of the gateway are trusted to say so; outcomes as Envoy has them.
@Suite struct TrustedClientTests {
    private let origin: OriginServer

    init() throws { origin = try OriginServer(name: "a") }

    private func gateway(
        hops: Int, redirects: Bool = false, log: AccessLog? = nil,
        routing: (inout RouteSpec) -> Void = { _ in }
    ) throws -> GatewayFixture {
        func adjust(_ options: inout EngineOptions) {
            options.trustedHops = hops
            options.accessLog = log
        }
        return try GatewayFixture(options: adjust) { port in
            let plain = try GatewayFixture.snapshot(listeners: [port], origins: [origin.port], routing: routing)
            guard redirects else { return plain }
            let hosts = plain.listeners[0].hosts.map {
                ListenerPlan.Host(pattern: $0.pattern, plan: $0.plan, redirectsToHTTPS: true)
            }
            return Snapshot(
                generation: 1, listeners: [ListenerPlan(port: port, bind: nil, hosts: hosts)],
                clusters: plain.clusters, clusterCapacity: 1)
        }
    }

    /// What the origin is told: the external address, `x-forwarded-for` and `x-forwarded-proto`.
    private func told(hops: Int, _ headers: [(String, String)]) throws -> [String] {
        let gateway = try gateway(hops: hops)
        var client = try gateway.client()
        #expect(try client.request("GET", "/", headers: headers).status == 200)
        let request = try #require(origin.requests.last)
        return ["x-envoy-external-address", "x-forwarded-for", "x-forwarded-proto"].map {
            request.all($0).joined(separator: "|")
        }
    }

    @Test(arguments: [
        (0, "1.2.3.4, 5.6.7.8", "127.0.0.1"), (1, "1.2.3.4, 5.6.7.8", "5.6.7.8"), (2, "1.2.3.4, 5.6.7.8", "1.2.3.4"),
        (3, "1.2.3.4, 5.6.7.8", "127.0.0.1"), (1, "5.6.7.8", "5.6.7.8"), (1, "  10.0.0.7\t", "10.0.0.7"),
        (1, "2001:db8::1", "2001:db8::1"), (1, "1.1.1.1,", "127.0.0.1"), (2, "1.1.1.1,", "1.1.1.1"),
        (1, "garbage", "127.0.0.1"), (1, "1.1.1.1:99", "127.0.0.1"), (1, "[2001:db8::1]:99", "127.0.0.1"),
        (1, "[2001:db8::1]", "127.0.0.1"), (1, String(repeating: "1", count: 60), "127.0.0.1"),
        (2, ",1.1.1.1, ,2.2.2.2", "127.0.0.1"), (3, ",1.1.1.1, ,2.2.2.2", "1.1.1.1"), (100, "1.1.1.1", "127.0.0.1"),
    ])
    func theClientIsAsManyAddressesFromTheRightAsThereAreTrustedProxies(
        hops: Int, forwarded: String, client: String
    ) throws {
        let told = try told(hops: hops, [("x-forwarded-for", forwarded), ("x-envoy-external-address", "9.9.9.9")])
        #expect(told[0] == client)
        let trimmed = forwarded.trimmed
        #expect(told[1] == "\(trimmed),127.0.0.1")
    }

    @Test func linesOfTheListAreOneList() throws {
        let lines = [("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3")]
        #expect(try told(hops: 1, lines)[0] == "3.3.3.3")
        #expect(try told(hops: 2, lines)[0] == "2.2.2.2")
        #expect(try told(hops: 3, lines)[0] == "1.1.1.1")
        #expect(try told(hops: 4, lines)[0] == "127.0.0.1")
    }

    @Test func theSchemeIsTheTrustedProxys() throws {
        #expect(try told(hops: 0, [("x-forwarded-proto", "https")])[2] == "http")
        #expect(try told(hops: 1, [("x-forwarded-proto", "https")])[2] == "https")
        #expect(try told(hops: 1, [("x-forwarded-proto", "junk")])[2] == "junk")
        #expect(try told(hops: 1, [("x-forwarded-proto", "")])[2] == "http")
        #expect(try told(hops: 1, [])[2] == "http")
    }

    @Test func requestIDsOfClientsAreReplacedAllTheSame() throws {
        let gateway = try gateway(hops: 1)
        var client = try gateway.client()
        _ = try client.request("GET", "/", headers: [("x-request-id", "mine"), ("x-forwarded-for", "1.1.1.1")])
        #expect(origin.requests.last?["x-request-id"] != "mine")
    }

    /// What ended TLS in front of the gateway is not sent to https once more.
    @Test(arguments: [("https", 200), ("HTTPS", 200), ("http", 301), ("junk", 301), ("http,https", 301)])
    func redirectsToHTTPSBelieveTheTrustedProxy(scheme: String, status: Int) throws {
        let gateway = try gateway(hops: 1, redirects: true)
        var client = try gateway.client()
        #expect(try client.request("GET", "/", headers: [("x-forwarded-proto", scheme)]).status == status)
        let two = [("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")]
        #expect(try client.request("GET", "/", headers: two).status == 301)
        let strict = try self.gateway(hops: 0, redirects: true)
        var other = try strict.client()
        #expect(try other.request("GET", "/", headers: [("x-forwarded-proto", "https")]).status == 301)
    }

    @Test func routesMatchTheTrustedScheme() throws {
        let gateway = try gateway(hops: 1) { $0.conditions.append(MatchCondition(.scheme, .exact("https"))) }
        var client = try gateway.client()
        #expect(try client.request("GET", "/", headers: [("x-forwarded-proto", "https")]).status == 200)
        #expect(try client.request("GET", "/").status == 404)
    }

    @Test func theLogTellsTheClientWithPort0AndWhoHasConnected() throws {
        let format =
            "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%\n"
        let log = try AccessLog(format: AccessLogFormat(format), workers: 1)
        let gateway = try gateway(hops: 1, log: log)
        var client = try gateway.client()
        for address in ["2001:db8::1", "1.2.3.4", "none"] {
            #expect(try client.request("GET", "/", headers: [("x-forwarded-for", address)]).status == 200)
        }
        var lines: [String] = []
        try eventually("the lines are written") {
            lines = String(decoding: log.rings[0].waiting, as: UTF8.self).split(separator: "\n").map(String.init)
            return lines.count == 3
        }
        #expect(lines[0] == "[2001:db8::1]:0 0 127.0.0.1")
        #expect(lines[1] == "1.2.3.4:0 0 127.0.0.1")
        #expect(lines[2] == "127.0.0.1:\(client.socket.localPort) \(client.socket.localPort) 127.0.0.1")
    }

    @Test func theClientsAddressIsWhatIsHashed() throws {
        let origins = try ["a", "b", "c"].map { try OriginServer(name: $0) }
        let gateway = try GatewayFixture(
            origins: origins.map(\.port), hash: [.sourceAddress],
            configure: { $0.balancer = .ringHash(minimumSize: 1_024) },
            options: { $0.trustedHops = 1 })
        var client = try gateway.client()
        var seen: Set<String?> = []
        for number in 0..<30 {
            let homes = try (0..<2).map { _ in
                try client.request("GET", "/", headers: [("x-forwarded-for", "10.0.0.\(number)")])["x-backend"]
            }
            #expect(homes[0] == homes[1])
            seen.insert(homes[0])
        }
        #expect(seen == ["a", "b", "c"])
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
