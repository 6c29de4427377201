import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 response heads")
struct H1ParserResponseTests {
    private func head(_ text: String, to method: MethodToken = .get) -> ParsedResponse? {
        guard case .accepted(let head, _) = response(text, to: method) else { return nil }
        return head
    }

    @Test("A plain response gives its parts")
    func plainResponse() {
        let head = head("HTTP/1.1 200 Quite OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello")
        #expect(head?.status == 200)
        #expect(head?.reason == "Quite OK")
        #expect(head?.framing == .length(5))
        #expect(head?.keepAlive == true)
        #expect(head?.lines == [Line("content-length", "5"), Line("x-a", "b")])
    }

    @Test("A reason may be empty, or absent with its space")
    func reasons() {
        #expect(head("HTTP/1.1 404 \r\n\r\n")?.status == 404)
        #expect(head("HTTP/1.1 404\r\n\r\n")?.status == 404)
        #expect(head("HTTP/1.1 404\r\n\r\n")?.reason == "")
        #expect(head("HTTP/1.1 799 Odd\tone \u{e9}\r\n\r\n")?.reason == "Odd\tone \u{e9}")
    }

    @Test("The body's length follows RFC 9112 section 6.3")
    func framing() {
        let length = "Content-Length: 7\r\n"
        let chunked = "Transfer-Encoding: Chunked\r\n"
        #expect(head("HTTP/1.1 200 OK\r\n\(chunked)\r\n")?.framing == .chunked)
        #expect(head("HTTP/1.1 200 OK\r\n\r\n")?.framing == .untilClose)
        #expect(head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?.framing == .length(0))
        for status in [204, 304, 100, 103, 101] {
            #expect(head("HTTP/1.1 \(status) X\r\n\(length)\r\n")?.framing == BodyFraming.none)
            #expect(head("HTTP/1.1 \(status) X\r\n\(chunked)\r\n")?.framing == BodyFraming.none)
        }
        #expect(head("HTTP/1.1 200 OK\r\n\(length)\r\n", to: .head)?.framing == BodyFraming.none)
        #expect(head("HTTP/1.1 200 OK\r\n\(length)\r\n", to: .head)?.lines == [Line("content-length", "7")])
        #expect(head("HTTP/1.1 304 X\r\n\(length)\r\n")?.lines == [Line("content-length", "7")])
        #expect(head("HTTP/1.1 204 X\r\n\(length)\r\n")?.lines == [])
    }

    @Test(
        "The connection is kept when version and options say so and the body has an end",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n", false),
            ("HTTP/1.1 200 OK\r\n", false), ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n", true),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", false), ("HTTP/1.1 204 No\r\n", true),
        ])
    func keepAlive(bytes: String, kept: Bool) { #expect(head(bytes + "\r\n")?.keepAlive == kept) }

    @Test("Hop-by-hop fields and those an origin names stay behind")
    func hopByHop() {
        let head = head(
            "HTTP/1.1 200 OK\r\nConnection: X-Hop, Server\r\nX-Hop: 1\r\nKeep-Alive: max=5\r\nServer: o\r\n"
                + "Transfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n")
        #expect(head?.lines == [Line("server", "o"), Line("set-cookie", "a"), Line("set-cookie", "b")])
    }

    @Test(
        "Anything else is refused",
        arguments: [
            "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n", "<html>", "\0\u{ff}", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 O\0K\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A: b\rX: c\r\n\r\n",
        ])
    func refusals(bytes: String) { #expect(response(bytes) == .refused(.malformed)) }

    @Test("Codings other than chunked are refused, and heads beyond the limits")
    func otherRefusals() {
        let coded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n"
        #expect(response(coded) == .refused(.unsupportedTransferCoding))
        let many = (0...100).map { "X-N\($0): \($0)\r\n" }.joined()
        #expect(response("HTTP/1.1 200 OK\r\n\(many)\r\n") == .refused(.headTooLarge))
        let long = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "v", count: H1Limits().maxHeadBytes)
        #expect(response(long) == .refused(.headTooLarge))
    }
}
