import Testing

@testable import WeirEngine

@Suite("HTTP/1.0 request heads, where they are served")
struct H1ParserHTTP10Tests {
    private func outcome(_ text: String) -> Outcome<ParsedRequest> { parseRequest(latin1(text), acceptsHTTP10: true) }

    private func served(_ text: String) -> ParsedRequest? {
        guard case .accepted(let head, let consumed) = outcome(text), consumed == text.utf8.count else { return nil }
        // However it is cut.
        let bytes = latin1(text)
        for cut in 1..<bytes.count {
            let pieces = parseRequest(bytes, cuts: [cut], acceptsHTTP10: true)
            if pieces != .accepted(head, consumed: consumed) { Issue.record("cut at \(cut): \(pieces)") }
        }
        return head
    }

    @Test("A request gives its parts and its version")
    func plainRequest() {
        let head = served("GET /a?b HTTP/1.0\r\nHost: h:81\r\nX: y\r\n\r\n")
        #expect(head?.version == .http10 && head?.target == "/a?b" && head?.authority == "h:81" && head?.host == "h")
        #expect(head?.framing == BodyFraming.none && head?.lines == [Line("host", "h:81"), Line("x", "y")])
        #expect(served("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?.version == .http11)
    }

    @Test(
        "The connection is kept only when the client asks for it",
        arguments: [
            ("", false), ("Connection: keep-alive\r\n", true), ("Connection: Keep-Alive\r\n", true),
            ("Connection: keep-alive, close\r\n", false), ("Connection: close\r\n", false),
            ("Keep-Alive: timeout=5\r\n", false), ("Proxy-Connection: keep-alive\r\n", false),
        ])
    func keepAlive(line: String, kept: Bool) {
        #expect(served("GET / HTTP/1.0\r\nHost: h\r\n\(line)\r\n")?.keepAlive == kept)
    }

    @Test("The host may come from the target; without any there is nothing to route by")
    func hosts() {
        let head = served("GET http://real:81/p?q HTTP/1.0\r\nX: y\r\n\r\n")
        #expect(head?.authority == "real:81" && head?.target == "/p?q" && head?.lines == [Line("x", "y")])
        #expect(served("GET http://real HTTP/1.0\r\nHost: other\r\n\r\n")?.lines == [Line("host", "real")])
        #expect(outcome("GET / HTTP/1.0\r\n\r\n") == .refused(.missingHost))
        #expect(outcome("GET / HTTP/1.0\r\nHost:\r\n\r\n") == .refused(.malformed))
        #expect(outcome("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n") == .refused(.malformed))
        #expect(outcome("GET plain HTTP/1.0\r\n\r\n") == .refused(.malformed))
        #expect(outcome("GET https://h/ HTTP/1.0\r\n\r\n") == .refused(.schemeMismatch))
        #expect(outcome("OPTIONS * HTTP/1.0\r\n\r\n") == .refused(.asteriskTarget))
        #expect(outcome("CONNECT h:443 HTTP/1.0\r\n\r\n") == .refused(.connectMethod))
    }

    @Test("A transfer coding is faulty framing")
    func codings() {
        for connection in ["", "Connection: keep-alive\r\n"] {
            let start = "POST / HTTP/1.0\r\nHost: h\r\n\(connection)"
            #expect(outcome(start + "Transfer-Encoding: chunked\r\n\r\n") == .refused(.malformed))
            #expect(outcome(start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n") == .refused(.malformed))
            #expect(outcome(start + "Transfer-Encoding: gzip\r\n\r\n") == .refused(.unsupportedTransferCoding))
            #expect(served(start + "Content-Length: 3\r\n\r\n")?.framing == .length(3))
        }
    }

    @Test("Expectations and upgrades mean nothing in it")
    func ignored() {
        let head = served(
            "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(head?.expectsContinue == false && head?.wantsUpgrade == false)
        #expect(head?.lines == [Line("host", "h")])
    }

    @Test(
        "Other versions are what they are elsewhere",
        arguments: [
            ("GET /\r\n", H1Error.versionTooLow), ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .versionTooLow),
            ("GET / HTTP/0.0\r\nHost: h\r\n\r\n", .versionTooLow),
            ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", .versionNotSupported),
            ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .versionNotSupported),
            ("GET / HTTP/1.00\r\nHost: h\r\n\r\n", .malformed), ("GET / HTTP/01.0\r\nHost: h\r\n\r\n", .malformed),
        ])
    func versions(bytes: String, error: H1Error) { #expect(outcome(bytes) == .refused(error)) }
}
