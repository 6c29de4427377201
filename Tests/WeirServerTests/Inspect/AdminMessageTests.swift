import Testing

@testable import WeirServer

/// Answers of the admin API as the commands read them.
@Suite struct AdminMessageTests {
    private func message(_ text: String) -> AdminMessage? { AdminMessage(Array(text.utf8)) }

    private func body(_ text: String) -> String? { message(text).map { String(decoding: $0.body, as: UTF8.self) } }

    @Test func bodiesOfAllFramingsAreRead() {
        #expect(message("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")?.status == 404)
        #expect(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == "ok")
        #expect(
            body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")
                == "ok0123456789")
    }

    @Test(arguments: [
        "", "HTTP/1.0 200 OK\r\n\r\nto the end", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7fffffffffffffff\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nok\r\n0\r\n\r\n",
    ])
    func whatIsNoWholeAnswerIsRefused(text: String) {
        #expect(message(text) == nil)
    }
}
