import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Peers that leave, stall, answer early or close at the wrong moment.
@Suite struct PeerBehaviourTests {
    /// An origin that reads a request and then only waits for its peer to go.
    private static func silentOrigin() throws -> OriginServer {
        try OriginServer { _, socket in
            _ = try socket.receive()
            return false
        }
    }

    @Test(arguments: [false, true])
    func aClientThatLeavesStopsTheUpstreamsWork(reset: Bool) throws {
        let origin = try Self.silentOrigin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        do {
            let client = try gateway.client()
            try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            try eventually("the request is at the origin") { origin.requests.count == 1 }
            if reset { client.socket.resetOnClose() }
        }
        try eventually("the upstream connection is closed") { origin.endedConnections == 1 }
        try eventually("nothing is left") {
            let stats = try gateway.stats()
            return stats.activeExchanges == 0 && stats.activeConnections == 0 && stats.upstreamConnections == 0
        }
    }

    @Test func aClientThatLeavesInsideItsBodyStopsTheUpstreamsWork() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        do {
            let client = try gateway.client()
            try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100\r\n\r\nhalf")
            try eventually("the upstream is connected") { origin.acceptedConnections == 1 }
        }
        try eventually("the upstream connection is closed") { origin.endedConnections == 1 }
        #expect(origin.requests.isEmpty, "half a request was completed")
    }

    @Test func anAnswerBeforeTheWholeRequestIsPassedOn() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
            while try !reader.someBytes().isEmpty {}
        })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\nbeginning")
        let answer = try client.response()
        #expect(answer.status == 413)
        // The rest of the body is not awaited: the connection closes.
        #expect(try client.hasEnded())
        try eventually("nothing is left") { try gateway.stats().activeExchanges == 0 }
    }

    @Test func aPooledConnectionClosedByItsPeerIsNotUsedAgain() throws {
        let origin = try OriginServer { request, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            // Keep-alive was promised, yet the connection closes.
            return false
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        for index in 0..<20 {
            #expect(try client.request("POST", "/\(index)", body: [1]).status == 200)
            try eventually("the close has been seen") { try gateway.stats().upstreamConnections == 0 }
        }
        #expect(origin.requests.count == 20)
    }

    @Test func anUpstreamThatSaysMoreThanItsAnswerIsNotTrustedAgain() throws {
        let origin = try OriginServer { _, socket in
            try socket.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        for _ in 0..<5 { #expect(try client.request().text == "ok") }
        #expect(origin.acceptedConnections == 5)
    }

    @Test(arguments: ["garbage", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "HTTP/1.1 408 Timeout\r\n\r\n"])
    func bytesOnAnIdleConnectionCloseIt(bytes: String) throws {
        let mayTalk = TestSignal()
        let origin = try OriginServer { request, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            if request.target == "/first" {
                try mayTalk.wait("the answer has arrived")
                try socket.send(bytes)
            }
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        #expect(try client.request("GET", "/first").text == "ok")
        mayTalk.raise()
        try eventually("the connection is closed") { try gateway.stats().upstreamConnections == 0 }
        #expect(try client.request("GET", "/second").text == "ok")
        #expect(origin.acceptedConnections == 2)
    }

    @Test(arguments: [100, 101])
    func informationalAnswersAreBounded(count: Int) throws {
        let origin = try OriginServer { _, socket in
            try socket.send(String(repeating: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", count: count))
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        // The count is one request's, not the connection's.
        for _ in 0..<3 {
            try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            for _ in 0..<100 { #expect(try client.responseHead()?.status == 103) }
            let answer = try client.response()
            #expect(answer.status == (count > 100 ? 502 : 200))
        }
        #expect(origin.acceptedConnections == (count > 100 ? 3 : 1))
    }

    @Test func aSlowReaderHoldsBackTheUpstreamAndMemoryStaysBounded() throws {
        let size = 40 * 1024 * 1024
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            let piece = [UInt8](repeating: 7, count: 1024 * 1024)
            for _ in 0..<40 { try socket.send(piece) }
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try client.responseHead()?.status == 200)
        // The client reads nothing more until the gateway has stopped taking.
        var held = -1
        try eventually("the gateway stops reading") {
            let now = try gateway.stats().buffersInUse
            defer { held = now }
            return now == held && now > 2
        }
        let bound =
            (Connection.highMarkBytes + Connection.readsPerTick * BufferPool.chunkBytes) / (BufferPool.chunkBytes / 2)
            + 8
        #expect(held <= bound, "\(held) buffers are held")
        var received = 0
        while received < size {
            let bytes = try client.someBytes()
            if bytes.isEmpty { break }
            received += bytes.count
        }
        #expect(received == size)
    }

    @Test func aSlowOriginHoldsBackTheClientAndMemoryStaysBounded() throws {
        let gate = Flag()
        let origin = try OriginServer(raw: { reader, socket in
            let head = try reader.nextHead()
            while !gate.isRaised { usleep(1000) }
            var left = head?["content-length"].flatMap { Int($0) } ?? 0
            let size = left
            while left > 0 { left -= try reader.someBytes().count }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \("\(size)".utf8.count)\r\n\r\n\(size)")
        })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        let client = try gateway.client()
        let size = 30 * 1024 * 1024
        let sender = BackgroundSender(
            client.socket, prefix: "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(size)\r\n\r\n", size: size
        )
        var held = -1
        try eventually("the gateway stops reading") {
            usleep(20_000)
            let now = try gateway.stats().buffersInUse
            defer { held = now }
            return now == held && now > 2
        }
        let bound =
            (Connection.highMarkBytes + Connection.readsPerTick * BufferPool.chunkBytes) / (BufferPool.chunkBytes / 2)
            + 8
        #expect(held <= bound, "\(held) buffers are held")
        gate.raise()
        var reader = client
        let answer = try reader.response()
        #expect(answer.status == 200 && answer.text == "\(size)")
        #expect(sender.isDone)
    }

    @Test func aClientThatDoesNotReadItsAnswersGetsNoMoreOfThem() throws {
        let origin = try OriginServer { _, socket in
            try socket.send(
                Array("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".utf8) + [UInt8](repeating: 1, count: 100_000))
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send(
            String(repeating: "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", count: 400))
        var served = -1
        try eventually("the gateway stops serving") {
            usleep(50_000)
            defer { served = origin.requests.count }
            return origin.requests.count == served && served > 0
        }
        #expect(served < 300)
        for _ in 0..<400 { #expect(try client.response().body.count == 100_000) }
    }

    @Test func bytesThatAreNoRequestAreAnsweredAndTheConnectionCloses() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        for (bytes, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n", 426),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}\u{2}garbage garbage\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: example.com\r\nX: \(String(repeating: "y", count: 70_000))\r\n\r\n", 431),
        ] {
            var client = try gateway.client()
            try client.socket.send(bytes)
            let answer = try client.response()
            #expect(answer.status == status && answer["connection"] == "close", "\(bytes.prefix(40))")
            #expect(try client.hasEnded())
        }
        #expect(origin.requests.isEmpty)
    }

    @Test func aRequestThatArrivesByteByByteIsServed() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        for byte in Array(
            "POST /slow HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8)
        {
            try client.socket.send([byte])
        }
        #expect(try client.response().text == "/slow")
        #expect(origin.requests.first?.text == "abc")
    }

    @Test func anEarlyAnswerSurvivesABodyNobodyWants() throws {
        let gateway = try GatewayFixture(origins: [])
        let chunk = Array("3e8\r\n".utf8) + [UInt8](repeating: 1, count: 1000) + [13, 10]
        for _ in 0..<5 {
            var client = try gateway.client()
            var request = Array(
                "POST /missing-cluster HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
            for _ in 0..<100 { request += chunk }
            try client.socket.send(request + Array("0\r\n\r\n".utf8))
            #expect(try client.response().status == 503)
        }
    }

    @Test func smallChunksToAStalledClientPinNoMoreThanTheirBytes() throws {
        let origin = try OriginServer { _, socket in
            let piece = Array("81\r\n".utf8) + [UInt8](repeating: 1, count: 129) + [13, 10]
            let many = Array(repeatElement(piece, count: 1000).joined())
            try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<400 { try socket.send(many) }
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        let client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        var held = -1
        try eventually("the gateway stops reading") {
            usleep(50_000)
            let now = try gateway.stats().buffersInUse
            defer { held = now }
            return now == held && now > 2
        }
        #expect(held <= 40, "\(held) buffers are held")
        withExtendedLifetime(client) {}
    }

    @Test func aPooledConnectionWhoseLastClientWasSlowIsWatchedAgain() throws {
        let origin = try OriginServer { request, socket in
            let size = Int(request.target.dropFirst()) ?? 0
            try socket.send(
                Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8) + [UInt8](repeating: 1, count: size))
            // Keep-alive was promised, yet the connection closes.
            return false
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        // The sizes around what two sockets hold, so that some answer ends while its client is full.
        for step in 0..<24 {
            let size = 4_100_000 + step * 20_000
            var client = try gateway.client()
            try client.socket.send("GET /\(size) HTTP/1.1\r\nHost: example.com\r\n\r\n")
            try eventually("the gateway has taken what it takes") { try gateway.stats().buffersInUse > 0 }
            let isWhole = try client.response().body.count == size
            #expect(isWhole)
            try eventually("the closed connection has left the pool") { try gateway.stats().upstreamConnections == 0 }
        }
    }

    @Test func noMoreThanOneReadIsTakenBehindTheRequestBeingServed() throws {
        let mayAnswer = TestSignal()
        let origin = try OriginServer { request, socket in
            if request.target == "/first" { try mayAnswer.wait("the answer may be sent") }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        let first = "GET /first HTTP/1.1\r\nHost: example.com\r\n\r\n"
        try client.socket.send(first)
        try eventually("the request is being served") { origin.requests.count == 1 }
        let requests = String(repeating: "GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n", count: 20_000)
        let sender = client.socket
        let crew = TestCrew(1) { _ in try sender.send(requests) }
        var held = -1
        try eventually("the gateway has stopped reading") {
            usleep(50_000)
            let now = try gateway.stats().buffersInUse
            defer { held = now }
            return now == held
        }
        #expect(held <= 4, "\(held) buffers are held")
        mayAnswer.raise()
        for _ in 0...20_000 { #expect(try client.response().status == 200) }
        try crew.join()
    }

    @Test func theFullestHeadsHaveRoomForTheGatewaysLines() throws {
        let lines = (0..<98).map { "X-Line-\($0): \($0)\r\n" }.joined()
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(lines)X-Last: 1\r\n\r\nok")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\(lines)X-Last: 1\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 200 && answer["x-last"] == "1" && answer["server"] == "weir")
        let request = try #require(origin.requests.first)
        #expect(request["x-last"] == "1" && request["x-request-id"] != nil && request.headers.count > 100)
    }

    @Test func manyForwardedForLinesBecomeOne() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        let lines = (0..<90).map { ("X-Forwarded-For", "10.0.0.\($0)") } + [("X-Forwarded-For", "")]
        #expect(try client.request(headers: lines).status == 200)
        let expected = (0..<90).map { "10.0.0.\($0)" }.joined(separator: ",") + ",127.0.0.1"
        #expect(origin.requests.first?.all("x-forwarded-for") == [expected])
    }

    /// Only a reset can be noticed: an orderly end queues behind bytes the gateway has no room for.
    @Test func aClientThatBreaksAStalledUploadOffIsNoticed() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            // Reads nothing of the body; ends when its peer does.
            while !socket.peerHasGone { usleep(5_000) }
        })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        do {
            let client = try gateway.client()
            let sender = BackgroundSender(
                client.socket,
                prefix: "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 60000000\r\n\r\n", size: 60_000_000)
            var held = -1
            try eventually("the gateway stops reading") {
                usleep(50_000)
                let now = try gateway.stats().buffersInUse
                defer { held = now }
                return now == held && now > 2
            }
            client.socket.resetOnClose()
            client.socket.disconnect()
            withExtendedLifetime(sender) {}
        }
        try eventually("nothing is left") {
            let stats = try gateway.stats()
            return stats.activeExchanges == 0 && stats.activeConnections == 0 && stats.upstreamConnections == 0
        }
    }

    @Test func aClientThatLeavesBehindPipelinedRequestsIsNoticed() throws {
        let origin = try Self.silentOrigin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        do {
            let client = try gateway.client()
            try client.socket.send(String(repeating: "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", count: 3))
            try eventually("the request is at the origin") { origin.requests.count == 1 }
        }
        try eventually("the upstream connection is closed") { origin.endedConnections == 1 }
        try eventually("nothing is left") { try gateway.stats().activeExchanges == 0 }
    }
}
