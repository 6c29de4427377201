import Testing
import WeirTestSupport

@testable import WeirEngine

/// What RFC 9113 leaves no choice about, met with raw frames.
@Suite struct H2StrictnessTests {
    typealias Frame = H2TestFrame

    private static let flowControlError = 3
    private static let streamClosed = 5
    private static let protocolError = 1

    /// A conversation whose stream 1 both sides have ended.
    private func afterAnAnswer() throws -> H2Conversation {
        let talk = try H2Conversation()
        try talk.send(talk.get(1, "/missing-cluster"))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        return talk
    }

    // MARK: Frames on closed streams (section 5.1)

    @Test func dataBehindBothSidesEndsIsAConnectionError() throws {
        let talk = try afterAnAnswer()
        try talk.send(H2TestClient.data(1, "more"))
        #expect(try talk.connectionError() == Self.streamClosed)
    }

    @Test func aHeadBehindBothSidesEndsIsAConnectionError() throws {
        let talk = try afterAnAnswer()
        try talk.send(talk.get(1))
        #expect(try talk.connectionError() == Self.streamClosed)
    }

    @Test func dataBehindTheClientsOwnResetIsAConnectionError() throws {
        let talk = try H2Conversation()
        try talk.send(talk.post(1), .reset(1, code: 8), H2TestClient.data(1, "more"))
        #expect(try talk.connectionError() == Self.streamClosed)
    }

    @Test func aHeadBehindTheClientsOwnResetIsAConnectionError() throws {
        let talk = try H2Conversation()
        try talk.send(talk.post(1), .reset(1, code: 8), talk.get(1))
        #expect(try talk.connectionError() == Self.streamClosed)
    }

    @Test func aStreamBelowAnEarlierOneThatWasNeverOpenedIsAConnectionError() throws {
        let talk = try H2Conversation()
        try talk.send(talk.get(5, "/missing-cluster"))
        try talk.run(until: "the answer ends") { $0.hasEnded(5) }
        try talk.send(talk.get(3))
        #expect(try talk.connectionError() == Self.protocolError)
    }

    @Test func framesThatWereOnTheirWayWhenWeResetAStreamAreIgnored() throws {
        let talk = try H2Conversation()
        // An early answer, and the rest of the request that its client had sent by then.
        try talk.send(H2TestClient.head(1, H2TestClient.request("POST", "/missing-cluster"), ends: false))
        try talk.run(until: "the rest is not wanted") { $0.resetCode(1) == 0 }
        try talk.send(H2TestClient.data(1, "late", ends: false), H2TestClient.data(1, "", ends: true))
        try talk.settle()
        try talk.send(talk.get(3, "/missing-cluster"))
        try talk.run(until: "the next request is served") { $0.hasEnded(3) }
        #expect(talk.client.statuses(1) == [503])
    }

    @Test func dataBehindTheRequestsEndResetsItsStream() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.get(1), H2TestClient.data(1, "more"))
        try talk.run(until: "the stream is reset") { $0.resetCode(1) == Self.streamClosed || $0.goAwayCode != nil }
        try talk.awaitExchanges(0)
    }

    /// Also when they come in pieces, and between those much else goes out (RFC 9113 section 6.9.2).
    @Test func settingsThatOverflowAWindowAreAConnectionError() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        let largest = UInt32(Int32.max)
        try talk.send(talk.post(1), Frame.windowUpdate(1, by: largest - 65_535))
        try talk.awaitOrigin(origin)
        let settings = Frame(Frame.settings, [0, 4] + Frame.number(65_536)).bytes
        try talk.client.socket.send(Array(settings.prefix(10)))
        try talk.gateway.run(until: "the beginning is read") { talk.gateway.worker.loop.pool.inUse > 0 }
        talk.gateway.advance(milliseconds: 10)
        try talk.client.socket.send(Array(settings.dropFirst(10)))
        #expect(try talk.connectionError() == Self.flowControlError)
        try talk.awaitExchanges(0)
    }

    @Test func settingsThatFillAWindowAreTaken() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(
            talk.post(1), Frame.windowUpdate(1, by: UInt32(Int32.max) - 65_536), talk.get(3, "/missing-cluster"),
            Frame(Frame.settings, [0, 4] + Frame.number(65_536)), talk.get(5, "/missing-cluster"))
        try talk.run(until: "the answers end") { $0.hasEnded(3) && $0.hasEnded(5) }
        #expect(talk.client.goAwayCode == nil && talk.client.resetCode(1) == nil)
    }

    /// Although priorities are looked at nowhere else.
    @Test func theAccessLogSaysWhichProtocolARefusedRequestCameOver() throws {
        let log = try AccessLog(
            format: AccessLogFormat("%PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"),
            workers: 1)
        let talk = try H2Conversation(accessLog: log)
        try talk.send(talk.get(1, "/", [("connection", "close")]))
        try talk.run(until: "the stream is reset") { $0.resetCode(1) != nil }
        try talk.send(talk.get(3, "/", (0..<120).map { ("x-\($0)", "y") }))
        try talk.run(until: "an answer ends") { $0.hasEnded(3) }
        let lines = String(decoding: log.rings[0].waiting, as: UTF8.self)
        #expect(
            lines == "HTTP/2 0 DPE http2.violation.of.messaging.rule\nHTTP/2 431 DPE http2.too_many_headers\n")
    }

    @Test func aPriorityOfNoStreamIsAConnectionError() throws {
        let talk = try H2Conversation()
        try talk.send(Frame(Frame.priority, stream: 0, [0, 0, 0, 0, 0]))
        #expect(try talk.connectionError() == Self.protocolError)
    }

    // MARK: Heads

    @Test(arguments: [
        [("x-a", "b\r\nx-evil: 1")], [("x-a", "b\nx-evil: 1")], [("x-a", "b\0c")], [("X-A", "b")], [("x a", "b")],
        [("x-a: b", "c")], [("", "b")], [("connection", "close")], [("transfer-encoding", "chunked")],
        [("upgrade", "websocket")], [("keep-alive", "1")], [("te", "gzip")], [(":evil", "1")], [(":status", "200")],
        [("x", "y"), (":path", "/b")], [(":path", "/b")],
    ])
    func aFieldThatCouldBeReadInTwoWaysResetsItsStream(_ fields: [(String, String)]) throws {
        let talk = try H2Conversation()
        try talk.send(talk.get(1, "/missing-cluster", fields))
        try talk.run(until: "the stream is reset") { $0.resetCode(1) == Self.protocolError }
        try talk.send(talk.get(3, "/missing-cluster"))
        try talk.run(until: "the next request is served") { $0.hasEnded(3) }
        #expect(talk.client.statuses(1).isEmpty)
    }

    @Test(arguments: [
        ("FOO", "/", "example.com", 400), ("get", "/", "example.com", 400), ("GET", "/a b", "example.com", 0),
        ("GET", "", "example.com", 0), ("GET", "x", "example.com", 0), ("GET", "/%00", "example.com", 400),
        ("GET", "/", "u@example.com", 400), ("GET", "/", "a,b", 400), ("OPTIONS", "*", "example.com", 404),
        ("GET", "*", "example.com", 0), ("GET", "/\u{e9}", "example.com", 400),
    ])
    func aRequestThatCannotBeServedIsAnsweredOrReset(
        method: String, path: String, authority: String, status: Int
    ) throws {
        let talk = try H2Conversation()
        try talk.send(H2TestClient.head(1, H2TestClient.request(method, path, authority: authority)))
        try talk.run(until: "the stream is over") { $0.hasEnded(1) || $0.resetCode(1) != nil }
        #expect(talk.client.statuses(1) == (status == 0 ? [] : [status]))
        #expect(talk.client.goAwayCode == nil)
    }

    @Test func aHostMayRepeatTheAuthorityAndNotContradictIt() throws {
        let talk = try H2Conversation()
        try talk.send(talk.get(1, "/missing-cluster", [("host", "EXAMPLE.com")]))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [503])
        try talk.send(talk.get(3, "/missing-cluster", [("host", "evil.example")]))
        try talk.run(until: "the answer ends") { $0.hasEnded(3) }
        #expect(talk.client.statuses(3) == [400])
    }

    @Test func aHostStandsInForAnAuthority() throws {
        let talk = try H2Conversation()
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/missing-cluster"), ("host", "example.com")]
        try talk.send(H2TestClient.head(1, fields))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [503])
    }

    @Test func connectIsForNoRoute() throws {
        let talk = try H2Conversation()
        try talk.send(H2TestClient.head(1, [(":method", "CONNECT"), (":authority", "example.com:443")], ends: false))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [404])
    }

    @Test func aTunnelForAnotherProtocolThanWebSocketIsRefused() throws {
        let talk = try H2Conversation()
        let fields = H2TestClient.request("CONNECT", "/") + [(":protocol", "connect-udp")]
        try talk.send(H2TestClient.head(1, fields, ends: false))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [403])
    }

    // MARK: Bodies

    @Test(arguments: ["9", "2"])
    func aBodyOfAnotherLengthThanDeclaredIsNotCompleted(_ length: String) throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.post(1, [("content-length", length)]), H2TestClient.data(1, "hello"))
        try talk.run(until: "the stream is reset") { $0.resetCode(1) == Self.protocolError }
        try talk.awaitExchanges(0)
        #expect(origin.requests.isEmpty)
    }

    @Test(arguments: ["+5", "5, 5", "", "0x5"])
    func aLengthThatIsNoNumberIsRefused(_ length: String) throws {
        let talk = try H2Conversation()
        try talk.send(talk.post(1, [("content-length", length)]), H2TestClient.data(1, "hello"))
        try talk.run(until: "the stream is over") { $0.hasEnded(1) || $0.resetCode(1) != nil }
        #expect(talk.client.statuses(1).allSatisfy { $0 == 400 })
    }

    // MARK: The preface

    @Test func bytesThatAreNoPrefaceBehindItsBeginningAreRefusedAsHTTP1() throws {
        let talk = try H2Conversation(greets: false)
        try talk.client.socket.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        try talk.gateway.run(until: "an answer comes") { talk.client.socket.hasInput }
        let answer = String(decoding: try talk.client.socket.receive(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func thePrefaceMayComeByteByByte() throws {
        let talk = try H2Conversation(greets: false)
        for byte in H2TestClient.preface {
            try talk.client.socket.send([byte])
            talk.gateway.worker.loop.tick(wait: true)
        }
        try talk.send(Frame(Frame.settings), talk.get(1, "/missing-cluster"))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [503])
        #expect(talk.gateway.worker.acceptedCount == 1)
        #expect(talk.gateway.worker.connectionCount == 1)
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "PROPFIND"])
    func aMethodThatBeginsLikeThePrefaceIsHTTP1(_ method: String) throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        for byte in "\(method) /missing-cluster HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n".utf8 {
            try client.socket.send([byte])
            gateway.worker.loop.tick(wait: true)
        }
        #expect(try gateway.answer(&client).status == 503)
    }

    @Test func aPrefaceBehindAnHTTP1RequestIsRefused() throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        try client.socket.send("GET /missing-cluster HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try gateway.answer(&client).status == 503)
        try client.socket.send(H2TestClient.preface)
        #expect(try gateway.answer(&client).status == 400)
    }
}
