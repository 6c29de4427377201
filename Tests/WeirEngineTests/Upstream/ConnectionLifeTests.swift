import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// How long a connection to an endpoint is used: `maxRequestsPerConnection`, `maxConnectionDuration`, `tcpKeepalive`.
@Suite struct ConnectionLifeTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"

    private static func ask(_ gateway: SteppedGateway, _ client: inout TestClient) throws -> Int {
        try client.socket.send(get)
        return try gateway.answer(&client).status
    }

    @Test(arguments: [false, true]) func aConnectionCarriesSoManyRequestsAndCloses(isLimited: Bool) throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) {
            $0.life.maxRequests = 2
            if isLimited { $0.limits.connections = 1 }
        }
        var client = try gateway.client()
        for count in 1...5 {
            #expect(try Self.ask(gateway, &client) == 200)
            #expect(gateway.stats().upstreamConnections == count % 2)
        }
        #expect(origin.acceptedConnections == 3)
    }

    @Test func oneRequestAConnectionIsNoKeepAlive() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) { $0.life.maxRequests = 1 }
        var client = try gateway.client()
        try client.socket.send(String(repeating: Self.get, count: 3))
        for _ in 0..<3 { #expect(try gateway.answer(&client).status == 200) }
        #expect(gateway.stats().upstreamConnections == 0 && origin.acceptedConnections == 3)
    }

    @Test func anHTTP2ConnectionCarriesSoManyRequestsAndClosesWithTheLast() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let streams = [try peer.request(), try peer.request()]
            for stream in streams { try peer.answer(stream) }
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) {
            $0.httpVersion = .http2
            $0.life.maxRequests = 2
        }
        var clients = try (0..<4).map { _ in try gateway.client() }
        for client in clients { try client.socket.send(Self.get) }
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(origin.acceptedConnections == 2 && gateway.stats().upstreamConnections == 0)
    }

    @Test func anIdleConnectionClosesAtItsAge() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) { $0.life.maxMilliseconds = 10_000 }
        var client = try gateway.client()
        #expect(try Self.ask(gateway, &client) == 200)
        gateway.advance(milliseconds: 6_000)
        #expect(try Self.ask(gateway, &client) == 200)
        gateway.advance(milliseconds: 3_999)
        #expect(gateway.stats().upstreamConnections == 1 && origin.acceptedConnections == 1)
        gateway.advance(milliseconds: 1)
        #expect(gateway.stats().upstreamConnections == 0)
        #expect(try Self.ask(gateway, &client) == 200)
        #expect(origin.acceptedConnections == 2)
    }

    @Test func aBusyConnectionEndsWithItsRequestOnceItIsOld() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) { $0.life.maxMilliseconds = 10_000 }
        var client = try gateway.client()
        try client.socket.send("GET /hold HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the request is under way") { origin.served.count == 1 }
        gateway.advance(milliseconds: 20_000)
        #expect(gateway.stats().upstreamConnections == 1)
        origin.release()
        #expect(try gateway.answer(&client).status == 200)
        #expect(gateway.stats().upstreamConnections == 0)
    }

    @Test func anHTTP2ConnectionTakesNoMoreRequestsOnceItIsOld() throws {
        let goes = Flag()
        let isAsked = Flag()
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            while true {
                let stream = try peer.request()
                isAsked.raise()
                while !goes.isRaised { usleep(500) }
                try peer.answer(stream)
            }
        }
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port]) {
            $0.httpVersion = .http2
            $0.life.maxMilliseconds = 10_000
        }
        var clients = [try gateway.client(), try gateway.client()]
        try clients[0].socket.send(Self.get)
        try gateway.run(until: "the request is under way") { isAsked.isRaised }
        gateway.advance(milliseconds: 10_000)
        try clients[1].socket.send(Self.get)
        try gateway.run(until: "another is opened") { gateway.stats().upstreamConnections == 2 }
        goes.raise()
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: 10_000)
        #expect(gateway.stats().upstreamConnections == 0)
    }

    @Test func theSystemLooksForASilentPeerAsTheSettingsSay() throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        func option(_ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = -1
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(fd, level, name, &value, &length)
            return value
        }
        let tcp = Int32(IPPROTO_TCP)
        let standard = option(tcp, TCP_KEEPCNT)
        Socket.setKeepAlive(fd, SocketKeepAlive())
        #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1 && option(tcp, TCP_KEEPCNT) == standard)
        Socket.setKeepAlive(fd, SocketKeepAlive(probes: 7, idleSeconds: 30, intervalSeconds: 5))
        #expect(option(tcp, TCP_KEEPCNT) == 7 && option(tcp, TCP_KEEPIDLE) == 30 && option(tcp, TCP_KEEPINTVL) == 5)
        // More than the system takes is as much as it takes.
        Socket.setKeepAlive(fd, SocketKeepAlive(probes: 1000, idleSeconds: 1 << 40, intervalSeconds: 0))
        #expect(option(tcp, TCP_KEEPCNT) == 127 && option(tcp, TCP_KEEPIDLE) == 32_767)
        #expect(option(tcp, TCP_KEEPINTVL) == 1)
    }
}
