import Testing
import WeirTestSupport

/// What rules do besides sending requests on, as resources state it, through the whole program.
@Suite struct ActionTests {
    /// Answers with the head it was sent.
    private static func origin() throws -> OriginServer {
        try OriginServer { request, socket in
            let lines = [request.startLine] + request.headers.map { "\($0.name): \($0.value)" }.sorted()
            let body = lines.joined(separator: "\n")
            try socket.send("HTTP/1.1 200 OK\r\nX-Up: 1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            return true
        }
    }

    private static let rules = """
        - match: [{uri: {prefix: /moved}}]
          redirect: {scheme: https, authority: new.example.com, port: 8443, prefixRewrite: /here, redirectCode: 308}
        - match: [{uri: {exact: /port}}]
          redirect: {uri: /x, scheme: https, derivePort: FROM_REQUEST_PORT}
        - match: [{uri: {exact: /said}}]
          directResponse: {status: 418, body: {string: teapot}}
          headers: {response: {set: {x-kind: pot}}}
        - match: [{uri: {exact: /bytes}}]
          directResponse: {status: 200, body: {bytes: AAEC}}
          headers: {response: {set: {content-type: application/octet-stream}}}
        - match: [{uri: {prefix: /api/}}]
          name: api
          rewrite: {uri: /, authority: inner.example.com}
          headers:
            request: {set: {x-from: "%REQ(:AUTHORITY)% %ROUTE_NAME% 100%%"}, remove: [x-secret]}
            response: {add: {x-code: "%RESPONSE_CODE%"}, remove: [x-up]}
          route: [{destination: {host: shop}, headers: {request: {set: {x-to: shop}}}}]
        - match: [{uri: {prefix: /items}}]
          rewrite: {uriRegexRewrite: {match: "^/items/([0-9]+)", rewrite: '/item\\1'}}
          route: [{destination: {host: shop}}]
        - match: [{uri: {prefix: /cors}}]
          corsPolicy: {allowOrigins: [{regex: "https://.*[.]example[.]com"}], allowMethods: [GET], maxAge: 1h}
          route: [{destination: {host: shop}}]
        """

    private static func gateway() -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: entry}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: [open.example.com]
          - port: {number: 80, name: http-2, protocol: HTTP}
            hosts: [secure.example.com]
            tls: {httpsRedirect: true}

        """
    }

    private func server(_ origin: OriginServer) throws -> RunningServer {
        try RunningServer.live([
            Self.gateway(), Documents.virtualService("open", hosts: ["open.example.com"], http: Self.rules),
            Documents.virtualService(
                "secure", hosts: ["secure.example.com"],
                http: """
                    - match: [{uri: {prefix: /.well-known/acme-challenge/}}]
                      route: [{destination: {host: shop}}]
                    - route: [{destination: {host: shop}}]
                    """),
            Documents.serviceEntry("shop", ports: [origin.port]),
        ])
    }

    private func ask(
        _ server: RunningServer, _ target: String, method: String = "GET", host: String = "open.example.com",
        _ headers: [(String, String)] = []
    ) throws -> TestMessage {
        var client = try server.client()
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        try client.socket.send("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n")
        return try client.response()
    }

    @Test func rulesAnswerByThemselves() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try server(origin)
        #expect(try server.status().problems.isEmpty)
        let moved = try ask(server, "/moved/a?b")
        #expect(moved.status == 308 && moved["location"] == "https://new.example.com:8443/here/a?b")
        // The Gateway's port, whatever the local one is.
        #expect(try ask(server, "/port", host: "open.example.com:99")["location"] == "https://open.example.com:80/x")
        let said = try ask(server, "/said")
        #expect(said.status == 418 && said.text == "teapot" && said["content-type"] == "text/plain")
        #expect(said["x-kind"] == "pot" && said["server"] == "weir")
        let bytes = try ask(server, "/bytes")
        #expect(bytes.body == [0, 1, 2] && bytes.all("content-type") == ["application/octet-stream"])
        #expect(origin.requests.isEmpty)
    }

    @Test func requestsAndAnswersAreChangedOnTheirWay() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try server(origin)
        let answer = try ask(server, "/api/a?b=c", [("x-secret", "s"), ("x-from", "client")])
        #expect(answer.text.hasPrefix("GET /a?b=c HTTP/1.1\n"))
        for line in [
            "host: inner.example.com", "x-from: open.example.com api 100%", "x-to: shop",
            "x-envoy-original-path: /api/a?b=c", "x-envoy-original-host: open.example.com",
        ] {
            #expect(answer.text.contains("\n\(line)\n") || answer.text.hasSuffix("\n\(line)"), "\(line)")
        }
        #expect(!answer.text.contains("x-secret") && !answer.text.contains("client"))
        #expect(answer["x-code"] == "200" && answer["x-up"] == nil)
        #expect(try ask(server, "/items/12/x?q").text.hasPrefix("GET /item12/x?q HTTP/1.1\n"))
    }

    @Test func scriptsOfAllowedOriginsAreLetIn() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try server(origin)
        let asks = ("access-control-request-method", "GET")
        let told = try ask(server, "/cors", method: "OPTIONS", [("origin", "https://a.example.com"), asks])
        #expect(told.status == 200 && told["access-control-allow-origin"] == "https://a.example.com")
        #expect(told["access-control-allow-methods"] == "GET" && told["access-control-max-age"] == "3600")
        #expect(origin.requests.isEmpty)
        let read = try ask(server, "/cors", [("origin", "https://a.example.com")])
        #expect(read["access-control-allow-origin"] == "https://a.example.com" && read["x-up"] == "1")
        let other = try ask(server, "/cors", method: "OPTIONS", [("origin", "https://a.example.org"), asks])
        #expect(other["access-control-allow-origin"] == nil && other["x-up"] == "1")
    }

    @Test func aHostIsSentToHTTPSAndItsChallengesAreAnswered() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let server = try server(origin)
        let sent = try ask(server, "/a?b", host: "secure.example.com")
        #expect(sent.status == 301 && sent["location"] == "https://secure.example.com/a?b")
        #expect(try ask(server, "/.well-known/acme-challenge/t", host: "secure.example.com").status == 200)
        #expect(try ask(server, "/a", host: "open.example.com").status == 404)
    }

    @Test func anEditOfAnActionTakesEffectOnTheNextRequest() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let directory = try TemporaryDirectory()
        func write(_ value: String) throws {
            let rule = """
                - headers: {response: {set: {x-made: "\(value)"}}}
                  route: [{destination: {host: shop}}]
                """
            try directory.write(
                "all.yaml",
                [
                    Documents.gateway(), Documents.virtualService(http: rule),
                    Documents.serviceEntry("shop", ports: [origin.port]),
                ].asFile)
        }
        try write("1")
        let server = try RunningServer.live(directory)
        #expect(try server.get("/")["x-made"] == "1")
        try server.reload { try write("2") }
        #expect(try server.get("/")["x-made"] == "2")
        // With a value that cannot be made the last good edition stays.
        try write("%PROTOCOL")
        try eventually("the edition is refused") { try !server.status().problems.isEmpty }
        #expect(try server.get("/")["x-made"] == "2")
    }
}
