import Glibc
import Testing
import WeirEngine
import WeirTestSupport

/// The same with TLS, HTTP/2 and WebSockets.
@Suite struct TakeoverProtocolTests {
    private static func gateway(_ identity: TestAuthority.Identity) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: entry}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: ["*"]
          - port: {number: 443, name: https, protocol: HTTPS}
            hosts: ["shop.example.com"]
            tls: {mode: SIMPLE, serverCertificate: \(identity.certificate), privateKey: \(identity.key)}

        """
    }

    /// Runs curl again and again, fifty requests each time, until told to stop; each must be answered with its path.
    private static func load(_ version: String, _ authority: String, port: Int, isDone: TestSignal) -> TestCrew {
        TestCrew(3) { number in
            let curl = try Tool("curl")
            var round = 0
            repeat {
                round += 1
                let outcome = try curl.run([
                    "-sS", "--fail", version, "--cacert", authority, "--resolve", "shop.example.com:\(port):127.0.0.1",
                    "https://shop.example.com:\(port)/\(number)/\(round)/[1-50]",
                ])
                let expected = (1...50).map { "/\(number)/\(round)/\($0)" }.joined()
                guard outcome.status == 0, outcome.output == expected else {
                    throw TestSocketError(description: "curl: \(outcome.status) \(outcome.errors) \(outcome.output)")
                }
            } while !isDone.isRaised
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func noRequestOverTLSFails(version: String) throws {
        let authority = try TestAuthority()
        let identity = try authority.issue(["shop.example.com"])
        let origin = try EchoOrigin()
        let scene = try TakeoverScene([
            Self.gateway(identity), Documents.virtualService("routes", hosts: ["*"], to: "origin"),
            Documents.serviceEntry("origin", ports: [origin.port]),
        ])
        var process = try scene.serve()
        let isDone = TestSignal()
        let load = Self.load(version, authority.certificate, port: try scene.port(443), isDone: isDone)
        for workers in [1, 3, 2] { process = try scene.replace(process, workers: workers) }
        isDone.raise()
        try load.join()
    }

    /// Agrees to every WebSocket and sends back what comes over it.
    private static func echo() throws -> OriginServer {
        try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while true {
                let bytes = try reader.someBytes()
                if bytes.isEmpty { return }
                try socket.send(bytes)
            }
        })
    }

    private func openTunnel(_ port: Int) throws -> TestClient {
        var client = try TestClient(port: port)
        try client.socket.send(
            "GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        #expect(try client.responseHead()?.status == 101)
        return client
    }

    private func says(_ text: String, _ client: inout TestClient) throws {
        try client.socket.send(text)
        #expect(try String(decoding: client.someBytes(), as: UTF8.self) == text)
    }

    @Test func webSocketsStayWithTheirProcessAndNewOnesGoToTheNext() throws {
        let origin = try Self.echo()
        let scene = try TakeoverScene([
            Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "origin"),
            Documents.serviceEntry("origin", ports: [origin.port]),
        ])
        let first = try scene.serve(options: ["--drain-seconds", "600"])
        var tunnel = try openTunnel(scene.port())
        try says("before", &tunnel)
        let second = try scene.serve()
        try says("after", &tunnel)
        var other = try openTunnel(scene.port())
        try says("of the second", &other)
        #expect(first.exitStatus() == nil)
        tunnel.socket.shutDown()
        #expect(try first.end() == 0, "\(first.errors)")
        try says("still there", &other)
        other.socket.shutDown()
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }
}
