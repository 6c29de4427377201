import Testing
import WeirServer
import WeirTestSupport

/// `--http10`, with curl as the client.
@Suite struct HTTP10Tests {
    private func server(origin: Int, acceptsHTTP10: Bool) throws -> RunningServer {
        try RunningServer.live(
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "shop"),
                Documents.serviceEntry("shop", ports: [origin]),
            ],
            configure: { $0.acceptsHTTP10 = acceptsHTTP10 })
    }

    /// What curl prints: heads and bodies of the answers, then version and connection count of each transfer.
    private func curl(_ arguments: [String]) throws -> String {
        let process = try ChildProcess(
            "/usr/bin/curl",
            ["--silent", "--show-error", "--include", "--write-out", "\\n<%{http_version} %{num_connects}>\\n"]
                + arguments)
        let status = try process.end()
        return status == 0 ? process.output : "exit \(status): \(process.errors)"
    }

    @Test func aClientOfHTTP10IsServedWhereItIsWanted() throws {
        let origin = try OriginServer { request, socket in
            let body = request.target + " " + request.text
            if request.target == "/chunked" {
                let size = String(body.utf8.count, radix: 16)
                try socket.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n")
            } else {
                try socket.send("HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")
            }
            return true
        }
        defer { origin.stop() }
        let server = try server(origin: origin.port, acceptsHTTP10: true)
        let base = "http://127.0.0.1:\(try server.port())"
        let one = try curl(["--http1.0", base + "/one"])
        #expect(one.hasPrefix("HTTP/1.0 200 OK\r\n") && one.hasSuffix("/one \n<1 1>\n"))
        #expect(one.contains("\r\nconnection: close\r\n"))
        let chunked = try curl(["--http1.0", base + "/chunked"])
        #expect(chunked.hasSuffix("\r\n\r\n/chunked \n<1 1>\n") && !chunked.contains("transfer-encoding"))
        let body = try curl(["--http1.0", "--data", "abc", base + "/body"])
        #expect(body.hasSuffix("/body abc\n<1 1>\n"))
        // Asked for, the connection is kept: the second transfer opens none.
        let kept = try curl(["--http1.0", "--header", "Connection: keep-alive", base + "/1", base + "/2"])
        #expect(kept.contains("/1 \n<1 1>\n") && kept.hasSuffix("/2 \n<1 0>\n"), "\(kept)")
        #expect(kept.contains("\r\nconnection: keep-alive\r\n"))
        #expect(origin.requests.allSatisfy { $0.startLine.hasSuffix("HTTP/1.1") })
    }

    @Test func elsewhereItIsToldToUpgrade() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let server = try server(origin: origin.port, acceptsHTTP10: false)
        let answer = try curl(["--http1.0", "http://127.0.0.1:\(try server.port())/"])
        #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"), "\(answer)")
        #expect(origin.requests.isEmpty)
    }
}
