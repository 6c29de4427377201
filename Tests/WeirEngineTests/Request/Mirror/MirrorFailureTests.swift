import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Whatever happens to a copy, its request does not notice.
@Suite struct MirrorFailureTests {
    private static let get = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"

    /// A mirror that takes what it is sent and never answers.
    private static func silent() throws -> OriginServer {
        try OriginServer(raw: { reader, socket in
            while true { if try socket.receive().isEmpty { return } }
        })
    }

    /// A mirror that does not even read.
    private static func deaf(_ until: Flag) throws -> OriginServer {
        try OriginServer(raw: { _, _ in
            while !until.isRaised { usleep(1000) }
        })
    }

    @Test func aMirrorThatIsDownIsCountedAndNothingElse() throws {
        let origin = try OriginServer(name: "origin")
        defer { origin.stop() }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [try GatewayFixture.freePort()])
        var client = try gateway.gateway.client()
        for _ in 0..<5 { #expect(try gateway.exchange(&client, Self.get).status == 200) }
        try gateway.settle()
        #expect(gateway.counts.failed == 5 && origin.requests.count == 5)
    }

    @Test func aMirrorThatDoesNotExistIsCountedAndNothingElse() throws {
        let origin = try OriginServer(name: "origin")
        defer { origin.stop() }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [1], unknown: true)
        var client = try gateway.gateway.client()
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        #expect(gateway.counts.failed == 1 && gateway.gateway.stats().upstreamConnectFailures == 0)
    }

    @Test func aMirrorWithoutEndpointsIsCountedAndNothingElse() throws {
        let origin = try OriginServer(name: "origin")
        defer { origin.stop() }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [1], configure: { $0.endpoints = [] })
        var client = try gateway.gateway.client()
        for body in ["", "abc"] {
            let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            #expect(try gateway.exchange(&client, request).status == 200)
        }
        #expect(gateway.counts.failed == 2 && gateway.counts.active == 0)
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "garbage\r\n\r\n"])
    func anAnswerThatIsNoneIsAFailure(bytes: String) throws {
        let origin = try OriginServer(name: "origin")
        let mirror = try OriginServer { _, socket in
            try socket.send(bytes)
            return false
        }
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        for _ in 0..<3 { #expect(try gateway.exchange(&client, Self.get).status == 200) }
        try gateway.settle()
        #expect(gateway.counts.failed == 3)
        try gateway.gateway.run(until: "its connections are closed") {
            gateway.gateway.stats().upstreamConnections == 1
        }
    }

    @Test func aSilentMirrorIsGivenUpAfterAMinute() throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try Self.silent())
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        gateway.gateway.advance(milliseconds: MirrorLimits.answerMilliseconds - 1)
        #expect(gateway.counts.active == 1)
        gateway.gateway.advance(milliseconds: 1)
        #expect(gateway.counts.active == 0 && gateway.counts.timedOut == 1)
        #expect(gateway.gateway.stats().upstreamConnections == 1)
    }

    @Test func aRoutesTimeoutHoldsForItsCopiesToo() throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try Self.silent())
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.timeoutMilliseconds = 3000
        }
        var client = try gateway.gateway.client()
        for count in 1...2 {
            #expect(try gateway.exchange(&client, Self.get).status == 200)
            gateway.gateway.advance(milliseconds: 2999)
            #expect(gateway.counts.active == 1)
            gateway.gateway.advance(milliseconds: 1)
            #expect(gateway.counts.timedOut == count && gateway.counts.active == 0)
        }
    }

    @Test func aMirrorThatDoesNotReadHoldsUpNobody() throws {
        let isOver = Flag()
        let origin = try OriginServer { request, socket in
            let text = "\(request.body.count)"
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)")
            return true
        }
        let mirror = try Self.deaf(isOver)
        defer {
            isOver.raise()
            stopAll(origin, mirror)
        }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        let size = 30_000_000
        let socket = client.socket
        TestThread {
            try? socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(size)\r\n\r\n")
            try? socket.send([UInt8](repeating: 7, count: size))
        }
        .start()
        var most = 0
        try gateway.gateway.run(until: "an answer arrives") {
            most = max(most, gateway.worker.mirrors.queuedBytes)
            return client.socket.hasInput
        }
        #expect(try client.response().text == "\(size)")
        #expect(gateway.counts.overflowed == 1 && gateway.counts.active == 0)
        #expect(most <= MirrorLimits.queuedBytes + BufferPool.chunkBytes && gateway.worker.mirrors.queuedBytes == 0)
    }

    @Test func aClientThatLeavesInsideItsRequestTakesTheCopyAlong() throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try Self.silent())
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        let client = try gateway.gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\nabc")
        try gateway.gateway.run(until: "the copy has begun") { gateway.counts.active == 1 }
        client.socket.disconnect()
        try gateway.gateway.run(until: "the request is over") { gateway.gateway.activeExchanges == 0 }
        #expect(gateway.counts.incomplete == 1 && gateway.counts.active == 0)
        #expect(gateway.gateway.stats().upstreamConnections == 0)
    }

    @Test func aRequestAnsweredEarlyLeavesAnIncompleteCopy() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")
        })
        let mirror = try Self.silent()
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\nabc")
        #expect(try gateway.gateway.answer(&client).status == 413)
        #expect(gateway.counts.incomplete == 1 && gateway.counts.active == 0)
    }

    @Test func aMirrorThatAnswersEarlyIsAnsweredAndItsConnectionClosed() throws {
        let origin = try OriginServer(name: "origin")
        let mirror = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            try socket.send("HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")
            while true { if try socket.receive().isEmpty { return } }
        })
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\nabc")
        try gateway.gateway.run(until: "the mirror has answered") { gateway.counts.answered == 1 }
        try client.socket.send("def")
        #expect(try gateway.gateway.answer(&client).status == 200)
        #expect(origin.requests.map(\.text) == ["abcdef"] && gateway.counts.active == 0)
        #expect(gateway.gateway.stats().upstreamConnections == 1)
    }

    /// What three copies meet, and what is counted of each.
    enum Trouble: CaseIterable {
        case error
        case brokenError
        case silence
        case end
        case refusal

        var outcome: KeyPath<MirrorCounts, Int> {
            switch self {
            case .error: \.answered
            case .silence: \.timedOut
            default: \.failed
            }
        }

        /// Says the same to every copy.
        func mirror() throws -> OriginServer {
            try OriginServer { [self] _, socket in
                let length = self == .error ? 0 : 10
                if self == .error || self == .brokenError {
                    try socket.send("HTTP/1.1 500 No\r\ncontent-length: \(length)\r\n\r\n")
                }
                return self == .error || self == .silence
            }
        }
    }

    @Test(arguments: Trouble.allCases)
    func eachCopyTellsOfItsEndpointsHealth(trouble: Trouble) throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try trouble.mirror())
        defer { stopAll(origin, mirror) }
        let port = trouble == .refusal ? try GatewayFixture.freePort() : mirror.port
        let gateway = try MirrorGateway(
            to: origin.port, mirrors: [port],
            configure: {
                var outlier = OutlierSpec()
                outlier.serverErrors = 3
                outlier.mostEjectedPercent = 100
                $0.outlier = outlier
            })
        var client = try gateway.gateway.client()
        let health = gateway.worker.currentCluster(1)?.takeUnretainedValue().plan.health
        // An error whose body breaks off is two.
        let copies = trouble == .brokenError ? 2 : 3
        for count in 1...copies {
            #expect(try gateway.exchange(&client, Self.get).status == 200)
            if trouble == .silence {
                try gateway.gateway.run(until: "the copy arrives") { mirror.requests.count == count }
                gateway.gateway.advance(milliseconds: MirrorLimits.answerMilliseconds)
            }
            try gateway.settle()
            #expect(gateway.counts[keyPath: trouble.outcome] == count)
            #expect(health?.ejectedCount == (count < copies ? 0 : 1))
        }
        // Nobody is left to get one; the request's own cluster has nothing to do with it.
        let failed = gateway.counts.failed
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        #expect(gateway.counts.failed == failed + 1 && gateway.counts.active == 0 && mirror.requests.count < 4)
    }

    // MARK: Limits

    @Test func onlySoManyCopiesAreUnderWay() throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try Self.silent())
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        // A quarter of these is for copies, and half of that for those of one cluster.
        gateway.worker.maxUpstreams = 24
        var client = try gateway.gateway.client()
        for _ in 0..<5 { #expect(try gateway.exchange(&client, Self.get).status == 200) }
        #expect(gateway.counts.active == 3 && gateway.counts.overflowed == 2)
        gateway.gateway.advance(milliseconds: MirrorLimits.answerMilliseconds)
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        #expect(gateway.counts.active == 1 && gateway.counts.overflowed == 2 && gateway.counts.timedOut == 3)
    }

    @Test func aWorkerHas1024CopiesUnderWayAtMost() throws {
        let worker = try MirrorWorker.mirroring(mirrors: 3)
        for _ in 0..<MirrorLimits.activeCopies { worker.get() }
        let counts = worker.mirrors.counts
        #expect(counts.active == MirrorLimits.activeCopies && counts.overflowed == 2 * MirrorLimits.activeCopies)
        for mirror in 1...3 {
            for copy in worker.copies(of: mirror) { copy.answer(status: 200, last: true) }
        }
        #expect(worker.mirrors.counts.active == 0 && worker.mirrors.counts.answered == MirrorLimits.activeCopies)
    }

    @Test func aStuckMirrorLeavesTheOthersTheirPlace() throws {
        let worker = try MirrorWorker.mirroring(mirrors: 2)
        let most = MirrorLimits.activeCopies / MirrorLimits.clusterShare
        for _ in 0..<(most + 10) {
            worker.get()
            worker.copies(of: 2).last?.answer(status: 200, last: true)
        }
        let counts = worker.mirrors.counts
        #expect(counts.active == most && counts.overflowed == 10 && counts.answered == most + 10)
        #expect(worker.copies(of: 1).count == most)
        for copy in worker.copies(of: 1) { copy.answer(status: 200, last: true) }
        worker.get()
        #expect(worker.mirrors.counts.active == 2)
    }

    @Test func whatAStuckMirrorHasWaitingLeavesTheOthersTheirPlace() throws {
        let worker = try MirrorWorker.mirroring(credit: 0, mirrors: 2)
        let piece = [UInt8](repeating: 1, count: 1024 * 1024)
        let streams = (0..<40).map { _ in worker.post() }
        for stream in streams { _ = stream.data(piece) }
        let most = MirrorLimits.workerBytes / MirrorLimits.clusterShare
        let fit = most / piece.count
        #expect(worker.mirrors.queuedBytes == most && worker.mirrors.counts.overflowed == 40 - fit)
        #expect(worker.copies(of: 2).allSatisfy { $0.received.count == piece.count })
    }

    @Test func whatAllCopiesHaveWaitingIsBounded() throws {
        let worker = try MirrorWorker.mirroring(credit: 0)
        let piece = [UInt8](repeating: 1, count: 1024 * 1024)
        let most = MirrorLimits.workerBytes / MirrorLimits.clusterShare
        let streams = (0..<40).map { _ in worker.post() }
        for stream in streams { _ = stream.data(piece) }
        let fit = most / piece.count
        #expect(worker.mirrors.counts.active == fit && worker.mirrors.counts.overflowed == 40 - fit)
        #expect(worker.mirrors.queuedBytes == most)
        // What has left meanwhile makes room, though nobody has said so.
        for copy in worker.copies.prefix(10) { copy.grant(.max / 2) }
        worker.loop.advance(milliseconds: 1)
        _ = worker.post().data(piece)
        #expect(worker.mirrors.counts.active == fit + 1)
        #expect(worker.mirrors.queuedBytes == most - 9 * piece.count)
        #expect(streams.allSatisfy { !$0.isPaused && !$0.wasReset })
    }

    @Test func oneCopyHasTwoMebibytesWaitingAtMost() throws {
        let worker = try MirrorWorker.mirroring(credit: 0)
        let stream = worker.post()
        for _ in 0..<2 { _ = stream.data([UInt8](repeating: 1, count: 1024 * 1024)) }
        #expect(worker.mirrors.counts.active == 1 && worker.mirrors.queuedBytes == MirrorLimits.queuedBytes)
        _ = stream.data([1])
        #expect(worker.mirrors.counts.overflowed == 1 && worker.mirrors.queuedBytes == 0)
        #expect(worker.copies[0].isCancelled && !stream.isPaused)
    }

    // MARK: Reloads and ends

    @Test func aCopyOutlivesItsMirrorsPlaceInTheConfiguration() throws {
        let mayAnswer = Flag()
        let origin = try OriginServer(name: "origin")
        let mirror = try OriginServer { _, socket in
            while !mayAnswer.isRaised { usleep(1000) }
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        gateway.removeMirrors(to: origin.port)
        #expect(gateway.counts.active == 1 && gateway.gateway.stats().pinnedGenerations == 1)
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        #expect(gateway.counts.active == 1)
        mayAnswer.raise()
        try gateway.settle()
        #expect(gateway.counts.answered == 1 && mirror.requests.count == 1)
    }

    @Test func aWorkerThatEndsLeavesNoCopyBehind() throws {
        let (origin, mirror) = (try OriginServer(name: "origin"), try Self.silent())
        defer { stopAll(origin, mirror) }
        weak var last: Worker?
        do {
            let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
            var client = try gateway.gateway.client()
            #expect(try gateway.exchange(&client, Self.get).status == 200)
            try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\nabc")
            try gateway.gateway.run(until: "two copies are under way") { gateway.counts.active == 2 }
            last = gateway.worker
        }
        #expect(last == nil)
    }

    @Test func noOrderOfEventsLeavesACopyOrAByteBehind() throws {
        var random = FastRandom(seed: 11)
        var seen: [String: Int] = [:]
        let worker = try MirrorWorker.mirroring(credit: 10_000, originals: 0)
        for _ in 0..<1500 {
            let before = worker.mirrors.counts
            try Self.walk(worker, &random)
            let after = worker.mirrors.counts
            #expect(after.active == 0 && worker.mirrors.queuedBytes == 0)
            let outcomes = [
                ("answered", after.answered - before.answered), ("failed", after.failed - before.failed),
                ("timedOut", after.timedOut - before.timedOut), ("overflowed", after.overflowed - before.overflowed),
                ("incomplete", after.incomplete - before.incomplete),
            ]
            #expect(outcomes.reduce(0) { $0 + $1.1 } == 1, "a copy has one outcome: \(outcomes)")
            for (name, count) in outcomes where count > 0 { seen[name, default: 0] += 1 }
        }
        for name in ["answered", "failed", "timedOut", "overflowed", "incomplete"] {
            #expect(seen[name, default: 0] > 20, "\(name) was hardly reached: \(seen)")
        }
        #expect(worker.report().activeExchanges == 0)
    }

    /// One request from its head to its end, and its copy, in any order of what both sides do.
    private static func walk(_ worker: MirrorWorker, _ random: inout FastRandom) throws {
        let stream = worker.post()
        let (original, copy) = (try #require(worker.originals.last), try #require(worker.copies.last))
        var (isWhole, hasLeft) = (false, false)
        for _ in 0..<(1 + random.below(12)) {
            let isOpen = !stream.ended && !isWhole && !hasLeft
            switch random.below(12) {
            case 0...3 where isOpen: _ = stream.data([UInt8](repeating: 1, count: Int(random.below(1_500_000)) + 1))
            case 4 where isOpen:
                stream.clientEnded()
                isWhole = true
            case 5 where random.below(4) == 0 && !stream.ended && !hasLeft:
                stream.clientReset()
                hasLeft = true
            case 6: copy.answer(status: 200, last: random.below(2) == 0)
            case 7: copy.answerEnd()
            case 8 where random.below(3) == 0: copy.fail()
            case 9: copy.grant(300_000)
            case 10 where random.below(3) == 0: original.answer(status: 200, last: true)
            case 11 where random.below(3) == 0: worker.loop.advance(milliseconds: MirrorLimits.answerMilliseconds)
            default: break
            }
        }
        if !stream.ended, !hasLeft { stream.clientReset() }
        if random.below(2) == 0 { copy.fail() }
        worker.loop.advance(milliseconds: MirrorLimits.answerMilliseconds)
        worker.loop.tick(wait: false)
    }
}
