import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Requests to endpoints that are spoken to in HTTP/2.
@Suite struct UpstreamHTTP2Tests {
    private static let get = "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"

    private static func gateway(
        _ origin: OriginServer, retries: Bool = false, _ configure: (inout ClusterSpec) -> Void = { _ in }
    ) throws -> SteppedGateway {
        try SteppedGateway(
            origins: [origin.port],
            configure: {
                $0.httpVersion = .http2
                configure(&$0)
            }, routing: { if retries { $0.retry = .standard } })
    }

    /// Answers every request on every connection.
    private static func answering(maxStreams: UInt32? = nil) throws -> OriginServer {
        try makeH2Origin { _, peer in
            try peer.sendSettings(maxStreams: maxStreams)
            while true { try peer.answer(try peer.request()) }
        }
    }

    private static func answer(_ gateway: SteppedGateway, _ client: inout TestClient) throws -> TestMessage {
        try client.socket.send(get)
        return try gateway.answer(&client)
    }

    @Test func requestsThatComeTogetherShareAConnectionThatIsStillBeingOpened() throws {
        let arrived = Guarded<[UInt32]>([])
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            var streams: [UInt32] = []
            while streams.count < 10 { streams.append(try peer.request()) }
            arrived.withLock { $0 = streams }
            for stream in streams.reversed() { try peer.answer(stream, "\(stream)") }
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var clients: [TestClient] = []
        for _ in 0..<10 { clients.append(try gateway.client()) }
        for client in clients { try client.socket.send(Self.get) }
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(arrived.withLock { $0 } == (0..<10).map { 2 * $0 + 1 })
        #expect(origin.acceptedConnections == 1)
        #expect(gateway.stats().upstreamConnections == 1 && gateway.stats().idleUpstreamConnections == 1)
    }

    @Test func aConnectionCarriesNoMoreRequestsThanItsPeerTakes() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings(maxStreams: 1)
            let stream = try peer.request()
            try peer.sendHead(stream)
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        let clients = try (0..<3).map { _ in try gateway.client() }
        for client in clients { try client.socket.send(Self.get) }
        for client in clients { try gateway.run(until: "a head arrives") { client.socket.hasInput } }
        #expect(origin.acceptedConnections == 3)
    }

    @Test func moreRequestsThanAConnectionMayTakeOpenAnother() throws {
        let isOpen = Flag()
        let origin = try makeH2Origin { _, peer in
            while !isOpen.isRaised { usleep(1000) }
            try peer.sendSettings()
            while true { try peer.answer(try peer.request()) }
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var clients = try (0..<(H2ClientConnection.streamsBeforeSettings + 1)).map { _ in try gateway.client() }
        for client in clients { try client.socket.send(Self.get) }
        try gateway.run(until: "all requests wait") { gateway.activeExchanges == clients.count }
        #expect(gateway.stats().upstreamConnections == 2)
        isOpen.raise()
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).status == 200) }
        #expect(origin.acceptedConnections == 2)
    }

    @Test func aClusterMayAllowFewerRequestsOnAConnection() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            try peer.sendHead(try peer.request())
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin) { $0.maxConcurrentStreams = 1 }
        let clients = try (0..<2).map { _ in try gateway.client() }
        for client in clients { try client.socket.send(Self.get) }
        for client in clients { try gateway.run(until: "a head arrives") { client.socket.hasInput } }
        #expect(origin.acceptedConnections == 2)
    }

    @Test func bodiesGoBothWays() throws {
        let received = Guarded<[UInt8]>([])
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            while true {
                let frame = try peer.next(H2TestPeer.Frame.data)
                received.withLock { $0 += frame.payload }
                if frame.isLast { break }
            }
            try peer.sendHead(stream)
            try peer.sendBody(stream, "one ", isLast: false)
            try peer.sendBody(stream, "two")
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(
            "POST /a HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        try gateway.run(until: "the answer is complete") {
            received.withLock { $0.count } == 5 && gateway.activeExchanges == 0
        }
        #expect(try client.response().text == "one two")
        #expect(received.withLock { $0 } == Array("abcde".utf8))
    }

    @Test func aRefusedRequestIsTriedAgainWhereTheRouteSaysSo() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            try peer.sendReset(try peer.request(), .refusedStream)
            try peer.answer(try peer.request())
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin, retries: true)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "an answer arrives") {
            gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        #expect(try client.response().text == "ok")
        #expect(gateway.stats().upstreamRetries == 1 && origin.acceptedConnections == 1)
    }

    @Test func aResetOfTheEndpointsIsTold() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            try peer.sendReset(try peer.request(), .internalError)
            try peer.answer(try peer.request())
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin, retries: true)
        var client = try gateway.client()
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 503 && answer.text.hasSuffix("reset reason: remote reset"))
        #expect(try Self.answer(gateway, &client).text == "ok")
        #expect(origin.acceptedConnections == 1)
    }

    @Test func anAnswerThatIsBrokenOffIsNotTakenForAWholeOne() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            try peer.sendHead(stream)
            try peer.sendBody(stream, "half", isLast: false)
            try peer.sendReset(stream, .cancel)
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.end(client)
        let answer = try client.response()
        #expect(answer.status == 200 && answer.isTruncated)
    }

    @Test func aRequestThatAnEndpointHasNotLookedAtGoesElsewhereUncounted() throws {
        let origin = try makeH2Origin { number, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            if number == 1 {
                try peer.sendGoAway(last: 0)
                _ = try? peer.next(H2TestPeer.Frame.goAway)
            } else {
                try peer.answer(stream, "\(number)")
                _ = try peer.next(H2TestPeer.Frame.goAway)
            }
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client).text == "2")
        #expect(gateway.stats().upstreamRetries == 0)
    }

    @Test func aRequestThatMovesWithinAnEndpointThatHasLeftLeavesNoConnectionBehind() throws {
        let leaves = Flag()
        let origin = try makeH2Origin { number, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            if number == 1 {
                while !leaves.isRaised { usleep(500) }
                try peer.sendGoAway(last: 0)
            } else {
                try peer.answer(stream, "\(number)")
            }
            _ = try? peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "the request is under way") { gateway.activeExchanges == 1 }
        try gateway.adopt(generation: 2, origins: []) { $0.httpVersion = .http2 }
        leaves.raise()
        #expect(try gateway.answer(&client).text == "2")
        try gateway.run(until: "no connection is left") { gateway.stats().upstreamConnections == 0 }
    }

    @Test func aConnectionThatNobodyWantsAnyMoreWhenItOpensIsClosedIfItsEndpointHasLeft() throws {
        let greets = Flag()
        let origin = try makeH2Origin { _, peer in
            while !greets.isRaised { usleep(500) }
            try peer.sendSettings()
            _ = try peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        let client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "the request waits") { gateway.activeExchanges == 1 }
        try gateway.adopt(generation: 2, origins: []) { $0.httpVersion = .http2 }
        client.socket.disconnect()
        try gateway.run(until: "its client has left") { gateway.activeExchanges == 0 }
        #expect(gateway.stats().upstreamConnections == 1)
        greets.raise()
        try gateway.run(until: "no connection is left") { gateway.stats().upstreamConnections == 0 }
    }

    @Test func anEndpointThatTakesNothingAtAllIsGivenUpOn() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            _ = try peer.request()
            try peer.sendGoAway(last: 0)
            _ = try? peer.next(H2TestPeer.Frame.goAway)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 503 && answer.text.hasSuffix("remote refused stream reset"))
        #expect(origin.acceptedConnections == 1 + H2Pool.maxMoves)
    }

    @Test func whatWasTakenBeforeTheEndpointSaidGoodbyeIsAnswered() throws {
        let origin = try makeH2Origin { number, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            if number == 1 { try peer.sendGoAway(last: stream) }
            try peer.answer(stream, "\(number)")
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client).text == "1")
        #expect(try Self.answer(gateway, &client).text == "2")
    }

    @Test func aLostConnectionFailsWhatWasSentOverIt() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            _ = try peer.request()
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 503 && answer.text.hasSuffix("reset reason: connection termination"))
        #expect(gateway.stats().upstreamConnections == 0 && gateway.activeExchanges == 0)
    }

    @Test func anEndpointThatSpeaksHTTP1IsFoundOut() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.someBytes()
            try socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            while try !reader.someBytes().isEmpty {}
        })
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 502 && answer.text.hasSuffix("reset reason: protocol error"))
    }

    @Test func anEndpointThatNeverSaysItsSettingsRunsIntoTheConnectTimeout() throws {
        let origin = try makeH2Origin { _, peer in while true { _ = try peer.next() } }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "the connection is there") { origin.acceptedConnections == 1 }
        gateway.advance(milliseconds: 10_000)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.text.hasSuffix("reset reason: connection timeout"))
    }

    @Test func aConnectionThatAnswersNoPingIsLeft() throws {
        let pings = Guarded(0)
        let origin = try makeH2Origin { number, peer in
            try peer.sendSettings()
            try peer.answer(try peer.request(), "\(number)")
            while true {
                let ping = try peer.next(H2TestPeer.Frame.ping)
                let count = pings.withLock { count in
                    count += 1
                    return count
                }
                // The first is answered.
                if count == 1 { try peer.send(H2TestPeer.Frame(type: ping.type, flags: 1, payload: ping.payload)) }
            }
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin) {
            $0.pingIntervalMilliseconds = 5_000
            $0.pingTimeoutMilliseconds = 2_000
        }
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client).text == "1")
        for count in 1...2 {
            gateway.advance(milliseconds: 5_000)
            try gateway.run(until: "a ping arrives") { pings.withLock { $0 } == count }
            gateway.advance(milliseconds: 100)
            try gateway.run(until: "its answer, if any, is read") {
                count == 2 || gateway.stats().upstreamConnections == 1
            }
        }
        gateway.advance(milliseconds: 2_000)
        #expect(gateway.stats().upstreamConnections == 0)
        #expect(try Self.answer(gateway, &client).text == "2")
    }

    @Test func anIdleConnectionClosesInTime() throws {
        let origin = try Self.answering()
        defer { origin.stop() }
        let gateway = try Self.gateway(origin) { $0.idleTimeoutMilliseconds = 60_000 }
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client).status == 200)
        gateway.advance(milliseconds: 59_000)
        #expect(try Self.answer(gateway, &client).status == 200)
        gateway.advance(milliseconds: 59_000)
        #expect(gateway.stats().upstreamConnections == 1)
        gateway.advance(milliseconds: 1_000)
        #expect(gateway.stats().upstreamConnections == 0 && origin.acceptedConnections == 1)
    }

    @Test func anAnswerWithTooManyFieldsIsRefused() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            try peer.sendHead(stream, (0...100).map { ("x-\($0)", "y") }, isLast: true)
            try peer.answer(try peer.request())
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        let answer = try Self.answer(gateway, &client)
        #expect(answer.status == 502 && answer.text.hasSuffix("reset reason: protocol error"))
        #expect(try Self.answer(gateway, &client).text == "ok")
    }

    @Test func interimAnswersArePassedOnUpToALimit() throws {
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            let stream = try peer.request()
            try peer.sendHead(stream, status: 103, [("link", "</a>")])
            try peer.answer(stream)
            let other = try peer.request()
            for _ in 0...H1ClientLimits.interimHeads { try peer.sendHead(other, status: 103) }
            _ = try peer.next(H2TestPeer.Frame.reset)
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        try client.socket.send(Self.get)
        try gateway.run(until: "the answer is complete") { gateway.activeExchanges == 0 && client.socket.hasInput }
        #expect(try client.responseHead()?.status == 103)
        #expect(try client.response().text == "ok")
        try client.socket.send(Self.get)
        try gateway.run(until: "the request has failed") { gateway.activeExchanges == 0 }
    }

    @Test func emptyFramesThatEndAnswersAreNotHeldAgainstAnEndpoint() throws {
        let emptyFrames = 4
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            while true {
                let stream = try peer.request()
                try peer.sendHead(stream)
                for count in 1...emptyFrames { try peer.sendBody(stream, "", isLast: count == emptyFrames) }
            }
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        var client = try gateway.client()
        for _ in 0...(H2Limits.idleFrames / emptyFrames) {
            guard try Self.answer(gateway, &client).status == 200 else {
                Issue.record("an endpoint that answers is called a flood")
                return
            }
            // The end may come in a piece of its own.
            try gateway.run(until: "the answer has ended") { gateway.activeExchanges == 0 }
        }
        #expect(origin.acceptedConnections == 1)
    }

    @Test func aClientThatLeavesTakesItsRequestBack() throws {
        let code = Guarded<[UInt8]>([])
        let isThere = Flag()
        let origin = try makeH2Origin { _, peer in
            try peer.sendSettings()
            _ = try peer.request()
            isThere.raise()
            let reset = try peer.next(H2TestPeer.Frame.reset)
            code.withLock { $0 = reset.payload }
            try peer.answer(try peer.request())
        }
        defer { origin.stop() }
        let gateway = try Self.gateway(origin)
        let leaving = try gateway.client()
        try leaving.socket.send(Self.get)
        try gateway.run(until: "the request is under way") { isThere.isRaised }
        leaving.socket.disconnect()
        try gateway.run(until: "the request is taken back") { gateway.activeExchanges == 0 }
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client).text == "ok")
        #expect(code.withLock { $0 } == [0, 0, 0, 8])
    }

    @Test func clientsThatSpeakHTTP1AreServedInHTTP1WhereTheClientChooses() throws {
        let origin = try OriginServer(name: "old")
        defer { origin.stop() }
        let gateway = try Self.gateway(origin) { $0.httpVersion = .asClient }
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client)["x-backend"] == "old")
    }

    @Test func connectionsOfAFormerProtocolFinishWhatTheyCarry() throws {
        let origin = try OriginServer(name: "old")
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        #expect(try Self.answer(gateway, &client)["x-backend"] == "old")
        try gateway.adopt(generation: 2, origins: [origin.port], configure: { $0.httpVersion = .http2 })
        #expect(gateway.stats().upstreamConnections == 0)
        // It does not speak that.
        #expect(try Self.answer(gateway, &client).status == 502)
    }

    @Test func http2GoesOverTLSToo() throws {
        let authority = try TestAuthority()
        let origin = try Self.answering()
        defer { origin.stop() }
        var options = TLSFront.Options()
        options.protocols = "\u{2}h2\u{8}http/1.1"
        let front = try TLSFront(authority.issue(["upstream.test"]), origin: origin.port, options)
        defer { front.stop() }
        var tls = TLSClientSpec(trust: .authorities(PEMText(Array(try authority.certificateText.utf8))))
        tls.serverName = "upstream.test"
        let made = tls
        let gateway = try SteppedGateway(
            origins: [front.port],
            configure: {
                $0.httpVersion = .http2
                $0.tls = made
            })
        var clients = try (0..<5).map { _ in try gateway.client() }
        for client in clients { try client.socket.send(Self.get) }
        for index in clients.indices { #expect(try gateway.answer(&clients[index]).text == "ok") }
        #expect(front.handshakes.map(\.chosenProtocol) == ["h2"])
    }
}
