import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 request heads that are served")
struct H1ParserRequestTests {
    @Test("A plain request gives its parts")
    func plainRequest() throws {
        let bytes = "GET /a/b?x=1&y=/?:@ HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-One: 1\r\n\r\nrest"
        guard case .accepted(let head, let consumed) = request(bytes) else {
            Issue.record("refused")
            return
        }
        #expect(consumed == bytes.utf8.count - 4)
        #expect(head.method == .get)
        #expect(head.methodText == "GET")
        #expect(head.target == "/a/b?x=1&y=/?:@")
        #expect(head.path == "/a/b")
        #expect(head.query == "x=1&y=/?:@")
        #expect(head.authority == "Shop.Example:8080")
        #expect(head.host == "Shop.Example")
        #expect(head.framing == .none)
        #expect(head.keepAlive)
        #expect(head.lines == [Line("host", "Shop.Example:8080"), Line("x-one", "1")])
    }

    @Test("Names are folded, values trimmed, empty ones kept, and any token is a name")
    func fields() {
        let head = accepted(
            "GET / HTTP/1.1\r\nHOST:h\r\nX-Pad: \t v  w \t\r\nX-Empty:\r\nX-Blank: \t \r\nX-Obs: caf\u{e9}\r\n"
                + "aZ!#$%&'*+-.^_`|~9: t\r\n\r\n")
        #expect(
            head?.lines == [
                Line("host", "h"), Line("x-pad", "v  w"), Line("x-empty", ""), Line("x-blank", ""),
                Line("x-obs", "caf\u{e9}"), Line("az!#$%&'*+-.^_`|~9", "t"),
            ])
    }

    @Test("Values of every length keep tabs, from short to several words", arguments: 0...40)
    func valueLengths(length: Int) {
        let value = String(repeating: "v", count: length / 2) + (length > 1 ? "\tw" : "")
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\nx: \(value)\r\n\r\n")?.lines.last == Line("x", value))
    }

    @Test(
        "The body's length is what the framing fields say",
        arguments: [
            ("", BodyFraming.none), ("Content-Length: 11\r\n", .length(11)), ("Content-Length: 0\r\n", .length(0)),
            ("content-length:0011 \r\n", .length(11)), ("Transfer-Encoding: chunked\r\n", .chunked),
            ("Transfer-Encoding:CHUNKED\r\n", .chunked),
            ("Content-Length: 999999999999999999\r\n", .length(999_999_999_999_999_999)),
        ])
    func framing(line: String, expected: BodyFraming) {
        #expect(accepted("POST / HTTP/1.1\r\nHost: h\r\n\(line)\r\n")?.framing == expected)
        // A method decides nothing about it (RFC 9110 section 9.3.1).
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\n\(line)\r\n")?.framing == expected)
    }

    @Test("Empty lines in front of a request are skipped, up to a few")
    func leadingEmptyLines() {
        let plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        for count in 0...H1Limits.maxLeadingEmptyLines {
            let lead = String(repeating: "\r\n", count: count)
            #expect(accepted(lead + plain)?.target == "/")
        }
        let tooMany = String(repeating: "\r\n", count: H1Limits.maxLeadingEmptyLines + 1)
        #expect(request(tooMany + plain) == .refused(.malformed))
        #expect(request(tooMany) == .refused(.malformed))
    }

    @Test("An absolute-form target brings its own authority, and becomes origin form")
    func absoluteForm() {
        for (target, authority, origin) in [
            ("http://real:81/abs?x=1", "real:81", "/abs?x=1"), ("HTTP://real", "real", "/"),
            ("http://real?q", "real", "/?q"), ("http://real/../a#f", "real", "/a"), ("http://real#f", "real", "/"),
            ("http://[::1]:80/", "[::1]:80", "/"),
        ] {
            let head = accepted("GET \(target) HTTP/1.1\r\nHost: other\r\nX: y\r\n\r\n")
            #expect(head?.authority == authority, "\(target)")
            #expect(head?.target == origin, "\(target)")
            #expect(head?.lines == [Line("host", authority), Line("x", "y")])
        }
        #expect(request("GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n") == .refused(.schemeMismatch))
        #expect(accepted("GET https://h/s HTTP/1.1\r\nHost: h\r\n\r\n", scheme: .https)?.target == "/s")
        #expect(accepted("GET http://h/s?q HTTP/1.1\r\nHost: h\r\n\r\n", scheme: .https)?.query == "q")
    }

    @Test("Paths are normalised before anybody sees them")
    func normalisation() {
        let head = accepted("GET /a/%2e./\\%61?%2e/.. HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head?.path == "//a")
        #expect(head?.query == "%2e/..")
        #expect(request("GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n") == .refused(.badPath))
        #expect(accepted("GET /a?%00 HTTP/1.1\r\nHost: h\r\n\r\n")?.target == "/a?%00")
    }

    @Test(
        "Known methods are served, others are not",
        arguments: [
            ("GET", MethodToken.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
            ("OPTIONS", .options), ("PATCH", .patch), ("TRACE", .trace), ("PURGE", .other), ("M-SEARCH", .other),
            ("UNSUBSCRIBE", .other), ("BREW", nil), ("get", nil), ("Get", nil), ("PRI", nil), ("G@T", nil), ("", nil),
            ("GETT", nil), ("UNSUBSCRIBED", nil),
        ])
    func methods(name: String, token: MethodToken?) {
        let outcome = request("\(name) / HTTP/1.1\r\nHost: h\r\n\r\n")
        if let token {
            guard case .accepted(let head, _) = outcome else {
                Issue.record("\(name) was refused")
                return
            }
            #expect(head.method == token)
            #expect(head.methodText == name)
        } else {
            #expect(outcome == .refused(.malformed))
        }
    }

    @Test("Expectations, upgrades and gRPC are recognised")
    func flags() {
        func head(_ lines: String, method: String = "POST") -> ParsedRequest? {
            accepted("\(method) / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n")
        }
        let asking = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        #expect(head("")?.expectsContinue == false)
        #expect(head("Expect: 100-Continue\r\n")?.expectsContinue == true)
        #expect(head("Expect: 100-continue\r\n")?.lines.contains(Line("expect", "100-continue")) == true)
        #expect(head(asking, method: "GET")?.wantsUpgrade == true)
        #expect(head(asking)?.wantsUpgrade == false)
        #expect(head("Content-Length: 1\r\n" + asking, method: "GET")?.wantsUpgrade == false)
        #expect(head("Upgrade: websocket\r\n", method: "GET")?.wantsUpgrade == false)
        #expect(head("Connection: upgrade\r\n")?.wantsUpgrade == false)
        #expect(head("Upgrade: h2c\r\nConnection: upgrade\r\n")?.wantsUpgrade == false)
        for (type, expected) in [
            ("application/grpc", true), ("application/grpc+proto", true), ("Application/GRPC", true),
            ("application/grpc-web", false), ("application/json", false), ("", false),
        ] {
            #expect(head("Content-Type: \(type)\r\n")?.isGRPC == expected, "\(type)")
        }
    }

    @Test(
        "The connection is kept unless a peer says close",
        arguments: [
            ("keep-alive", true), ("close", false), ("Close", false), ("x, close ,y", false), (",,", true), ("", true),
        ]
    )
    func keepAlive(value: String, kept: Bool) {
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(value)\r\n\r\n")?.keepAlive == kept)
    }

    @Test("What concerns one hop stays on it")
    func hopByHop() {
        let head = accepted(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop, x-other\r\nX-Hop: 1\r\nX-HOP: 2\r\n"
                + "X-Other: 3\r\n"
                + "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
                + "TE: gzip;q=0.5, Trailers\r\nTrailer: x-sum\r\nX-Hops: kept\r\n\r\n")
        #expect(
            head?.lines == [
                Line("host", "h"), Line("te", "trailers"), Line("trailer", "x-sum"), Line("x-hops", "kept"),
            ])
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\nTE: gzip\r\n\r\n")?.lines == [Line("host", "h")])
    }

    @Test("A client cannot have end-to-end fields removed that Weir lives by")
    func protectedFields() {
        let names = "Host, Content-Length, Cookie, X-Forwarded-For, X-Request-Id, Transfer-Encoding"
        let head = accepted(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: \(names)\r\nContent-Length: 3\r\nCookie: a=b\r\n"
                + "X-Forwarded-For: 1.2.3.4\r\n\r\n")
        #expect(head?.framing == .length(3))
        #expect(
            head?.lines == [
                Line("host", "h"), Line("content-length", "3"), Line("cookie", "a=b"),
                Line("x-forwarded-for", "1.2.3.4"),
            ])
        let chunked = accepted(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(chunked?.framing == .chunked)
    }
}
