import Testing
import WeirTestSupport

/// Google's library for gRPC on both sides: every kind of call, deadlines, cancellation, and our own answers.
@Suite struct GRPCClientTests {
    private static let cases: Set<String> = [
        "unary", "empty_message", "large_message", "status_and_message", "unknown_method", "server_streaming",
        "client_streaming", "empty_streams", "bidirectional_streaming", "deadline_is_told", "deadline", "cancellation",
        "many_at_once", "slow_reader", "unrouted", "refused",
    ]

    @Test(arguments: [false, true])
    func everyKindOfCallWorks(secure: Bool) throws {
        let service = try PythonPeer(service: "grpc_server.py")
        let closed = try TestPort.free()
        let entry = try SecureEntry(
            upstream: service.port, protocol: "GRPC",
            routes: """
                - match: [{uri: {prefix: /peer.Echo/}}]
                  route: [{destination: {host: good}}]
                - match: [{uri: {prefix: /refused.Service/}}]
                  route: [{destination: {host: closed}}]
                """, more: [Documents.serviceEntry("closed", protocol: "GRPC", port: closed)])
        let outcomes = try PythonPeer.outcomes(
            client: "grpc_client.py",
            ["\(try entry.port(secure: secure))", SecureEntry.host] + (secure ? [entry.authority.certificate] : []))
        #expect(Set(outcomes.keys) == Self.cases)
        for (name, outcome) in outcomes { #expect(outcome == "ok", "\(name)") }
        try eventually("calls are counted by their gRPC status") {
            let metrics = try entry.server.metrics()
            let unimplemented = metrics.sum(
                "istio_requests_total",
                ["reporter": "source", "request_protocol": "grpc", "grpc_response_status": "12"])
            return unimplemented == 2
        }
    }
}
