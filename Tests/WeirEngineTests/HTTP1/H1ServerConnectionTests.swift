import Testing
import WeirTestSupport

@testable import WeirEngine

/// What a client's connection may take its time for, met at its moment: the time is the test's.
@Suite struct H1ServerConnectionTests {
    private static let hour = 3_600_000

    @Test func aHeadThatIsNotComplete15SecondsAfterItsFirstByteIsAnswered408() throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        gateway.advance(milliseconds: 60_000)
        try gateway.send(partialHead: "GET / HTTP/1.1\r\nHost: exam", client)
        gateway.advance(milliseconds: 10_000)
        // More of it buys no time.
        try client.socket.send("ple.com\r\nX: ")
        gateway.advance(milliseconds: 4_999)
        #expect(gateway.worker.connectionCount == 1 && !client.socket.hasInput)
        gateway.advance(milliseconds: 1)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 408 && answer["connection"] == "close")
        #expect(try client.hasEnded())
    }

    @Test func emptyLinesAreNoRequestButTheirTimeIsCounted() throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        try gateway.send(partialHead: "\r\n\r\n", client)
        gateway.advance(milliseconds: H1ServerLimits.headMilliseconds)
        try gateway.end(client)
        #expect(try client.hasEnded(), "an answer without a request")
    }

    @Test func aConnectionWithoutARequestEndsAfterAnHour() throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        gateway.advance(milliseconds: Self.hour - 1)
        try client.socket.send("GET /missing-cluster HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try gateway.answer(&client).status == 503)
        // The hour begins anew behind each answer.
        gateway.advance(milliseconds: Self.hour - 1)
        #expect(gateway.worker.connectionCount == 1)
        gateway.advance(milliseconds: 1)
        try gateway.end(client)
        #expect(gateway.worker.connectionCount == 0)
        #expect(try client.hasEnded())
    }

    @Test func aBodyWithoutProgressFor60SecondsIsAnswered408() throws {
        let received = Flag()
        let origin = try OriginServer(raw: { reader, _ in
            _ = try reader.nextHead()
            while try !reader.someBytes().isEmpty { received.raise() }
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\r\n")
        try gateway.run(until: "the request is being served") { gateway.activeExchanges == 1 }
        gateway.advance(milliseconds: 59_999)
        try client.socket.send("half")
        try gateway.run(until: "the bytes have gone on") { received.isRaised }
        gateway.advance(milliseconds: 59_999)
        #expect(gateway.activeExchanges == 1)
        gateway.advance(milliseconds: 1)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 408 && answer["connection"] == "close")
        #expect(try client.hasEnded())
        try gateway.run(until: "the upstream's work is stopped") { origin.endedConnections == 1 }
        #expect(gateway.activeExchanges == 0)
    }

    @Test(arguments: ["Content-Type: application/grpc\r\n", "X-Answered: early\r\n"])
    func aStreamMayBeSilentForHours(field: String) throws {
        let isGRPC = field.contains("grpc")
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.nextHead()
            if !isGRPC { try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh") }
            while try !reader.someBytes().isEmpty {}
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\(field)\r\nh")
        try gateway.run(until: "the request is being served") { gateway.activeExchanges == 1 }
        if !isGRPC {
            try gateway.run(until: "the answer has begun") { client.socket.hasInput }
            #expect(try client.responseHead()?.status == 200)
        }
        gateway.advance(milliseconds: 10 * Self.hour)
        #expect(gateway.activeExchanges == 1)
    }

    @Test func whileDrainingAConnectionWithoutARequestHasASecond() throws {
        let gateway = try SteppedGateway()
        var late = try gateway.client()
        let idle = try gateway.client()
        let done = Flag()
        gateway.drain(done)
        gateway.advance(milliseconds: 999)
        #expect(gateway.worker.connectionCount == 2)
        try late.socket.send("GET /missing-cluster HTTP/1.1\r\nHost: example.com\r\n\r\n")
        let answer = try gateway.answer(&late)
        #expect(answer.status == 503 && answer["connection"] == "close")
        gateway.advance(milliseconds: 1)
        try gateway.end(idle)
        #expect(!done.isRaised, "the last bytes are still under way")
        gateway.advance(milliseconds: Connection.lingerMilliseconds)
        #expect(done.isRaised)
    }

    @Test(arguments: [64 * 1024, 64 * 1024 + 1])
    func theRestOfABodyBehindAnEarlyAnswerIsDroppedUpTo64KiB(size: Int) throws {
        let gateway = try SteppedGateway()
        for framing in ["Content-Length: \(size)\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
            let isChunked = framing.contains("chunked")
            var client = try gateway.client()
            try client.socket.send("POST /missing-cluster HTTP/1.1\r\nHost: example.com\r\n" + framing)
            #expect(try gateway.answer(&client).status == 503)
            let body = [UInt8](repeating: 1, count: size)
            let chunk = Array("\(String(size, radix: 16))\r\n".utf8) + body + Array("\r\n0\r\n\r\n".utf8)
            // The gateway may have closed already: then there is nobody to send to.
            try? client.socket.send(isChunked ? chunk : body)
            try? client.socket.send("GET /missing-cluster HTTP/1.1\r\nHost: example.com\r\n\r\n")
            if size <= H1ServerLimits.discardedBodyBytes {
                #expect(try gateway.answer(&client).status == 503)
            } else {
                try gateway.end(client)
                #expect(gateway.worker.connectionCount == 0)
            }
        }
    }

    @Test func aBodyNobodyWantsHas15SecondsToEnd() throws {
        let gateway = try SteppedGateway()
        var client = try gateway.client()
        try client.socket.send("POST /missing-cluster HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(try gateway.answer(&client).status == 503)
        gateway.advance(milliseconds: H1ServerLimits.headMilliseconds - 1)
        #expect(gateway.worker.connectionCount == 1)
        gateway.advance(milliseconds: 1)
        try gateway.end(client)
        #expect(gateway.worker.connectionCount == 0)
    }

    @Test func aClientThatEndsInsideABodyNobodyWantsGetsItsWholeAnswer() throws {
        let origin = try OriginServer(raw: { reader, socket in
            guard let head = try reader.nextHead() else { return }
            let size = Int(head.target.dropFirst()) ?? 0
            try socket.send(
                Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8) + [UInt8](repeating: 1, count: size))
            while try !reader.someBytes().isEmpty {}
        })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        // The sizes around what two sockets hold, so that the end of some answer is still queued here.
        for size in stride(from: 2_000_000, through: 6_500_000, by: 150_000) {
            var client = try gateway.client()
            try client.socket.send("POST /\(size) HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\r\nhalf")
            let socket = client.socket
            try eventually("the answer has begun") { socket.hasInput }
            var held = -1
            try eventually("the answer has got as far as it can") {
                let stats = try gateway.stats()
                defer { held = stats.buffersInUse }
                return stats.activeExchanges == 0 || (stats.buffersInUse == held && held > 2)
            }
            guard try gateway.stats().activeExchanges == 0 else { continue }
            client.socket.endWriting()
            let received = try client.response().body.count
            #expect(received == size)
            try eventually("the connection is over") { try gateway.stats().activeConnections == 0 }
        }
    }
}
