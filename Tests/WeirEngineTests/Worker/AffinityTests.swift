import Testing
import WeirTestSupport

@testable import WeirEngine

/// Requests that go by keys, through the whole gateway.
@Suite struct AffinityTests {
    private func gateway(
        _ hash: [HashPolicy], _ balancer: BalancerPolicy = .ringHash(minimumSize: 1_024), workers: Int = 1,
        _ body: (GatewayFixture) throws -> Void
    ) throws {
        let origins = try ["a", "b", "c"].map { try OriginServer(name: $0) }
        defer { for origin in origins { origin.stop() } }
        try body(
            try GatewayFixture(origins: origins.map(\.port), workers: workers, hash: hash) { $0.balancer = balancer })
    }

    /// Who answers a request with these header lines, on a connection of its own.
    private func backend(_ gateway: GatewayFixture, _ headers: [(String, String)] = []) throws -> String? {
        var client = try gateway.client()
        return try client.request("GET", "/", headers: headers)["x-backend"]
    }

    @Test(arguments: [BalancerPolicy.ringHash(minimumSize: 1_024), .maglev(size: 1_021)])
    func everyWorkerSendsAKeyToTheSameEndpoint(balancer: BalancerPolicy) throws {
        try gateway([.header("x-user")], balancer, workers: 2) { gateway in
            var seen: Set<String?> = []
            for user in 0..<40 {
                let homes = try (0..<3).map { _ in try backend(gateway, [("X-User", "u\(user)")]) }
                #expect(Set(homes).count == 1)
                seen.insert(homes[0])
            }
            #expect(seen.count == 3)
        }
    }

    @Test func withoutAKeyRequestsGoAnywhere() throws {
        for hash: [HashPolicy] in [[.header("x-user")], []] {
            try gateway(hash) { gateway in
                var client = try gateway.client()
                let homes = try (0..<60).map { _ in try client.request("GET", "/")["x-backend"] }
                #expect(Set(homes).count == 3)
            }
        }
    }

    @Test func policiesCountTogether() throws {
        try gateway([.header("x-a"), .header("x-b")]) { gateway in
            var homes: [String: Set<String?>] = [:]
            for index in 0..<40 {
                for _ in 0..<2 {
                    homes["a\(index)", default: []].insert(try backend(gateway, [("x-a", "\(index)"), ("x-b", "1")]))
                }
                homes["same", default: []].insert(try backend(gateway, [("x-a", "\(index)"), ("x-b", "\(index)")]))
            }
            #expect((0..<40).allSatisfy { homes["a\($0)"]?.count == 1 })
            // Equal values do not cancel each other out.
            #expect(homes["same"]?.count == 3)
        }
    }

    // MARK: Cookies

    private static let cookie = HashPolicy.Cookie(
        name: "sid", maxAgeSeconds: 600, path: "/app",
        attributes: [HashPolicy.Attribute(name: "SameSite", value: "Lax"), HashPolicy.Attribute(name: "Secure")])

    @Test func aRouteMayAddToTheCookieOrTakeItAway() throws {
        func given(_ edits: HeaderEdits) throws -> [String] {
            var route = RouteSpec.doing(RouteActions(responseEdits: edits))
            route.hashPolicies = [.cookie(HashPolicy.Cookie(name: "sid", maxAgeSeconds: 0))]
            let gateway = try ActionGateway([route]) { $0.balancer = .ringHash(minimumSize: 1_024) }
            return try gateway.ask().all("set-cookie").map { String($0.prefix(4)) }
        }
        #expect(try given(HeaderEdits(add: ["set-cookie": "a=1"])) == ["sid=", "a=1"])
        #expect(try given(HeaderEdits(set: ["set-cookie": "a=1"])) == ["a=1"])
        #expect(try given(HeaderEdits(remove: ["set-cookie"])) == [])
    }

    @Test func aClientWithoutTheCookieIsGivenOneThatLeadsItBack() throws {
        try gateway([.cookie(Self.cookie)]) { gateway in
            for _ in 0..<10 {
                var client = try gateway.client()
                let first = try client.request("GET", "/")
                let given = try #require(first["set-cookie"])
                let value = try #require(given.split(separator: "\"").dropFirst().first)
                #expect(
                    given == "sid=\"\(value)\"; Max-Age=600; Path=/app; SameSite=Lax; Secure; HttpOnly"
                        && value.count == 16)
                // The same for all requests of a connection that have not seen it yet.
                #expect(try client.request("GET", "/")["set-cookie"] == given)
                for text in ["sid=\(value)", "sid=\"\(value)\""] {
                    var other = try gateway.client()
                    let later = try other.request("GET", "/", headers: [("Cookie", "a=b; \(text)")])
                    #expect(later["x-backend"] == first["x-backend"] && later["set-cookie"] == nil)
                }
            }
        }
    }

    @Test func theValueIsTheHashOfBothEndsOfTheConnection() throws {
        try gateway([.cookie(HashPolicy.Cookie(name: "s", maxAgeSeconds: 0))]) { gateway in
            var client = try gateway.client()
            let value = "127.0.0.1:\(client.socket.localPort)127.0.0.1:\(gateway.port)".withBytes { XXHash64.hash($0) }
            let digits = String(value, radix: 16)
            let padded = String(repeating: "0", count: 16 - digits.count) + digits
            #expect(try client.request("GET", "/")["set-cookie"] == "s=\"\(padded)\"; HttpOnly")
        }
    }

    @Test func withoutALifetimeNoCookieIsMade() throws {
        try gateway([.cookie(HashPolicy.Cookie(name: "sid", path: "/"))]) { gateway in
            var client = try gateway.client()
            var homes: Set<String?> = []
            for _ in 0..<60 {
                let answer = try client.request("GET", "/")
                #expect(answer["set-cookie"] == nil)
                homes.insert(answer["x-backend"])
            }
            #expect(homes.count == 3)
        }
    }

    @Test func aCookieAddsToTheOriginsOwn() throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let hash: [HashPolicy] = [.cookie(Self.cookie), .cookie(HashPolicy.Cookie(name: "b", maxAgeSeconds: 0))]
        let gateway = try GatewayFixture(origins: [origin.port], hash: hash) {
            $0.balancer = .maglev(size: 65_537)
        }
        var client = try gateway.client()
        let answer = try client.request("GET", "/")
        #expect(answer.all("set-cookie").map { $0.prefix { $0 != "=" } } == ["own", "sid", "b"])
    }

    @Test func noCookieComesWithAnAnswerThatNoEndpointGave() throws {
        let gateway = try GatewayFixture(origins: [try GatewayFixture.freePort()], hash: [.cookie(Self.cookie)]) {
            $0.balancer = .ringHash(minimumSize: 1_024)
        }
        var client = try gateway.client()
        let refused = try client.request("GET", "/")
        #expect(refused.status == 503 && refused["set-cookie"] == nil)
    }

    @Test func aClusterThatGoesByNoKeyMakesNoCookies() throws {
        try gateway([.cookie(Self.cookie)], .roundRobin) { gateway in
            var client = try gateway.client()
            let answers = try (0..<6).map { _ in try client.request("GET", "/") }
            #expect(answers.allSatisfy { $0["set-cookie"] == nil })
            #expect(Set(answers.map { $0["x-backend"] }).count == 3)
        }
    }

    // MARK: Reload

    @Test func aKeyStaysWithItsEndpointWhenAnotherGoes() throws {
        let origins = try ["a", "b", "c"].map { try OriginServer(name: $0) }
        defer { for origin in origins { origin.stop() } }
        let hash: [HashPolicy] = [.header("x-user")]
        let byKey: (inout ClusterSpec) -> Void = { $0.balancer = .ringHash(minimumSize: 1_024) }
        let gateway = try GatewayFixture(origins: origins.map(\.port), workers: 2, hash: hash, configure: byKey)
        func homes() throws -> [String?] { try (0..<30).map { try backend(gateway, [("x-user", "u\($0)")]) } }
        let before = try homes()
        let fewer = try GatewayFixture.snapshot(
            generation: 2, listeners: [gateway.port], origins: origins.dropLast().map(\.port), hash: hash,
            configure: byKey)
        #expect(try gateway.publish(fewer).isEmpty)
        let after = try homes()
        #expect(zip(before, after).allSatisfy { $0 == $1 || $0 == "c" })
        #expect(after.allSatisfy { $0 == "a" || $0 == "b" })
    }
}
