import Testing
import WeirTestSupport

@testable import WeirEngine

/// Clients of HTTP/1.0, where they are served; the endpoint never learns of it.
@Suite struct HTTP10Tests {
    private static func origin() throws -> OriginServer {
        try OriginServer { request, socket in
            switch request.target {
            case "/chunked":
                try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
            case "/cut":
                try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5\r\nha")
                return false
            case "/until-close":
                try socket.send("HTTP/1.1 200 OK\r\n\r\nhi")
                return false
            case "/interim":
                try socket.send(
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                        + "HTTP/1.1 404 Gone Fishing\r\nContent-Length: 2\r\n\r\nhi")
            default: try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            }
            return true
        }
    }

    @Test func anAnswerIsInHTTP10AndTheConnectionEndsUnlessAskedOtherwise() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.acceptsHTTP10 = true })
        var client = try gateway.client()
        for _ in 0..<3 {
            try client.socket.send(
                "POST /kept HTTP/1.0\r\nHost: example.com\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n"
                    + "Content-Length: 3\r\n\r\nabc")
            let answer = try client.response()
            #expect(answer.startLine == "HTTP/1.0 200 OK" && answer.text == "hi")
            #expect(answer.all("connection") == ["keep-alive"] && answer["content-length"] == "2")
        }
        try client.socket.send("GET /last HTTP/1.0\r\nHost: example.com\r\n\r\n")
        let last = try client.response()
        #expect(last.startLine == "HTTP/1.0 200 OK" && last.all("connection") == ["close"] && last.text == "hi")
        #expect(try client.hasEnded())
        #expect(origin.requests.allSatisfy { $0.startLine.hasSuffix(" HTTP/1.1") && $0["expect"] == nil })
        #expect(origin.requests.first?.text == "abc" && origin.acceptedConnections == 1)
        // A client of 1.1 is served as ever.
        var newer = try gateway.client()
        let answer = try newer.request("GET", "/chunked")
        #expect(answer.startLine == "HTTP/1.1 200 OK" && answer["transfer-encoding"] == "chunked")
        #expect(answer["connection"] == nil)
    }

    @Test(arguments: ["/chunked", "/until-close"])
    func aBodyOfUnknownLengthEndsWithTheConnection(target: String) throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.acceptsHTTP10 = true })
        var client = try gateway.client()
        try client.socket.send("GET \(target) HTTP/1.0\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n")
        let answer = try client.response()
        #expect(answer.startLine == "HTTP/1.0 200 OK" && answer.all("connection") == ["close"])
        #expect(answer["transfer-encoding"] == nil && answer["content-length"] == nil)
        #expect(answer.text == "hi")
        #expect(try client.hasEnded())
        // HEAD has no body to delimit.
        var second = try gateway.client()
        try second.socket.send("HEAD / HTTP/1.0\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n")
        let head = try second.response(bodyless: true)
        #expect(head["content-length"] == "2" && head["connection"] == "keep-alive")
    }

    @Test func aBodyThatIsCutOffDoesNotEndAsIfItWereWhole() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.acceptsHTTP10 = true })
        var client = try gateway.client()
        try client.socket.send("GET /cut HTTP/1.0\r\nHost: example.com\r\n\r\n")
        // A reset: reading fails instead of coming to an end.
        #expect(throws: TestSocketError.self) { try client.response() }
    }

    @Test func informationalAnswersStayBehind() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.acceptsHTTP10 = true })
        var client = try gateway.client()
        try client.socket.send("GET /interim HTTP/1.0\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n")
        let answer = try client.response()
        #expect(answer.startLine == "HTTP/1.0 404 Not Found" && answer.text == "hi" && answer["link"] == nil)
    }

    @Test func whatCannotBeServedIsRefusedAndTheConnectionEnds() throws {
        let origin = try Self.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], options: { $0.acceptsHTTP10 = true })
        for (head, status) in [
            ("GET / HTTP/1.0\r\n", 400), ("GET /\r\n", 426), ("GET / HTTP/0.9\r\nHost: example.com\r\n", 426),
            ("POST / HTTP/1.0\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n", 400),
            ("POST / HTTP/1.0\r\nHost: example.com\r\nTransfer-Encoding: gzip\r\n", 501),
            ("CONNECT example.com:80 HTTP/1.0\r\n", 404),
        ] {
            var client = try gateway.client()
            try client.socket.send(head + "\r\n")
            let answer = try client.response()
            #expect(answer.status == status && answer["connection"] == "close", "\(head)")
            #expect(try client.hasEnded())
        }
        #expect(origin.requests.isEmpty)
        // A target that names the host needs no Host.
        var client = try gateway.client()
        try client.socket.send("GET http://example.com/t HTTP/1.0\r\n\r\n")
        #expect(try client.response().text == "hi")
        #expect(origin.requests.first?.all("host") == ["example.com"] && origin.requests.first?.target == "/t")
        // Local answers take its form too.
        var lost = try gateway.client()
        try lost.socket.send("GET / HTTP/1.0\r\nHost: unknown.example\r\nConnection: keep-alive\r\n\r\n")
        let answer = try lost.response()
        #expect(answer.startLine == "HTTP/1.0 404 Not Found" && answer["connection"] == "keep-alive")
    }
}
