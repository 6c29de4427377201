import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// One hop of HTTP/1.1 with real sockets: messages in both directions.
@Suite struct ProxyingTests {
    @Test func oneConnectionCarriesManyRequestsBothWays() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        for index in 0..<30 {
            let answer = try client.request("GET", "/\(index)?q=1")
            #expect(answer.status == 200 && answer.text == "/\(index)?q=1" && answer["x-backend"] == "a")
        }
        #expect(origin.acceptedConnections == 1)
        #expect(origin.requests.count == 30)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let slow = try OriginServer { request, socket in
            if request.target == "/0" { usleep(100_000) }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(request.target.utf8.count)\r\n\r\n\(request.target)")
            return true
        }
        defer { slow.stop() }
        let gateway = try GatewayFixture(origins: [slow.port])
        var client = try gateway.client()
        let requests = (0..<200).map { "POST /\($0) HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc" }
        try client.socket.send(requests.joined())
        for index in 0..<200 { #expect(try client.response().text == "/\(index)") }
    }

    @Test(arguments: [0, 1, 100, 16 * 1024, 3_000_000])
    func bodiesOfAnySizeArriveUnchanged(size: Int) throws {
        let origin = try OriginServer { request, socket in
            let body = request.body
            if request.target == "/chunked" {
                try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for start in stride(from: 0, to: body.count, by: 70_000) {
                    let piece = body[start..<min(start + 70_000, body.count)]
                    try socket.send(Array("\(String(piece.count, radix: 16));x=y\r\n".utf8) + piece + [13, 10])
                }
                try socket.send("0\r\nX-Trailer: dropped\r\n\r\n")
            } else {
                try socket.send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
            }
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        var client = try gateway.client()
        let fixed = try client.request("POST", "/fixed", body: body)
        let isSame = fixed.body == body
        #expect(isSame && fixed["content-length"] == "\(size)" && fixed["transfer-encoding"] == nil)
        try client.socket.send("POST /chunked HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in stride(from: 0, to: size, by: 9_000) {
            let piece = body[start..<min(start + 9_000, size)]
            try client.socket.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
        }
        try client.socket.send("0\r\n\r\n")
        let chunked = try client.response()
        let isSameAgain = chunked.body == body && !chunked.isTruncated
        #expect(isSameAgain && chunked["content-length"] == nil && chunked["x-trailer"] == nil)
        let kinds = origin.requests.map { $0["transfer-encoding"] ?? "fixed" }
        #expect(kinds == ["fixed", "chunked"])
    }

    @Test func answersWithoutABodyKeepTheConnectionInStep() throws {
        let origin = try OriginServer { request, socket in
            switch request.target {
            case "/204": try socket.send("HTTP/1.1 204 No Content\r\n\r\n")
            case "/304": try socket.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n")
            case "/head": try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            case "/hints":
                try socket.send(
                    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            default: try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        #expect(try client.request("GET", "/204").status == 204)
        let unchanged = try client.request("GET", "/304")
        #expect(unchanged.status == 304 && unchanged["etag"] == "\"x\"")
        let head = try client.request("HEAD", "/head")
        #expect(head.status == 200 && head["content-length"] == "1234")
        #expect(try client.request("GET", "/hints").status == 103)
        #expect(try client.response().text == "ok")
        #expect(try client.request("GET", "/last").text == "ok")
        #expect(origin.acceptedConnections == 1)
    }

    @Test func aContinueOfTheUpstreamReachesTheClientBeforeTheBodyGoesUp() throws {
        let origin = try OriginServer(raw: { reader, socket in
            let head = try reader.nextHead()
            guard head?["expect"] == "100-continue" else { return }
            try socket.send("HTTP/1.1 100 Continue\r\n\r\n")
            var body: [UInt8] = []
            while body.count < 5 { body += try reader.someBytes() }
            try socket.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8) + body)
        })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(
            "POST / HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        // The body is sent only once the interim answer is here.
        #expect(try client.response().status == 100)
        try client.socket.send("hello")
        #expect(try client.response().text == "hello")
    }

    @Test func anAnswerThatEndsWithTheConnectionIsSentChunked() throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\n\r\nuntil close")
            return false
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        for _ in 0..<3 {
            let answer = try client.request()
            #expect(answer.text == "until close" && answer["transfer-encoding"] == "chunked")
        }
    }

    @Test(arguments: ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
    func aBodyCutShortByTheUpstreamIsNeverCompleted(rest: String) throws {
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\n" + rest)
            return false
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        let answer = try client.request()
        #expect(answer.status == 200 && answer.isTruncated)
        #expect(try client.hasEnded())
    }

    @Test func upstreamFailuresBecomeIstiosAnswers() throws {
        let origin = try OriginServer { request, socket in
            switch request.target {
            case "/garbage": try socket.send("nonsense\r\n\r\n")
            case "/reset": socket.resetOnClose()
            default: break
            }
            return false
        }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        let prefix = "upstream connect error or disconnect/reset before headers. reset reason: "
        #expect(try client.request("GET", "/garbage").status == 502)
        let closed = try client.request("GET", "/close")
        #expect(closed.status == 503 && closed.text == prefix + "connection termination")
        #expect(try client.request("GET", "/reset").status == 503)
        origin.stop()
        try eventually("the origin's port is closed") { (try? TestSocket(port: origin.port)) == nil }
        let refused = try client.request("GET", "/")
        #expect(refused.status == 503 && refused.text == prefix + "remote connection failure")
        // One client connection has lived through all of it.
        #expect(try gateway.stats().acceptedConnections == 1)
    }

    @Test func whatNoRouteTakesIsAnsweredAsIstioDoes() throws {
        let gateway = try GatewayFixture(origins: [])
        var client = try gateway.client()
        let unknown = try client.request("GET", "/", host: "other.com")
        #expect(unknown.status == 404 && unknown.body.isEmpty && unknown["content-length"] == "0")
        let missing = try client.request("GET", "/missing-cluster")
        #expect(missing.status == 503 && missing.body.isEmpty)
        let empty = try client.request("GET", "/x")
        #expect(empty.status == 503 && empty.text == "no healthy upstream" && empty["server"] == "weir")
        let head = try client.request("HEAD", "/x")
        #expect(head.status == 503 && head.body.isEmpty)
        // A request with a body that nobody wants leaves the connection usable.
        #expect(
            try client.request("POST", "/", host: "other.com", body: Array(repeating: 1, count: 5000)).status == 404)
        #expect(try client.request("GET", "/x").status == 503)
    }

    @Test func theHeadersOfTheHopAreTheGatewaysOwn() throws {
        let origin = try OriginServer { request, socket in
            try socket.send(
                "HTTP/1.1 200 OK\r\nServer: secret/1.0\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n"
                    + "X-Envoy-Upstream-Service-Time: 99999\r\nX-Kept: yes\r\nContent-Length: 0\r\n\r\n")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        let answer = try client.request(
            headers: [
                ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8"), ("X-Forwarded-Proto", "https"),
                ("X-Request-Id", "mine"), ("X-Envoy-Internal", "true"), ("X-Envoy-Retry-On", "5xx"),
                ("X-Envoy-Custom", "kept"), ("X-Forwarded-Client-Cert", "forged"),
                ("Connection", "X-Private, close-not"),
                ("X-Private", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "x"), ("TE", "trailers, gzip"),
                ("X-Twice", "a"), ("X-Twice", "b"),
            ])
        #expect(answer["server"] == "weir" && answer["x-hop"] == nil && answer["keep-alive"] == nil)
        #expect(answer["x-kept"] == "yes" && answer["date"] != nil)
        #expect(answer.all("x-envoy-upstream-service-time").count == 1)
        #expect((answer["x-envoy-upstream-service-time"].flatMap { Int($0) } ?? 99999) < 5000)
        let seen = try #require(origin.requests.first)
        #expect(seen.all("x-forwarded-for") == ["1.2.3.4,5.6.7.8,127.0.0.1"])
        #expect(seen["x-forwarded-proto"] == "http" && seen["x-envoy-external-address"] == "127.0.0.1")
        let id = try #require(seen["x-request-id"])
        #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        for gone in ["x-envoy-internal", "x-envoy-retry-on", "x-forwarded-client-cert", "x-private", "keep-alive"] {
            #expect(seen[gone] == nil, "\(gone) was forwarded")
        }
        #expect(seen["proxy-connection"] == nil && seen["connection"] == nil && seen["te"] == "trailers")
        #expect(seen["x-envoy-custom"] == "kept" && seen["x-envoy-attempt-count"] == "1")
        #expect(seen.all("x-twice") == ["a", "b"] && seen["host"] == "example.com")
    }
}
