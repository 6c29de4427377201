import Testing
import WeirTestSupport

@testable import WeirEngine

/// Requests over a client's HTTP/2 connection, and their answers.
@Suite struct H2ServingTests {
    typealias Frame = H2TestFrame

    @Test func manyRequestsAreServedAtOnceEachOnItsStream() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        let streams = (0..<20).map { 2 * $0 + 1 }
        try talk.send(streams.map { talk.get($0, "/number-\($0)") })
        try talk.run(until: "all answers end") { client in streams.allSatisfy { client.hasEnded($0) } }
        for stream in streams {
            #expect(String(decoding: talk.client.body(stream), as: UTF8.self) == "/number-\(stream)")
        }
        #expect(talk.client.frames(Frame.reset).isEmpty)
    }

    @Test func aRequestArrivesAsHTTP1WithItsCookiesInOneLine() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        let fields = [
            ("cookie", "a=1"), ("cookie", "b=2"), ("x-own", "1"), ("cookie", "c=3"), ("te", "trailers"),
            ("http2-settings", "AAMAAABk"),
        ]
        try talk.send(H2TestClient.head(1, H2TestClient.request("POST", "/a/../b?q", fields), ends: false))
        try talk.send(H2TestClient.data(1, "hel", ends: false), H2TestClient.data(1, "lo"))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        let request = try #require(origin.requests.first)
        #expect(request.method == "POST" && request.target == "/b?q")
        #expect(request["cookie"] == "a=1; b=2; c=3")
        #expect(request["te"] == "trailers" && request["http2-settings"] == nil)
        #expect(request["host"] == "example.com")
        #expect(request["transfer-encoding"] == "chunked")
        #expect(String(decoding: request.body, as: UTF8.self) == "hello")
    }

    @Test func anAnswerThatIsCutOffIsAResetAndNeverAnEnd() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.get(1))
        try talk.run(until: "the stream is reset") { $0.resetCode(1) != nil }
        #expect(talk.client.resetCode(1) == 2 && !talk.client.hasEnded(1))
        #expect(talk.client.goAwayCode == nil)
    }

    @Test func informationalAnswersComeBeforeTheFinalOne() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.get(1))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [103, 204])
    }

    @Test func anAnswerToHEADHasALengthAndNoBody() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(H2TestClient.head(1, H2TestClient.request("HEAD", "/")))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [200] && talk.client.body(1).isEmpty)
    }

    @Test func aClientThatTakesARequestBackStopsTheOriginsWork() throws {
        let ended = Flag()
        let origin = try OriginServer(raw: { reader, _ in
            _ = try reader.nextHead()
            while try !reader.someBytes().isEmpty {}
            ended.raise()
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.get(1))
        try talk.awaitOrigin(origin)
        try talk.send(.reset(1, code: 8))
        try talk.run(until: "the origin's connection is closed") { _ in ended.isRaised }
        try talk.awaitExchanges(0)
    }

    @Test func anEarlyAnswerIsWholeAndTheRestOfTheRequestIsNotWanted() throws {
        let talk = try H2Conversation()
        try talk.send(H2TestClient.head(1, H2TestClient.request("POST", "/missing-cluster"), ends: false))
        try talk.run(until: "the rest is not wanted") { $0.resetCode(1) != nil }
        #expect(talk.client.resetCode(1) == 0)
        #expect(talk.client.statuses(1) == [503] && talk.client.hasEnded(1))
    }

    @Test func aClientWithoutWindowHoldsBackItsOwnAnswerAlone() throws {
        let origin = try OriginServer { request, socket in
            let count = request.target == "/big" ? 3_000_000 : 10
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: \(count)\r\n\r\n")
            try? socket.send([UInt8](repeating: 7, count: count))
            return true
        }
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(.windowUpdate(0, by: 10_000_000))
        try talk.send(talk.get(1, "/big"), talk.get(3, "/small"))
        try talk.run(until: "the other answer ends, and the window is used up") {
            $0.hasEnded(3) && $0.body(1).count == 65_535
        }
        #expect(!talk.client.hasEnded(1))
        #expect(talk.gateway.stats().buffersInUse < 40)
        try talk.send(.windowUpdate(1, by: 10_000_000))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.body(1).count == 3_000_000)
    }

    @Test func aTunnelIsOpenedWithAnOrdinaryAnswerAndPassesBytesBothWays() throws {
        let origin = try OriginServer(raw: { reader, socket in
            let head = try #require(try reader.nextHead())
            guard head.method == "GET", head["upgrade"] == "websocket", head["sec-websocket-key"]?.count == 24 else {
                return
            }
            try socket.send(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                    + "sec-websocket-accept: x\r\n\r\n")
            while true {
                let bytes = try reader.someBytes()
                if bytes.isEmpty { return }
                try socket.send(bytes)
            }
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        let fields = H2TestClient.request("CONNECT", "/chat") + [(":protocol", "websocket")]
        try talk.send(H2TestClient.head(1, fields, ends: false))
        try talk.run(until: "the tunnel opens") { $0.statuses(1) == [200] }
        try talk.send(H2TestClient.data(1, "hello", ends: false))
        try talk.run(until: "the bytes come back") { $0.body(1) == Array("hello".utf8) }
        try talk.send(H2TestClient.data(1, "", ends: true))
        try talk.run(until: "the tunnel ends") { $0.hasEnded(1) }
    }

    @Test func drainingServesWhatHasBegunAndThenEndsTheConnection() throws {
        let release = Flag()
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try eventually("the answer may come") { release.isRaised }
            try socket.send("HTTP/1.1 204 No Content\r\n\r\n")
        })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.get(1))
        try talk.awaitOrigin(origin)
        let done = Flag()
        talk.gateway.drain(done)
        try talk.run(until: "the end is announced") { $0.goAwayStream == 0x7fff_ffff }
        // One that was on its way.
        try talk.send(talk.get(3, "/missing-cluster"))
        try talk.run(until: "it is served") { $0.hasEnded(3) }
        talk.gateway.advance(milliseconds: H2ServerLimits.drainNoticeMilliseconds)
        try talk.run(until: "the end is near") { $0.goAwayStream == 3 }
        release.raise()
        try talk.run(until: "the connection ends behind its last answer") { $0.hasEnded }
        #expect(talk.client.statuses(1) == [204])
        talk.client.socket.shutDown()
        try talk.run(until: "all is drained") { _ in done.isRaised }
    }
}
