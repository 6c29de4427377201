import Testing
import WeirTestSupport

/// A WebSocket library on both sides.
@Suite struct WebSocketClientTests {
    private static let cases: Set<String> = [
        "text_and_binary", "large_message", "fragments", "ping_and_pong", "server_speaks_first", "subprotocol",
        "close_code", "client_closes", "pipelined", "many_at_once", "unrouted",
    ]

    @Test(arguments: [false, true])
    func messagesPassAsTheyAre(secure: Bool) throws {
        let service = try PythonPeer(service: "websocket_server.py")
        let routes = ["/echo", "/greet", "/close"].map { path in
            "- match: [{uri: {exact: \(path)}}]\n  route: [{destination: {host: good}}]"
        }
        let entry = try SecureEntry(upstream: service.port, routes: routes.joined(separator: "\n"))
        let outcomes = try PythonPeer.outcomes(
            client: "websocket_client.py",
            ["\(try entry.port(secure: secure))", SecureEntry.host] + (secure ? [entry.authority.certificate] : []))
        #expect(Set(outcomes.keys) == Self.cases)
        for (name, outcome) in outcomes { #expect(outcome == "ok", "\(name)") }
    }
}
