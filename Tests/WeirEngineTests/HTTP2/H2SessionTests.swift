import Testing

@testable import WeirEngine

@Suite struct H2SessionTests {
    @Test func aRequestAndItsAnswerArriveWithTheirBodiesAndTrailers() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.onEnd = { server, stream in
            server.answer(stream, status: "200", hasBody: true)
            server.send([UInt8](repeating: 7, count: 50_000), on: stream)
            let trailers = Trailers()
            trailers.block.append(.grpcStatus, "grpc-status", value: "0")
            server.sendEnd(on: stream, trailers: trailers)
        }
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        pair.client.send([UInt8](repeating: 1, count: 30_000), on: stream)
        pair.client.sendEnd(on: stream)
        pair.run { pair.client.heard.contains("closed 0") && pair.server.heard.contains("closed 0") }
        #expect(
            pair.server.heard == [
                "request 1", ":method=POST", ":scheme=http", ":authority=example.com", ":path=/", "headEnded first",
                "ended 1", "closed 0",
            ])
        #expect(pair.server.bodies == [1: 30_000])
        #expect(
            pair.client.heard == [
                "head 1", ":status=200", "headEnded first", "head 1", "grpc-status=0", "headEnded later last",
                "closed 0",
            ])
        #expect(pair.client.bodies == [1: 50_000])
    }

    @Test func anEmptyBodyMayHaveTrailers() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.onEnd = { server, stream in
            server.answer(stream, status: "200", hasBody: true)
            let trailers = Trailers()
            trailers.block.append(.other, "x-sum", value: "1")
            server.sendEnd(on: stream, trailers: trailers)
        }
        _ = pair.client.open(H2SessionPair.get, hasBody: false)
        pair.run { pair.client.heard.contains("closed 0") }
        #expect(pair.client.heard.suffix(4) == ["head 1", "x-sum=1", "headEnded later last", "closed 0"])
    }

    @Test func aPausedStreamIsCreditedWhenItIsResumedAndNotBefore() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.pausesStreams = true
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        let whole = 3 * H2Limits.streamWindowBytes
        pair.client.send([UInt8](repeating: 1, count: whole), on: stream)
        pair.client.sendEnd(on: stream)
        pair.run()
        #expect(pair.server.bodies == [1: H2Limits.streamWindowBytes])
        let received = try #require(pair.server.streams[1])
        pair.server.resume(received)
        pair.run { pair.server.heard.contains("ended 1") }
        #expect(pair.server.bodies == [1: whole])
    }

    @Test func aStreamWithoutWindowIsCongestedAndHearsOfRoomWhenItsQueueHasDrained() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.pausesStreams = true
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        var rooms = 0
        pair.client.onRoom = { _, _ in rooms += 1 }
        // What the window lets go leaves the queue; what it does not stays.
        pair.client.send([UInt8](repeating: 1, count: H2Limits.streamWindowBytes + H2Limits.highMarkBytes), on: stream)
        #expect(pair.client.isCongested(stream))
        pair.run()
        #expect(rooms == 0)
        #expect(stream.queuedBytes == H2Limits.highMarkBytes)
        pair.server.resume(try #require(pair.server.streams[1]))
        pair.run { rooms > 0 }
        #expect(rooms == 1)
        #expect(!pair.client.isCongested(stream))
    }

    @Test func manyStreamsWithoutWindowShareWhatAConnectionQueues() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.pausesStreams = true
        let streams = (0..<40).compactMap { _ in pair.client.open(H2SessionPair.post, hasBody: true) }
        let piece = [UInt8](repeating: 1, count: H2Limits.highMarkBytes / 2)
        var queued = 0
        for stream in streams where !pair.client.isCongested(stream) {
            pair.client.send(piece, on: stream)
            queued += piece.count
        }
        #expect(streams.count == 40)
        #expect(queued >= H2Limits.connectionMarkBytes)
        // Each of them holds less than a stream alone might.
        #expect(streams.filter { $0.queuedBytes > 0 }.allSatisfy { pair.client.isCongested($0) })
    }

    @Test func aResetTellsTheOtherSideAndDropsWhatIsQueued() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        pair.run { pair.server.streams[1] != nil }
        pair.client.send([1, 2, 3], on: stream)
        pair.client.reset(stream, .cancel)
        pair.run { pair.server.heard.contains("closed 8") }
        #expect(pair.server.heard.last == "closed 8")
        #expect(pair.client.heard.last == "closed 8")
        #expect(pair.client.streams.isEmpty && pair.server.streams.isEmpty)
    }

    @Test func anEarlyAnswerStopsTheRestOfTheRequestWithoutAnError() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        pair.client.send([1, 2, 3], on: stream)
        pair.run { pair.server.bodies[1] == 3 }
        let received = try #require(pair.server.streams[1])
        pair.server.answer(received, status: "413", hasBody: true)
        pair.server.send([9, 9], on: received)
        pair.server.sendEnd(on: received)
        pair.server.stopPeerAtEnd(received)
        pair.run { pair.client.heard.contains("closed 0") }
        #expect(pair.client.bodies == [1: 2])
        #expect(pair.client.heard.suffix(2) == ["ended 1", "closed 0"])
    }

    @Test func manyStreamsShareAWriteAndKeepTheirBytesApart() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.onEnd = { server, stream in
            server.answer(stream, status: "200", hasBody: true)
            server.send([UInt8](repeating: 0, count: 1000 * Int(stream.id)), on: stream)
            server.sendEnd(on: stream)
        }
        for _ in 0..<100 { _ = pair.client.open(H2SessionPair.get, hasBody: false) }
        pair.run(until: { pair.client.bodies.count == 100 && pair.client.streams.isEmpty }, ticks: 2000)
        #expect(pair.client.bodies.count == 100)
        #expect(pair.client.bodies.allSatisfy { $0.value == 1000 * Int($0.key) })
    }

    @Test func longAnswersTakeTurns() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        pair.server.onEnd = { server, stream in
            server.answer(stream, status: "200", hasBody: true)
            server.send([UInt8](repeating: 7, count: 100_000), on: stream)
            server.sendEnd(on: stream)
        }
        var bytesOfTheOther: Int?
        pair.client.onEnd = { client, stream in
            bytesOfTheOther = bytesOfTheOther ?? client.bodies.first { $0.key != stream.id }?.value ?? 0
        }
        for _ in 0..<2 { _ = pair.client.open(H2SessionPair.get, hasBody: false) }
        pair.run { pair.client.streams.isEmpty }
        #expect(try #require(bytesOfTheOther) > 50_000)
    }

    @Test func aShutdownIsAnnouncedBeforeItIsMeant() throws {
        let pair = H2SessionPair()
        defer { pair.close() }
        let stream = try #require(pair.client.open(H2SessionPair.post, hasBody: true))
        pair.run { pair.server.streams[1] != nil }
        pair.server.announceShutdown()
        pair.run { !pair.client.heard.isEmpty }
        #expect(pair.client.heard == ["goaway 2147483647 0"])
        pair.server.refuseNewStreams()
        pair.run { pair.client.heard.count == 2 }
        #expect(pair.client.heard.last == "goaway 1 0")
        // What has begun goes on to its end, and then there is nothing left to wait for.
        pair.server.onEnd = { server, stream in server.answer(stream, status: "204", hasBody: false) }
        pair.client.sendEnd(on: stream)
        pair.run { pair.server.hasEnded && pair.client.heard.contains("closed 0") }
        #expect(pair.server.hasEnded)
        #expect(pair.client.heard.contains(":status=204"))
    }
}
