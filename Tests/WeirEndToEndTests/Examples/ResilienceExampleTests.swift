import Testing
import WeirServer
import WeirTestSupport

/// The examples in `config/` about endpoints that fail do what their first lines promise.
@Suite struct ResilienceExampleTests {
    private static func failing() throws -> OriginServer {
        try OriginServer { _, socket in
            try socket.send("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
            return true
        }
    }

    @Test func anEndpointThatFailsThreeTimesIsTakenOut() throws {
        let bad = try Self.failing()
        let backends = try Backends(2)
        defer { bad.stop() }
        let server = try Example.server("outlier-detection.yaml", ports: backends.ports + [bad.port])
        let counts = try server.tally(60)
        #expect(counts["503"] == 3 && counts.count == 3)
    }

    @Test func requestsStayNearOrAreSpread() throws {
        let bad = try Self.failing()
        let backends = try Backends(3)
        defer { bad.stop() }
        func server(_ ports: [Int]) throws -> RunningServer {
            try Example.server("locality.yaml", ports: ports, configure: { $0.binding.locality = "europe/north" })
        }
        let near = try server(backends.ports)
        #expect(try near.tally(20) == ["v1": 20])
        let spread = try near.tally(100, "/spread/")
        // Four fifths for the two of the gateway's region.
        #expect(abs((spread["v3"] ?? 0) - 20) <= 2 && abs((spread["v1"] ?? 0) - 40) <= 2)
        let further = try server([bad.port] + backends.ports.dropFirst())
        #expect(try further.tally(20) == ["503": 1, "v2": 19])
        let far = try server([bad.port, bad.port, backends.ports[2]])
        #expect(try far.tally(20)["v3"] ?? 0 >= 18)
    }
}
