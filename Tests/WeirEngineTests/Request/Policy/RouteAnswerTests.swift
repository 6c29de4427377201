import Testing
import WeirTestSupport

@testable import WeirEngine

/// Redirects, direct responses and hosts that redirect to https.
@Suite struct RouteAnswerTests {
    private typealias Redirect = RouteAnswer.Redirect

    private func location(
        _ redirect: RouteAnswer.Redirect, _ target: String, host: String = "example.com"
    ) throws -> String {
        let gateway = try ActionGateway([.doing(RouteActions(answer: .redirect(redirect)))])
        let answer = try gateway.ask("GET", target, host: host)
        #expect(answer.status == redirect.status && answer.body == [] && answer["content-length"] == "0")
        return answer["location"] ?? "none"
    }

    @Test func whatARedirectLeavesOpenIsAsInTheRequest() throws {
        #expect(try location(Redirect(path: .whole("/new")), "/old?a=b") == "http://example.com/new?a=b")
        #expect(try location(Redirect(path: .whole("/new?c")), "/old?a=b") == "http://example.com/new?c")
        #expect(try location(Redirect(path: .whole("rel/x")), "/old?a") == "http://example.com/rel/x?a")
        #expect(try location(Redirect(path: .whole("?x=1")), "/old?a") == "http://example.com/?x=1")
        #expect(
            try location(Redirect(status: 302, path: .prefix(length: 2, "/n")), "/a/b?q") == "http://example.com/n/b?q")
        #expect(
            try location(Redirect(authority: "w.org:81"), "/k?x=1", host: "example.com:9") == "http://w.org:81/k?x=1")
    }

    @Test(
        arguments: [
            ("example.com", nil, 8443, "http://example.com:8443/"),
            ("example.com:80", nil, 0, "http://example.com:80/"),
            ("example.com:80", "https", 0, "https://example.com/"),
            ("example.com:80", "http", 0, "http://example.com:80/"),
            ("example.com:443", "https", 0, "https://example.com:443/"),
            ("example.com:8080", "https", 0, "https://example.com:8080/"),
            ("example.com:99", nil, 8443, "http://example.com:8443/"),
            ("example.com:80", "https", 444, "https://example.com:444/"),
        ] as [(String, String?, Int, String)])
    func portsFollowTheSchemeAndTheHost(_ host: String, _ scheme: String?, _ port: Int, _ expected: String) throws {
        #expect(try location(Redirect(scheme: scheme, port: port), "/", host: host) == expected)
    }

    @Test func aDirectResponseSaysWhatWasWritten() throws {
        let edits = try HeaderEdits(set: [
            "x-made": "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%", "content-type": "text/html",
        ])
        func direct(_ path: String, _ status: Int, _ body: String, _ edits: HeaderEdits = HeaderEdits()) -> RouteSpec {
            .doing(
                .exact(path),
                RouteActions(answer: .direct(status: status, body: Array(body.utf8)), responseEdits: edits))
        }
        let gateway = try ActionGateway([
            direct("/teapot", 418, "short and stout"), direct("/empty", 503, "", edits),
            direct("/html", 200, "<p>", edits),
            direct("/made", 201, ""), direct("/204", 204, "no"), direct("/304", 304, "no"),
            direct("/large", 200, String(repeating: "x", count: 300_000)),
        ])
        let teapot = try gateway.ask("GET", "/teapot")
        #expect(teapot.status == 418 && teapot.text == "short and stout" && teapot["content-type"] == "text/plain")
        #expect(teapot["content-length"] == "15" && teapot["server"] == "weir" && teapot["date"] != nil)
        #expect(teapot["x-envoy-upstream-service-time"] == nil)
        let head = try gateway.ask("HEAD", "/teapot")
        #expect(head.status == 418 && head["content-length"] == "15")
        let empty = try gateway.ask("GET", "/empty")
        // Where there is nothing, it has no type.
        #expect(empty.status == 503 && empty.body == [] && empty["content-type"] == nil)
        #expect(empty["x-made"] == "0 direct_response")
        let html = try gateway.ask("GET", "/html")
        #expect(html.all("content-type") == ["text/html"] && html.text == "<p>")
        #expect(try gateway.ask("GET", "/made?q")["location"] == "http://example.com/made?q")
        for path in ["/204", "/304"] {
            let bare = try gateway.ask("GET", path)
            #expect(bare.status == Int(path.dropFirst()) && bare["content-length"] == nil)
        }
    }

    @Test func manyAnswersGoOverOneConnection() throws {
        let body = Array(repeating: UInt8(ascii: "x"), count: 100_000)
        let gateway = try ActionGateway([
            .doing(.prefix("/d"), RouteActions(answer: .direct(status: 200, body: body))),
            .doing(.prefix("/204"), RouteActions(answer: .direct(status: 204, body: body))), .doing(nil),
        ])
        var client = try gateway.gateway.client()
        for target in ["/d", "/204", "/", "/204", "/d", "/"] {
            try client.socket.send("GET \(target) HTTP/1.1\r\nHost: example.com\r\n\r\n")
            let answer = try client.response()
            #expect(answer.status == (target == "/204" ? 204 : 200) && (target != "/d" || answer.body == body))
        }
    }

    @Test func headerOperationsReachEveryAnswerOfAChosenRoute() throws {
        let edits = try HeaderEdits(set: ["x-made": "%RESPONSE_FLAGS% %REQ(:PATH)% %REQ(x-a)%"])
        let rewrite = RouteRewrite(path: .whole("/rw"))
        let actions = RouteActions(
            rewrite: rewrite, requestEdits: try HeaderEdits(set: ["x-a": "1"]), responseEdits: edits)
        let gateway = try ActionGateway([
            .doing(.prefix("/nc"), to: [-1], actions), .doing(.prefix("/uh"), to: [1], actions),
            .doing(.prefix("/re"), RouteActions(answer: .redirect(Redirect(path: .whole("/x"))), responseEdits: edits)),
        ])
        // Without a cluster nothing is changed on the way there; without an endpoint it was.
        #expect(try gateway.ask("GET", "/nc")["x-made"] == "NC /nc ")
        let unhealthy = try gateway.ask("GET", "/uh")
        #expect(unhealthy["x-made"] == "UH /rw 1" && unhealthy.text == "no healthy upstream")
        #expect(try gateway.ask("GET", "/re")["x-made"] == "- /re ")
        #expect(try gateway.ask("GET", "/none")["x-made"] == nil)
    }

    @Test func aClientOfGRPCIsToldInItsOwnTerms() throws {
        let edits = try HeaderEdits(set: ["content-type": "a/b", "grpc-status": "0", "x-made": "it"])
        let gone = Array("gone".utf8)
        let long = Array(repeating: UInt8(ascii: "x"), count: LocalReply.maxMessageBytes + 1)
        let gateway = try ActionGateway([
            .doing(.prefix("/d"), RouteActions(answer: .direct(status: 404, body: gone), responseEdits: edits)),
            .doing(.prefix("/long"), RouteActions(answer: .direct(status: 429, body: long))),
            .doing(RouteActions(answer: .redirect(Redirect(path: .whole("/x"))))),
        ])
        let asks = [("content-type", "application/grpc"), ("content-length", "0")]
        let direct = try gateway.ask("POST", "/d", asks)
        #expect(direct.status == 200 && direct.all("content-type") == ["application/grpc"] && direct.body == [])
        #expect(direct.all("grpc-status") == ["12"] && direct["grpc-message"] == "gone" && direct["x-made"] == "it")
        let bodyless = try gateway.ask("HEAD", "/d", asks)
        #expect(bodyless["grpc-status"] == "12" && bodyless["grpc-message"] == nil, "it stands for a body")
        let message = try gateway.ask("POST", "/long", asks)
        #expect(message["grpc-status"] == "14" && message["grpc-message"]?.count == LocalReply.maxMessageBytes)
        let redirect = try gateway.ask("POST", "/", asks)
        #expect(redirect.status == 200 && redirect["grpc-status"] == "2")
        #expect(redirect["location"] == "http://example.com/x")
    }

    // MARK: https

    @Test func aHostThatRedirectsToHTTPSServesNothingElse() throws {
        let gateway = try ActionGateway([.doing(nil)], redirectsToHTTPS: true)
        for (host, target) in [("example.com", "/a?b"), ("example.com:80", "/"), ("Example.COM:8080", "//x")] {
            for method in ["GET", "POST"] {
                let answer = try gateway.ask(
                    method, target, host: host, [("x-forwarded-proto", "https"), ("content-length", "0")])
                #expect(answer.status == 301 && answer["location"] == "https://\(host)\(target)")
            }
        }
        let empty = try ActionGateway([], redirectsToHTTPS: true)
        #expect(try empty.ask().status == 301)
    }

    @Test func challengesAreServedWhereARouteNamesTheirPath() throws {
        let path = "/.well-known/acme-challenge/"
        let solver = RouteSpec.doing(.prefix(path), nil)
        let named = try ActionGateway([solver, .doing(nil)], redirectsToHTTPS: true)
        #expect(try named.ask("GET", path + "token").status == 200)
        #expect(try named.ask("GET", "/.well-known/other").status == 301)
        #expect(try named.ask("GET", "/").status == 301)
        // A route for everything names nothing.
        let plain = try ActionGateway([.doing(.prefix("/"), nil)], redirectsToHTTPS: true)
        #expect(try plain.ask("GET", path + "token").status == 301)
        let regex = try RegexSet(pattern: "/\\.well-known/acme-challenge/.*|/open", workers: 1)
        let pattern = try ActionGateway([.doing(.regex(regex), nil)], redirectsToHTTPS: true)
        #expect(try pattern.ask("GET", path + "token").status == 200)
        #expect(try pattern.ask("GET", "/open").status == 301)
    }
}
