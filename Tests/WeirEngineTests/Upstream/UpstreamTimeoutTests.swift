import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// DestinationRule `connectionPool`: connectTimeout and idleTimeout, in the running engine.
@Suite struct UpstreamTimeoutTests {
    @Test func anEndpointThatDoesNotAnswerIsGivenUpAfterTheConnectTimeout() throws {
        let silent = try FullPort()
        let gateway = try GatewayFixture(origins: [silent.port]) { $0.connectTimeoutMilliseconds = 100 }
        var client = try gateway.client()
        let answer = try client.request()
        #expect(answer.status == 503)
        #expect(
            answer.text == "upstream connect error or disconnect/reset before headers. reset reason: connection timeout"
        )
        #expect(try gateway.stats().upstreamConnections == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func anIdleConnectionIsClosedAfterTheIdleTimeout() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port]) { $0.idleTimeoutMilliseconds = 50 }
        var client = try gateway.client()
        #expect(try client.request().status == 200)
        try eventually("the idle connection is closed") {
            try gateway.stats().upstreamConnections == 0 && origin.endedConnections == 1
        }
        #expect(try client.request().status == 200)
        #expect(origin.acceptedConnections == 2)
    }

    @Test func anIdleTimeoutOfZeroKeepsConnections() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port]) { $0.idleTimeoutMilliseconds = 0 }
        var client = try gateway.client()
        for _ in 0..<20 { #expect(try client.request().status == 200) }
        #expect(origin.acceptedConnections == 1)
    }

    @Test func withoutAConnectTimeoutOfItsOwnAnEndpointHas10Seconds() throws {
        let silent = try FullPort()
        let gateway = try SteppedGateway(origins: [silent.port])
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "a connection is tried") { gateway.stats().upstreamConnections == 1 }
        gateway.advance(milliseconds: 9_999)
        #expect(!client.socket.hasInput && gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: 1)
        #expect(try gateway.answer(&client).status == 503)
        #expect(gateway.stats().upstreamConnections == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func withoutAnIdleTimeoutOfItsOwnAConnectionIsKeptForAnHour() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        for _ in 0..<2 {
            var client = try gateway.client()
            try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            #expect(try gateway.answer(&client).status == 200)
            gateway.advance(milliseconds: 3_599_999)
            #expect(gateway.stats().upstreamConnections == 1)
        }
        #expect(origin.acceptedConnections == 1)
        gateway.advance(milliseconds: 1)
        #expect(gateway.stats().upstreamConnections == 0)
    }
}
