import Foundation
import Testing
import WeirServer
import WeirTestSupport

/// The examples in `config/` that show one feature each do what their first lines promise.
@Suite struct FeatureExampleTests {
    private func get(
        _ server: RunningServer, _ target: String, host: String = "example.com", headers: [(String, String)] = [],
        method: String = "GET"
    ) throws -> TestMessage {
        var client = try server.client(port: 8080)
        return try client.request(method, target, host: host, headers: headers)
    }

    @Test func oldAddressesAreRedirectedAndSomePathsAnsweredHere() throws {
        let backends = try Backends(1)
        let server = try Example.server("redirects.yaml", backends)
        func location(_ target: String, _ host: String) throws -> String {
            let answer = try get(server, target, host: host)
            return "\(answer.status) \(answer["location"] ?? "-")"
        }
        #expect(try location("/cart?x=1", "example.com") == "308 http://www.example.com/cart?x=1")
        #expect(try location("/old/page?x=1", "www.example.com") == "301 http://www.example.com/new/page?x=1")
        #expect(try location("/blog/2024/a", "www.example.com") == "302 http://www.example.com/articles/2024/a")
        let robots = try get(server, "/robots.txt", host: "www.example.com")
        #expect(robots.status == 200 && robots.text == "User-agent: *\nDisallow: /\n")
        #expect(try get(server, "/admin/x", host: "www.example.com").status == 403)
        #expect(backends.origins[0].requests.isEmpty)
        #expect(try get(server, "/cart", host: "www.example.com")["x-backend"] == "v1")
    }

    @Test func pathsAndHostsAreRewritten() throws {
        let backends = try Backends(1)
        let server = try Example.server("rewrites.yaml", backends)
        for target in ["/api/users/7?x=1", "/old/report/2024", "/assets/logo.png"] {
            #expect(try get(server, target)["x-backend"] == "v1")
        }
        let seen = backends.origins[0].requests
        #expect(seen.map(\.target) == ["/v2/users/7?x=1", "/report-2024", "/assets/logo.png"])
        #expect(seen.map { $0["host"] } == ["example.com", "example.com", "assets.internal"])
        #expect(seen[0]["x-envoy-original-path"] == "/api/users/7?x=1")
    }

    @Test func headersAreSetAndRemovedBothWays() throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nx-powered-by: origin\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let server = try Example.server("headers.yaml", ports: [origin.port, origin.port])
        var versions: Set<String> = []
        for _ in 0..<40 {
            let answer = try get(server, "/a?b", headers: [("x-debug", "1"), ("x-client", "forged")])
            versions.insert(answer["x-served-by"] ?? "none")
            #expect(answer["x-powered-by"] == nil && answer["strict-transport-security"] == "max-age=31536000")
        }
        #expect(versions == ["v1", "v2"])
        let seen = try #require(origin.requests.first)
        #expect(seen.all("x-client") == ["127.0.0.1"] && seen["x-asked-for"] == "example.com/a?b")
        #expect(seen["x-debug"] == nil)
    }

    @Test func browsersMayCallFromTheOriginsNamed() throws {
        let backends = try Backends(1)
        let server = try Example.server("cors.yaml", backends)
        let page = "https://shop.example.com"
        let asks = [("Origin", page), ("Access-Control-Request-Method", "PUT")]
        let preflight = try get(server, "/items/7", headers: asks, method: "OPTIONS")
        #expect(preflight.status == 200 && preflight["access-control-allow-origin"] == page)
        #expect(preflight["access-control-allow-methods"] == "GET,PUT")
        #expect(preflight["access-control-allow-headers"] == "content-type,x-request-id")
        #expect(preflight["access-control-max-age"] == "86400")
        #expect(preflight["access-control-allow-credentials"] == "true")
        #expect(backends.origins[0].requests.isEmpty)
        let preview = "https://pr-12.preview.example.com"
        let answer = try get(server, "/items/7", headers: [("Origin", preview)])
        #expect(answer["access-control-allow-origin"] == preview && answer["x-backend"] == "v1")
        #expect(answer["access-control-expose-headers"] == "x-total-count")
        let stranger = try get(server, "/items/7", headers: [("Origin", "https://pr-12xpreview.example.com")])
        #expect(stranger["access-control-allow-origin"] == nil && stranger["x-backend"] == "v1")
    }

    @Test func reportsHaveATimeLimitAndPaymentsOneTry() throws {
        let origin = try OriginServer { request, socket in
            // A report is never answered.
            if request.target.hasPrefix("/reports/") { return true }
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let dead = try TestPort.free()
        let server = try Example.server("timeouts-and-retries.yaml", ports: [origin.port, dead]) {
            $0.replacingOccurrences(of: "timeout: 2s", with: "timeout: 30ms")
        }
        let late = try get(server, "/reports/1")
        #expect(late.status == 504 && late.text == "upstream request timeout")
        // One of the two endpoints refuses connections: others are tried again, payments are not. That six picks, twice, find the
        // dead one alone happens once in eight thousand requests.
        let others = try (0..<40).map { _ in try get(server, "/").status }
        #expect(others.count { $0 == 200 } >= 38)
        let payments = try (0..<40).map { _ in try get(server, "/payments/1").status }
        #expect(payments.contains(503))
    }

    @Test func slowTriesGoElsewhereAndOrdersArePlacedOnce() throws {
        let hanging = try OriginServer { _, _ in true }
        let good = try OriginServer(name: "good")
        let failing = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        defer { for origin in [hanging, good, failing] { origin.stop() } }
        let slow = try Example.server("retries.yaml", ports: [hanging.port, good.port]) {
            $0.replacingOccurrences(of: "perTryTimeout: 1s", with: "perTryTimeout: 30ms")
        }
        let searches = try (0..<20).map { _ in try get(slow, "/search?q=shoes")["x-backend"] }
        #expect(searches.allSatisfy { $0 == "good" } && !hanging.requests.isEmpty)
        let broken = try Example.server("retries.yaml", ports: [failing.port, failing.port])
        #expect(try get(broken, "/orders").status == 503)
        #expect(failing.requests.count == 3)
        #expect(try get(broken, "/orders", method: "POST").status == 503)
        #expect(failing.requests.count == 4)
    }

    @Test func everyUserStaysAtOneEndpoint() throws {
        let backends = try Backends(3)
        let server = try Example.server("sticky-users.yaml", backends)
        let first = try get(server, "/")
        let cookie = try #require(first["set-cookie"])
        #expect(cookie.hasPrefix("shop-session=") && cookie.contains("Max-Age=3600") && cookie.contains("Path=/"))
        let jar = [("Cookie", String(cookie.prefix { $0 != ";" }))]
        #expect(try server.tally(30, headers: jar) == [try #require(first["x-backend"]): 30])
        var chosen: Set<String> = []
        for user in 0..<60 {
            let counts = try server.tally(3, "/api/", headers: [("x-user-id", "user-\(user)")])
            #expect(counts.count == 1, "\(counts)")
            chosen.formUnion(counts.keys)
        }
        #expect(chosen == ["v1", "v2", "v3"])
    }

    @Test func teamsServeTheirPartsOfAHost() throws {
        let backends = try Backends(3)
        let server = try Example.server("delegates.yaml", backends)
        let host = "shop.example.com"
        #expect(try server.tally(3, "/catalogue/new", host: host) == ["v2": 3])
        #expect(try server.tally(3, "/catalogue/shoes", host: host) == ["v1": 3])
        #expect(try server.tally(3, "/checkout/pay", host: host) == ["v3": 3])
        #expect(try server.tally(1, "/other", host: host) == ["404": 1])
    }

    @Test func requestsAreChosenByAllTheyAreMadeOf() throws {
        let backends = try Backends(3)
        let server = try Example.server("matches.yaml", backends)
        #expect(try get(server, "/orders", method: "POST")["x-backend"] == "v1")
        #expect(try server.tally(1, "/ORDERS/7?preview=yes") == ["v2": 1])
        #expect(try server.tally(1, "/ORDERS/7?preview=yes", headers: [("x-no-preview", "")]) == ["v3": 1])
        #expect(try server.tally(1, "/", headers: [("user-agent", "Mozilla/5.0 (iPhone)")]) == ["v2": 1])
        #expect(try server.tally(1, "/orders/7") == ["v3": 1])
    }

    @Test func aNameIsResolved() throws {
        let backends = try Backends(1)
        let server = try Example.server("names.yaml", backends)
        try eventually("localhost is resolved") { try server.tally(1) == ["v1": 1] }
        #expect(backends.origins[0].requests.last?["host"] == "partner.example.com")
    }

    @Test func servicesCallEachOtherByName() throws {
        let backends = try Backends(3)
        var port = 0
        let server = try Example.server(
            "service-names.yaml", ports: backends.ports,
            configure: { options in
                port = (try? TestPort.free()) ?? 0
                options.binding.meshListen = HostPort(host: "127.0.0.1", port: port)
            })
        var client = try TestClient(port: port)
        var counts: [String: Int] = [:]
        for _ in 0..<400 {
            let answer = try client.request("GET", "/reviews/0", host: "reviews")
            counts[answer["x-backend"] ?? "\(answer.status)", default: 0] += 1
        }
        #expect(isWithinFiveSigma(counts["v2"], of: 400, share: 0.25) && counts.count == 2, "\(counts)")
        let whole = "reviews.default.svc.cluster.local:9080"
        let jason = try client.request("GET", "/", host: whole, headers: [("end-user", "jason")])
        #expect(jason["x-backend"] == "v2")
        #expect(try client.request("GET", "/ratings/0", host: "ratings")["x-backend"] == "v3")
        withExtendedLifetime(server) {}
    }
}
