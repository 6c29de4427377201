import Testing
import WeirTestSupport

@testable import WeirEngine

/// Clients that come through proxies which say so in front of everything else.
@Suite struct ProxyGreetingTests {
    private static let v2: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 15]
        + [192, 0, 2, 99, 198, 51, 100, 1, 0x12, 0x34, 0, 80] + [4, 0, 0]
    private static let request = Array("GET /asked HTTP/1.1\r\nHost: example.com\r\n\r\n".utf8)

    private let origin: OriginServer

    init() throws { origin = try OriginServer(name: "a") }

    private static func snapshot(port: Int, origin: Int) throws -> Snapshot {
        let plain = try GatewayFixture.snapshot(listeners: [port], origins: [origin])
        return expecting(plain)
    }

    private static func expecting(_ plain: Snapshot) -> Snapshot {
        Snapshot(
            generation: 1, listeners: plain.listeners.map { $0.expectingProxyHeaders() }, clusters: plain.clusters,
            clusterCapacity: 1)
    }

    private func gateway(options: (inout EngineOptions) -> Void = { _ in }) throws -> GatewayFixture {
        try GatewayFixture(options: options) { try Self.snapshot(port: $0, origin: origin.port) }
    }

    /// What the origin was told of the client whose connection began with these bytes.
    private func forwarded(_ header: [UInt8], inPieces: Bool = false) throws -> [String] {
        let gateway = try gateway()
        var client = try gateway.client()
        if inPieces {
            for byte in header { try client.socket.send([byte]) }
            try client.socket.send(Self.request)
        } else {
            try client.socket.send(header + Self.request + Self.request)
            #expect(try client.response().status == 200)
        }
        #expect(try client.response().text == "/asked")
        let request = try #require(origin.requests.last)
        #expect(request["x-envoy-external-address"] == request["x-forwarded-for"])
        return request.all("x-forwarded-for")
    }

    @Test(arguments: [false, true])
    func theClientIsWhoTheHeaderNames(inPieces: Bool) throws {
        let v1 = Array("PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n".utf8)
        #expect(try forwarded(v1, inPieces: inPieces) == ["192.0.2.1"])
        let v6 = Array("PROXY TCP6 2001:db8::7 ::1 4711 80\r\n".utf8)
        #expect(try forwarded(v6, inPieces: inPieces) == ["2001:db8::7"])
        #expect(try forwarded(Self.v2, inPieces: inPieces) == ["192.0.2.99"])
    }

    @Test func aProxyThatSpeaksForItselfIsTheClient() throws {
        #expect(try forwarded(Array("PROXY UNKNOWN\r\n".utf8)) == ["127.0.0.1"])
        let local: [UInt8] = Array(Self.v2[..<12]) + [0x20, 0, 0, 0]
        #expect(try forwarded(local) == ["127.0.0.1"])
    }

    @Test(arguments: [
        request, Array("PROXY TCP4 192.0.2.1\r\n".utf8) + request, Array(v2[..<12]) + [0x31, 0x11, 0, 0] + request,
        [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
    ])
    func whoComesWithoutAHeaderIsRefused(bytes: [UInt8]) throws {
        let gateway = try gateway()
        let client = try gateway.client()
        try client.socket.send(bytes)
        // An end or a reset, as bytes may be left unread.
        #expect((try? client.socket.receive()) ?? [] == [])
        #expect(try gateway.stats().proxyHeaderFailures == 1)
        #expect(origin.requests.isEmpty)
    }

    @Test func whoLeavesInsideTheHeaderIsForgotten() throws {
        let gateway = try gateway()
        let client = try gateway.client()
        try client.socket.send("PROXY TCP4 192.")
        client.socket.endWriting()
        #expect(try client.socket.receive().isEmpty)
        try eventually("nothing is left") { try gateway.stats().activeConnections == 0 }
    }

    @Test func aHeaderHas15SecondsToArrive() throws {
        let gateway = try SteppedGateway(snapshot: { try Self.snapshot(port: $0, origin: origin.port) })
        let silent = try gateway.client()
        let slow = try gateway.client()
        try slow.socket.send("PROXY TCP4 ")
        gateway.advance(milliseconds: ProxyGreeting.headerMilliseconds - 1)
        #expect(!silent.socket.peerHasGone && !slow.socket.peerHasGone)
        gateway.advance(milliseconds: 1)
        try gateway.end(silent)
        try gateway.end(slow)
        #expect(gateway.stats().proxyHeaderFailures == 2)
    }

    @Test func aConnectionCountsOnce() throws {
        let gateway = try gateway()
        var client = try gateway.client()
        try client.socket.send(Self.v2 + Self.request)
        #expect(try client.response().status == 200)
        let stats = try gateway.stats()
        #expect(stats.acceptedConnections == 1 && stats.activeConnections == 1 && stats.proxyHeaderFailures == 0)
    }

    @Test func tlsBeginsBehindTheHeader() throws {
        let contexts = try TLSFixture.contexts(TLSFixture.identities.api)
        let gateway = try GatewayFixture { port in
            let plain = try TLSFixture.snapshot(
                port: port, origins: [origin.port],
                [TLSFixture.Server(names: ["api.example.com"], contexts: contexts)])
            return Self.expecting(plain)
        }
        let outcome = try TLSFixture.fetch(
            gateway.port, name: "api.example.com", ["--haproxy-protocol"])
        #expect(outcome.status == 0 && outcome.output == "/x", "\(outcome)")
        #expect(origin.requests.last?["x-forwarded-for"] == "127.0.0.1")
        #expect(origin.requests.last?["x-forwarded-proto"] == "https")
        #expect(try TLSFixture.fetch(gateway.port, name: "api.example.com").status != 0, "it needs the header")
    }

    @Test func theLogTellsTheClientFromWhoHasConnected() throws {
        let format = try AccessLogFormat(
            "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%\n")
        let log = try AccessLog(format: format, workers: 1)
        let gateway = try gateway { $0.accessLog = log }
        var client = try gateway.client()
        try client.socket.send(Self.v2 + Self.request)
        #expect(try client.response().status == 200)
        var line = ""
        try eventually("the line is written") {
            line = String(decoding: log.rings[0].waiting, as: UTF8.self)
            return line.hasSuffix("\n")
        }
        #expect(line == "192.0.2.99:4660 127.0.0.1\n")
    }
}
