import Testing
import WeirTestSupport

@testable import WeirEngine

/// What a client of HTTP/2 may ask for, take its time for, and change its mind about.
@Suite struct H2LimitTests {
    typealias Frame = H2TestFrame

    private static let calm = 11

    @Test func theFirstFramesSayWhatAClientMayDo() throws {
        let talk = try H2Conversation()
        let settings = try #require(talk.client.frames(Frame.settings).first?.payload)
        var values: [Int: Int] = [:]
        for start in stride(from: 0, to: settings.count, by: 6) {
            values[Int(settings[start]) << 8 | Int(settings[start + 1])] =
                settings[(start + 2)..<(start + 6)].reduce(0) { $0 << 8 | Int($1) }
        }
        #expect(
            values == [
                3: H2Limits.maxStreams, 4: H2Limits.streamWindowBytes, 6: H2Limits.maxHeaderListBytes, 8: 1, 9: 1,
            ])
        #expect(talk.client.frames(Frame.windowUpdate).first?.payload == Frame.number(2 * 1024 * 1024 - 65_535))
    }

    @Test func headsBeyondTheLimitsAreAnswered431() throws {
        for fields in [
            (0..<97).map { ("x-\($0)", "v") }, [("x-long", String(repeating: "a", count: 15_900))],
        ] {
            let talk = try H2Conversation()
            try talk.send(talk.get(1, "/missing-cluster", fields))
            try talk.run(until: "the answer ends") { $0.hasEnded(1) }
            #expect(talk.client.statuses(1) == [503])
        }
        let talk = try H2Conversation()
        try talk.send(talk.get(1, "/missing-cluster", (0..<101).map { ("x-\($0)", "v") }))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [431])
        #expect(talk.client.goAwayCode == nil)
    }

    @Test func aHeadOfManyFramesIsReadUpToItsLimit() throws {
        for (frames, status) in [(3, 503), (4, 431)] {
            let talk = try H2Conversation()
            var parts = [
                Frame(
                    Frame.headers, flags: 1, stream: 1,
                    H2TestClient.block(H2TestClient.request("GET", "/missing-cluster")))
            ]
            for number in 0..<frames {
                parts.append(
                    Frame(
                        Frame.continuation, stream: 1,
                        H2TestClient.block([("x-\(number)", String(repeating: "a", count: 16_000))])))
            }
            parts[frames].flags |= Frame.endHeaders
            try talk.send(parts)
            try talk.run(until: "the answer ends") { $0.hasEnded(1) }
            #expect(talk.client.statuses(1) == [status])
        }
    }

    @Test func aHeadWithoutEndEndsTheConnection() throws {
        let talk = try H2Conversation()
        let part = H2TestClient.block([("x-a", "b")])
        try talk.send([Frame(Frame.headers, stream: 1, H2TestClient.block(H2TestClient.request()))])
        try talk.send(
            Array(repeating: Frame(Frame.continuation, stream: 1, part), count: H2Limits.maxContinuations + 1))
        #expect(try talk.connectionError() == Self.calm)
    }

    @Test func anEntryReferredToAgainAndAgainEndsTheConnection() throws {
        let talk = try H2Conversation()
        let value = Array(repeating: UInt8(ascii: "B"), count: 3900)
        let entry: [UInt8] = [0x40, 6] + Array("x-bomb".utf8) + [0x7f, 0xbd, 0x1d] + value
        let block = H2TestClient.block(H2TestClient.request()) + entry + Array(repeating: 0xbe, count: 10_000)
        try talk.send(Frame(Frame.headers, flags: Frame.endHeaders | 1, stream: 1, block))
        #expect(try talk.connectionError() == Self.calm)
        #expect(talk.gateway.stats().requests == 0)
    }

    @Test(
        arguments: [
            H2TestFrame.ping, H2TestFrame.settings, H2TestFrame.priority, UInt8(0x42), H2TestFrame.windowUpdate,
        ] as [UInt8])
    func framesThatBringNothingOnAreBounded(_ type: UInt8) throws {
        let talk = try H2Conversation()
        let frame =
            switch type {
            case H2TestFrame.ping: Frame(type, [0, 0, 0, 0, 0, 0, 0, 0])
            case H2TestFrame.priority: Frame(type, stream: 3, [0, 0, 0, 0, 0])
            case H2TestFrame.windowUpdate: Frame.windowUpdate(0, by: 1)
            default: Frame(type)
            }
        for _ in 0..<(H2Limits.idleFrames / 100) {
            try? talk.send(Array(repeating: frame, count: 100))
            talk.gateway.worker.loop.tick(wait: false)
            try talk.run(until: "nothing") { _ in true }
        }
        try? talk.send(Array(repeating: frame, count: 100))
        #expect(try talk.connectionError() == Self.calm)
    }

    @Test func answersToControlFramesThatWaitAreBounded() throws {
        let ping = Frame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8])
        let talk = try H2Conversation()
        try talk.send(Array(repeating: ping, count: H2Limits.maxQueuedAcks))
        try talk.run(until: "all are answered") { $0.frames(Frame.ping).count == H2Limits.maxQueuedAcks }
        let other = try H2Conversation()
        try other.send(Array(repeating: ping, count: H2Limits.maxQueuedAcks + 1))
        #expect(try other.connectionError() == Self.calm)
    }

    @Test func settingsOfOneFrameAreBounded() throws {
        let entry: [UInt8] = [0, 0x20, 0, 0, 0, 1]
        for (count, code) in [(H2Limits.maxSettings, nil), (H2Limits.maxSettings + 1, Self.calm)] as [(Int, Int?)] {
            let talk = try H2Conversation()
            try talk.send(Frame(Frame.settings, Array(repeating: entry, count: count).flatMap(\.self)))
            try? talk.send(talk.get(1, "/missing-cluster"))
            try talk.run(until: "an answer or the end") { $0.hasEnded(1) || $0.hasEnded }
            #expect(talk.client.goAwayCode == code)
        }
    }

    @Test func aClientThatTakesBackOneRequestAfterAnotherIsCutOff() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        for number in 0...H2ServerLimits.wastedStreams {
            let stream = 2 * number + 1
            try? talk.send(talk.get(stream), .reset(stream, code: 8))
            if number % 20 == 0 { try talk.run(until: "nothing") { _ in true } }
        }
        #expect(try talk.connectionError() == Self.calm)
        try talk.awaitExchanges(0)
    }

    @Test func requestsThatAreAnsweredMakeUpForThoseTakenBack() throws {
        let talk = try H2Conversation()
        var stream = 1
        for _ in 0..<(2 * H2ServerLimits.wastedStreams) {
            try talk.send(talk.post(stream), .reset(stream, code: 8), talk.get(stream + 2, "/missing-cluster"))
            try talk.run(until: "the answer ends") { $0.hasEnded(stream + 2) }
            stream += 4
        }
        #expect(talk.client.goAwayCode == nil)
    }

    @Test func streamsBeyondTheAnnouncedNumberAreRefused() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send((0...H2Limits.maxStreams).map { talk.get(2 * $0 + 1) })
        let last = 2 * H2Limits.maxStreams + 1
        try talk.run(until: "the last one is refused") { $0.resetCode(last) != nil }
        #expect(talk.client.resetCode(last) == 7)
        try talk.awaitExchanges(H2Limits.maxStreams)
    }

    // MARK: Times

    @Test func aPrefaceThatIsNotWholeIn15SecondsEndsTheConnection() throws {
        let talk = try H2Conversation(greets: false)
        try talk.gateway.run(until: "the connection is accepted") { talk.gateway.worker.connectionCount == 1 }
        try talk.client.socket.send("PRI * HT")
        try talk.gateway.run(until: "the bytes are read") { talk.gateway.worker.loop.pool.inUse > 1 }
        talk.gateway.advance(milliseconds: H1ServerLimits.headMilliseconds)
        try talk.run(until: "the connection is ended") { $0.hasEnded }
    }

    @Test func aHeadThatIsNotWholeIn15SecondsEndsTheConnection() throws {
        let talk = try H2Conversation()
        try talk.send(Frame(Frame.headers, stream: 1, H2TestClient.block(H2TestClient.request())))
        try talk.gateway.run(until: "the head begins") { talk.gateway.worker.loop.pool.inUse > 1 }
        talk.gateway.advance(milliseconds: H2ServerLimits.headMilliseconds - 1)
        #expect(talk.gateway.worker.connectionCount == 1)
        talk.gateway.advance(milliseconds: 1)
        #expect(try talk.connectionError() == 1)
    }

    @Test func aBodyWithoutProgressFor60SecondsIsAnswered408() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.post(1), H2TestClient.data(1, "a", ends: false))
        try talk.awaitOrigin(origin)
        talk.gateway.advance(milliseconds: 30_000)
        try talk.send(H2TestClient.data(1, "b", ends: false))
        try talk.settle()
        talk.gateway.advance(milliseconds: H2ServerLimits.bodyStallMilliseconds - 1)
        try talk.awaitExchanges(1)
        talk.gateway.advance(milliseconds: 1)
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        #expect(talk.client.statuses(1) == [408])
        try talk.awaitExchanges(0)
    }

    @Test func aStreamOfGRPCMayBeSilent() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let talk = try H2Conversation(origins: [origin.port])
        try talk.send(talk.post(1, [("content-type", "application/grpc")]))
        try talk.awaitOrigin(origin)
        talk.gateway.advance(milliseconds: 3_600_000)
        try talk.awaitExchanges(1)
    }

    @Test func aConnectionWithoutARequestEndsAfterAnHour() throws {
        let talk = try H2Conversation()
        talk.gateway.advance(milliseconds: H1ServerLimits.idleMilliseconds - 1)
        try talk.send(talk.get(1, "/missing-cluster"))
        try talk.run(until: "the answer ends") { $0.hasEnded(1) }
        talk.gateway.advance(milliseconds: H1ServerLimits.idleMilliseconds - 1)
        #expect(talk.gateway.worker.connectionCount == 1)
        talk.gateway.advance(milliseconds: 1)
        #expect(try talk.connectionError() == 0)
    }
}
