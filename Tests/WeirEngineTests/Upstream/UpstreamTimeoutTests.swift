import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// DestinationRule `connectionPool`: connectTimeout and idleTimeout, in the running engine.
@Suite struct UpstreamTimeoutTests {
    /// A loopback port whose accept queue is full: further attempts get no answer.
    private final class FullPort {
        let port: Int
        private let listener: Int32
        private var waiting: [Int32] = []

        init() throws {
            guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
                preconditionFailure("an address")
            }
            listener = try Socket.listen(address, shared: false)
            // A second call shortens the queue.
            listen(listener, 0)
            let bound = Socket.localAddress(listener)
            port = Int(bound.port)
            for _ in 0..<4 {
                if case .success(let attempt) = bound.withSockAddr({ Socket.connect($0, $1) }) {
                    waiting.append(attempt.descriptor)
                }
            }
        }

        deinit { for fd in waiting + [listener] { close(fd) } }
    }

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
}
