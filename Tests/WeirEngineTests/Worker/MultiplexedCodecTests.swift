import Testing

@testable import WeirEngine

/// The codec seam, proven before HTTP/2 exists: many streams on one connection each way, credit instead of a socket's buffer.
@Suite struct MultiplexedCodecTests {
    @Test func interleavedStreamsKeepTheirBytesApart() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let streams = (0..<10).map { connection.open(stream: $0, path: "/s\($0)", hasBody: true) }
        let upstreams = try #require(worker.pools.first).streams
        #expect(upstreams.map(\.path) == (0..<10).map { "/s\($0)" })
        #expect(upstreams[0].forwardedFor == "192.0.2.7")
        for round in 0..<50 {
            for stream in streams { _ = stream.data([UInt8](repeating: UInt8(stream.id), count: 100 + round)) }
        }
        for stream in streams.reversed() { stream.clientEnded() }
        for upstream in upstreams {
            #expect(upstream.gotEnd)
            #expect(upstream.received.count == (0..<50).reduce(0) { $0 + 100 + $1 })
            #expect(upstream.received.allSatisfy { $0 == UInt8(upstream.id) })
        }
        // Answers overtake each other freely.
        for upstream in upstreams.reversed() {
            upstream.answer(status: 200 + upstream.id)
            upstream.answer(body: upstream.received)
            upstream.answerEnd()
        }
        for stream in streams {
            #expect(stream.ended)
            stream.grant(.max / 2)
        }
        var bodies: [Int: Int] = [:]
        var statuses: [Int: Int] = [:]
        var ends = 0
        for frame in connection.sent {
            switch frame {
            case .head(let stream, let status): statuses[stream] = status
            case .data(let stream, let bytes):
                #expect(bytes.allSatisfy { $0 == UInt8(stream) })
                bodies[stream, default: 0] += bytes.count
            case .end: ends += 1
            case .trailer, .reset: Issue.record("a frame nobody sent")
            }
        }
        #expect(statuses == Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, 200 + $0) }))
        #expect(bodies.values.allSatisfy { $0 == 6225 } && bodies.count == 10 && ends == 10)
    }

    @Test func aSlowUpstreamPausesItsOwnStreamAloneAndMemoryStaysBounded() throws {
        let worker = try MemoryWorker.serving(upstreamCredit: 0)
        let connection = MemoryServerConnection(worker: worker)
        let slow = connection.open(stream: 0, path: "/slow", hasBody: true)
        let quick = connection.open(stream: 1, path: "/quick", hasBody: true)
        let upstreams = try #require(worker.pools.first).streams
        upstreams[1].grant(.max / 2)
        let piece = [UInt8](repeating: 5, count: 8 * 1024)
        var sent = 0
        while slow.data(piece) {
            sent += piece.count
            #expect(sent < 1024 * 1024, "nothing ever paused the client")
        }
        sent += piece.count
        for _ in 0..<64 { #expect(quick.data(piece)) }
        #expect(slow.isPaused && !quick.isPaused)
        #expect(upstreams[0].mostQueued <= MemoryServerConnection.highMark + piece.count)
        #expect(upstreams[0].received.isEmpty && upstreams[1].received.count == 64 * piece.count)
        // Credit is given to the client again only once the bytes have left.
        upstreams[0].grant(sent - MemoryServerConnection.lowMark - 1)
        #expect(slow.isPaused)
        upstreams[0].grant(1)
        #expect(!slow.isPaused)
        upstreams[0].grant(.max / 2)
        slow.clientEnded()
        #expect(upstreams[0].received.count == sent && upstreams[0].gotEnd)
    }

    @Test func aSlowClientPausesItsUpstream() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 0, path: "/", hasBody: false)
        let upstream = try #require(worker.pools.first?.streams.first)
        upstream.answer(status: 200)
        let piece = [UInt8](repeating: 6, count: 10_000)
        var sent = 0
        while !upstream.isPaused {
            upstream.answer(body: piece)
            sent += piece.count
            #expect(sent < 1024 * 1024, "nothing ever paused the upstream")
        }
        #expect(stream.mostQueued <= MemoryServerConnection.highMark + piece.count)
        stream.grant(sent - MemoryServerConnection.lowMark)
        #expect(!upstream.isPaused)
    }

    @Test func trailersPassBetweenCodecsThatCarryThem() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 3, path: "/", hasBody: true)
        let upstream = try #require(worker.pools.first?.streams.first)
        stream.trailers("x-check", "1")
        stream.clientEnded()
        #expect(upstream.receivedTrailer == "x-check")
        upstream.answer(status: 200)
        upstream.answer(trailer: "grpc-status", "0")
        upstream.answerEnd()
        let trailers = connection.sent.compactMap { frame in
            if case .trailer(let stream, let name, let value) = frame { "\(stream) \(name): \(value)" } else { nil }
        }
        #expect(trailers == ["3 grpc-status: 0"])
    }

    @Test(arguments: [[], [103], [103, 103]])
    func whatComesTooEarlyForATunnelWaitsForIt(interim: [Int]) throws {
        let worker = try MemoryWorker.serving(retry: .standard)
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 0, path: "/", hasBody: true) { $0.wantsUpgrade = true }
        let upstream = try #require(worker.pools.first?.streams.first)
        // It was under way before the client could hear that it has to wait.
        _ = stream.data([1, 2])
        for status in interim { upstream.answer(status: status) }
        _ = stream.data([3])
        #expect(upstream.received.isEmpty && worker.replayBytes == 3)
        upstream.answer(status: 101)
        _ = stream.data([4])
        #expect(upstream.received == [1, 2, 3, 4] && worker.replayBytes == 0)
        stream.clientReset()
        #expect(worker.report().activeTunnels == 0)
    }

    @Test func aResetOnEitherSideEndsTheOther() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let left = connection.open(stream: 0, path: "/", hasBody: true)
        let cut = connection.open(stream: 1, path: "/", hasBody: false)
        let refused = connection.open(stream: 2, path: "/", hasBody: false)
        let upstreams = try #require(worker.pools.first).streams
        left.clientReset()
        #expect(upstreams[0].isCancelled)
        upstreams[1].answer(status: 200)
        upstreams[1].fail()
        #expect(cut.wasReset && cut.ended)
        upstreams[2].fail()
        #expect(refused.ended && !refused.wasReset)
        let statuses = connection.sent.compactMap { frame in
            if case .head(let stream, let status) = frame { "\(stream) \(status)" } else { nil }
        }
        #expect(statuses == ["1 200", "2 503"])
    }
}
