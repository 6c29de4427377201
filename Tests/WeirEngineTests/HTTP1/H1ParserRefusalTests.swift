import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 request heads that are refused")
struct H1ParserRefusalTests {
    private func refusal(_ lines: String, method: String = "POST") -> Outcome<ParsedRequest> {
        request("\(method) / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n")
    }

    @Test(
        "A length that can be read in two ways",
        arguments: [
            "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 0\r\nContent-Length: 9\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3, 3\r\n", "Content-Length: 3,4\r\n",
            "Content-Length:\r\n", "Content-Length:\r\nContent-Length: 4\r\n", "Content-Length: +3\r\n",
            "Content-Length: -3\r\n", "Content-Length: 0x3\r\n", "Content-Length: 3a\r\n", "Content-Length: 3 4\r\n",
            "Content-Length: 1_0\r\n", "Content-Length: 18446744073709551617\r\n",
            "Content-Length: 1000000000000000000\r\n", "Content-Length: \u{0b}3\r\n", "Content-Length: 3\u{a0}\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ])
    func ambiguousLength(lines: String) { #expect(refusal(lines) == .refused(.malformed)) }

    @Test(
        "A transfer coding other than exactly chunked",
        arguments: [
            "xchunked", "chunked, chunked", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked;q=1", "",
            ",chunked", "chunked,", "chunk", "\"chunked\"", "chunked chunked", "chunked\u{e9}",
        ])
    func transferCoding(value: String) {
        #expect(refusal("Transfer-Encoding: \(value)\r\n") == .refused(.unsupportedTransferCoding))
        #expect(refusal("Content-Length: 5\r\nTransfer-Encoding: \(value)\r\n") == .refused(.unsupportedTransferCoding))
    }

    @Test("A second coding on a line of its own")
    func secondCoding() {
        let both = "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"
        #expect(refusal(both) == .refused(.malformed))
        #expect(refusal("Transfer-Encoding: \u{0b}chunked\r\n") == .refused(.malformed))
        #expect(refusal("Transfer-Encoding:\r\n chunked\r\n") == .refused(.unsupportedTransferCoding))
    }

    @Test(
        "A field line out of shape",
        arguments: [
            "X-A : b\r\n", "X-A\t: b\r\n", "X-A b\r\n", ": v\r\n", "X A: b\r\n", "X\0A: b\r\n", "X(A): b\r\n",
            "X\u{85}: 5\r\n", "X-A\r\n", " X-A: b\r\n", "\tX-A: b\r\n", "X-A: b\r\n c\r\n", "X-A: b\r\n\tc\r\n",
            "X-A: b\0c\r\n", "X-A: b\rc\r\n", "X-A: b\nX-B: c\r\n", "X-A: b\u{01}\r\n", "X-A: b\u{7f}\r\n",
            "X-A: b\r\r\n", "X-A:\n\r\n", "\n", "\r", "\rX-A: b\r\n", "X: y\r\n Transfer-Encoding: chunked\r\n",
            "Content-Length : 3\r\n", "X-A: 0123456789abcdef\u{1f}\r\n", "X-A: 0123456\u{7f}\r\n",
        ])
    func fieldSyntax(lines: String) { #expect(refusal(lines) == .refused(.malformed)) }

    @Test(
        "A request line out of shape",
        arguments: [
            "GET  / HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ",
            "GET / HTTP/1.1 extra", "GET /a HTTP/1.1 /b HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/11",
            "GET / HTTP/1,1", "GET / HTTP/x.1", "GET / HTTX/1.1", " / HTTP/1.1", "GET plain HTTP/1.1", "GET * HTTP/1.1",
            "GET /a\0b HTTP/1.1", "GET /a\rb HTTP/1.1", "GET /a\u{7f} HTTP/1.1", "GET /caf\u{c3}\u{a9} HTTP/1.1",
            "GET ftp://h/ HTTP/1.1", "GET http:/h HTTP/1.1", "GET http:// HTTP/1.1", "GET http:///x HTTP/1.1",
            "GET http://u@h/ HTTP/1.1", "GET http://h:x/ HTTP/1.1", "GET http://h\\x HTTP/1.1", "GET ?q HTTP/1.1",
            "GET / HTTP/1.1\n", "GET / HTTP/1.1\r", "\rGET / HTTP/1.1", "\nGET / HTTP/1.1", "GET  HTTP/1.1", "GET",
            "GET /a\t HTTP/1.1",
        ])
    func requestLine(line: String) {
        #expect(request("\(line)\r\nHost: h\r\n\r\n") == .refused(.malformed))
    }

    @Test("A line feed alone ends nothing")
    func bareLineFeed() {
        #expect(request("GET / HTTP/1.1\nHost: h\n\n") == .refused(.malformed))
        #expect(request("GET / HTTP/1.1\r\nHost: h\n\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n") == .refused(.malformed))
        #expect(request("GET / HTTP/1.1\r\nHost: h\r\n\rZGET / HTTP/1.1\r\nHost: h\r\n\r\n") == .refused(.malformed))
    }

    @Test(
        "Versions before and after 1.1",
        arguments: [
            ("GET /\r\n", H1Error.versionTooLow), ("GET / HTTP/1.0\r\nHost: h\r\n\r\n", .versionTooLow),
            ("GET / HTTP/1.0\r\n\r\n", .versionTooLow), ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .versionTooLow),
            ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", .versionNotSupported),
            ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .versionNotSupported),
        ])
    func versions(bytes: String, error: H1Error) { #expect(request(bytes) == .refused(error)) }

    @Test("A Host that is missing, repeated or no host")
    func hosts() {
        #expect(request("GET / HTTP/1.1\r\nX: y\r\n\r\n") == .refused(.missingHost))
        #expect(request("GET http://h/ HTTP/1.1\r\n\r\n") == .refused(.missingHost))
        #expect(request("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n") == .refused(.malformed))
        for host in [
            "", "a b", "a/b", "a@b", "a,b", "a%41", "a:b", "a:99999", "a:123456", ":80", "a:1:2", "[::1", "[]",
            "[x]:80",
            "[::1]x", "[::1]:x", "[1]", "[.]", "[:]", "[:::]", "[1:2]", "[1.2.3.4]", "[::1.2.3]", "[::12345]",
            "[1:2:3:4:5:6:7:8:9]", "[::1%25eth0]", "[::1%eth0]", "[\(String(repeating: "0:", count: 40))0]", "[::1]]",
            "::1", "a\u{e9}", "a?b", "a#b", "<a>", "a\\b",
        ] {
            #expect(request("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == .refused(.malformed), "\(host)")
        }
        for host in [
            "a", "A.b-c_d~e", "1.2.3.4:80", "a:", "a:0", "a:65535", "[::1]", "[::1]:", "[::]", "[fe80::1.2.3.4]:8080",
            "[2001:DB8:0:0:0:0:0:1]:1", "a.",
        ] {
            #expect(accepted("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")?.authority == host, "\(host)")
        }
    }

    @Test("CONNECT and an asterisk have no route")
    func formsWithoutRoute() {
        #expect(request("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n") == .refused(.connectMethod))
        #expect(request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n") == .refused(.asteriskTarget))
    }

    @Test("Each refusal names its status")
    func statuses() {
        let expected: [(H1Error, Int)] = [
            (.malformed, 400), (.missingHost, 400), (.badPath, 400), (.schemeMismatch, 403), (.asteriskTarget, 404),
            (.connectMethod, 404), (.timedOut, 408), (.versionTooLow, 426), (.headTooLarge, 431),
            (.unsupportedTransferCoding, 501), (.versionNotSupported, 505),
        ]
        for (error, status) in expected { #expect(error.status == status) }
    }

    @Test("Heads beyond the limits on bytes and lines, and only those")
    func limits() {
        func lines(_ count: Int) -> String { (0..<count).map { "X-N\($0): \($0)\r\n" }.joined() }
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\n\(lines(99))\r\n")?.lines.count == 100)
        #expect(request("GET / HTTP/1.1\r\nHost: h\r\n\(lines(100))\r\n") == .refused(.headTooLarge))
        #expect(request("GET / HTTP/1.1\r\nHost: h\r\n\(lines(100))") == .refused(.headTooLarge))

        let fixed = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n".utf8.count
        func padded(_ total: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "p", count: total - fixed))\r\n\r\n"
        }
        let most = H1Limits().maxHeadBytes
        #expect(accepted(padded(most))?.lines.count == 2)
        #expect(request(padded(most + 1)) == .refused(.headTooLarge))
        #expect(request("GET /" + String(repeating: "u", count: most)) == .refused(.headTooLarge))
        #expect(request("GET / HTTP/1.1\r\nX: " + String(repeating: "v", count: most)) == .refused(.headTooLarge))
        #expect(request(String(repeating: "M", count: 100)) == .refused(.malformed))
        let names = (0...H1Framing.maxConnectionOptions).map { "n\($0)" }.joined(separator: ",")
        #expect(refusal("Connection: \(names)\r\n") == .refused(.malformed))
        let most32 = (0..<H1Framing.maxConnectionOptions).map { "n\($0)" }.joined(separator: ",")
        #expect(accepted("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(most32)\r\n\r\n") != nil)
        #expect(refusal("Connection: \(most32)\r\nConnection: close\r\n") == .refused(.malformed))
        #expect(refusal("Connection: a b\r\n") == .refused(.malformed))
    }

    @Test(
        "Bytes that cannot begin a request are refused before more comes",
        arguments: [
            "\u{16}\u{03}\u{01}", "\u{80}\u{ff}", "get", "\0", "GET /\u{80}", "SSH-2.0-x", " ", "\n", "PRI *",
            "GET / H2",
            "\rG", "{\"a\":1}", "GETTING /",
        ])
    func earlyRefusal(bytes: String) {
        let bytes = latin1(bytes)
        #expect(parseRequest(bytes) == .refused(.malformed))
        #expect(parseRequest(bytes, cuts: Array(1..<bytes.count)) == .refused(.malformed))
    }
}
