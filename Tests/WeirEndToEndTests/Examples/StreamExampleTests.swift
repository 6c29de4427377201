import Foundation
import Testing
import WeirTestSupport

/// The examples in `config/` about gRPC, WebSocket and plain bytes do what their first lines promise.
@Suite struct StreamExampleTests {
    /// Says its name, then gives back what comes.
    private func speaker(_ name: String) throws -> OriginServer {
        try OriginServer(raw: { _, socket in
            try socket.send(name + "\n")
            while true {
                let bytes = try socket.receive()
                if bytes.isEmpty { return }
                try socket.send(bytes)
            }
        })
    }

    @Test func bytesPassBothWaysAndWeightsCountConnections() throws {
        let origins = try [speaker("v1"), speaker("v2")]
        defer { for origin in origins { origin.stop() } }
        let server = try Example.server("tcp.yaml", ports: origins.map(\.port), entries: [8090])
        var counts: [String: Int] = [:]
        for number in 0..<500 {
            let socket = try TestSocket(port: try server.port(8090))
            var said: [UInt8] = []
            while said.count < 3 { said += try socket.receive() }
            counts[String(decoding: said.prefix(2), as: UTF8.self), default: 0] += 1
            guard number < 5 else { continue }
            try socket.send("ping \(number)")
            socket.endWriting()
            var echoed: [UInt8] = []
            while case let more = try socket.receive(), !more.isEmpty { echoed += more }
            #expect(String(decoding: echoed, as: UTF8.self) == "ping \(number)")
        }
        #expect(isWithinFiveSigma(counts["v2"], of: 500, share: 0.2) && counts.values.reduce(0, +) == 500, "\(counts)")
    }

    @Test func upgradesGoToTheServiceForChats() throws {
        let chat = try PythonPeer(service: "websocket_server.py")
        let pages = try OriginServer(name: "pages")
        defer { pages.stop() }
        let server = try Example.server("websocket.yaml", ports: [pages.port, chat.port]) {
            $0.replacingOccurrences(of: "exact: /chat", with: "regex: /(chat|echo|greet|close)")
        }
        #expect(try server.get("/chat", port: 8080)["x-backend"] == "pages")
        let outcomes = try PythonPeer.outcomes(
            client: "websocket_client.py", ["\(try server.port(8080))", "chat.example.com"])
        #expect(outcomes.removing("unrouted").allSatisfy { $0.value == "ok" } && outcomes.count > 1, "\(outcomes)")
    }

    @Test func callsGoByTheirService() throws {
        let stable = try PythonPeer(service: "grpc_server.py")
        let canary = try PythonPeer(service: "grpc_server.py")
        let closed = try TestPort.free()
        let server = try Example.server("grpc.yaml", ports: [stable.port, canary.port, closed]) {
            $0.replacingOccurrences(of: "/shop.Orders/", with: "/peer.Echo/")
                .replacingOccurrences(of: "/shop.Stock/", with: "/refused.Service/")
        }
        let outcomes = try PythonPeer.outcomes(
            client: "grpc_client.py", ["\(try server.port(8080))", "orders.example.com"])
        #expect(outcomes.allSatisfy { $0.value == "ok" } && outcomes.count > 1, "\(outcomes)")
        func canaryCalls() throws -> Double {
            try server.metrics().sum("istio_requests_total", ["reporter": "source", "destination_version": "canary"])
        }
        #expect(try canaryCalls() == 0)
        // An empty message: no compression, no bytes.
        let files = try TemporaryDirectory()
        try files.write("message", "\0\0\0\0\0")
        let call = try Tool("curl").run([
            "--silent", "--http2-prior-knowledge", "--header", "content-type: application/grpc", "--header",
            "te: trailers", "--header", "canary: yes", "--data-binary", "@" + files.path("message"), "--dump-header",
            "-", "http://127.0.0.1:\(try server.port(8080))/peer.Echo/Unary",
        ])
        #expect(call.output.contains("grpc-status: 0"), "\(call)")
        try eventually("the call is counted") { try canaryCalls() == 1 }
    }
}

extension [String: String] {
    /// Without one key.
    fileprivate func removing(_ key: String) -> Self { filter { $0.key != key } }
}
