import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Copies of requests for mirrors, on a worker whose time stands still between two steps.
@Suite struct MirrorTests {
    private static let get = "GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nX-User: u1\r\n\r\n"

    private static func post(_ body: String, _ lines: String = "") -> String {
        "POST /order HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.utf8.count)\r\n\(lines)\r\n\(body)"
    }

    /// An origin and a mirror, which answers as `script` says.
    private static func pair(
        _ script: OriginServer.Script? = nil
    ) throws -> (origin: OriginServer, mirror: OriginServer) {
        let mirror = try script.map { try OriginServer($0) } ?? OriginServer(name: "mirror")
        return (try OriginServer(name: "origin"), mirror)
    }

    // MARK: What is copied

    @Test func theMirrorGetsTheSameRequestAndSaysNothingToTheClient() throws {
        let (origin, mirror) = try Self.pair { _, socket in
            try socket.send("HTTP/1.1 500 No\r\nx-mirror: 1\r\ncontent-length: 2\r\n\r\nno")
            return true
        }
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        for count in 1...3 {
            let answer = try gateway.exchange(&client, Self.get)
            #expect(answer.status == 200 && answer["x-backend"] == "origin" && answer["x-mirror"] == nil)
            try gateway.settle()
            #expect(mirror.requests.count == count && gateway.counts.answered == count)
        }
        let (copy, original) = (try #require(mirror.requests.first), try #require(origin.requests.first))
        #expect(copy.startLine == original.startLine && copy.startLine == "GET /a?b=c HTTP/1.1")
        #expect(copy["host"] == "example.com:8080" && copy["x-user"] == "u1")
        for name in ["x-request-id", "x-envoy-attempt-count", "x-forwarded-proto"] {
            #expect(copy[name] == original[name] && copy[name] != nil, "\(name)")
        }
        #expect(copy["x-envoy-internal"] == "true" && original["x-envoy-internal"] == nil)
        #expect(original["x-forwarded-for"] == "127.0.0.1" && copy["x-forwarded-for"] == "127.0.0.1,127.0.0.1")
        // Its connection serves the next copy.
        #expect(mirror.acceptedConnections == 1)
    }

    @Test(arguments: ["", "Transfer-Encoding: chunked\r\n"])
    func bodiesAreCopiedAsTheyCome(coding: String) throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        let framing = coding.isEmpty ? "Content-Length: 8\r\n" : coding
        try client.socket.send("POST / HTTP/1.1\r\nHost: example.com\r\n\(framing)\r\n")
        try gateway.gateway.run(until: "the copy has begun") { gateway.counts.active == 1 }
        for piece in ["order", "=42"] {
            try client.socket.send(coding.isEmpty ? piece : "\(piece.utf8.count)\r\n\(piece)\r\n")
        }
        if !coding.isEmpty { try client.socket.send("0\r\n\r\n") }
        #expect(try gateway.gateway.answer(&client).status == 200)
        try gateway.settle()
        #expect(mirror.requests.map(\.text) == ["order=42"] && origin.requests.map(\.text) == ["order=42"])
        #expect(gateway.counts.answered == 1)
    }

    @Test func aLargeBodyReachesBoth() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        let body = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        let socket = client.socket
        TestThread {
            try? socket.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.count)\r\n\r\n")
            try? socket.send(body)
        }
        .start()
        #expect(try gateway.gateway.answer(&client).status == 200)
        try gateway.settle()
        #expect(origin.requests.first?.body == body)
        // A mirror that reads as fast as the origin keeps up; one that does not has no copy at all.
        let counts = gateway.counts
        #expect(counts.answered + counts.overflowed == 1)
        #expect(counts.answered == 0 || mirror.requests.first?.body == body)
        #expect(gateway.worker.mirrors.queuedBytes == 0)
    }

    @Test func theCopyIsTakenBehindTheRoutesChanges() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        var edits = HeaderEdits()
        try edits.set("x-set", to: "1")
        edits.remove("x-user")
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.actions = RouteActions(
                rewrite: RouteRewrite(path: .whole("/rewritten"), authority: "other.host"), requestEdits: edits)
            $0.timeoutMilliseconds = 5000
        }
        var client = try gateway.gateway.client()
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        try gateway.settle()
        let copy = try #require(mirror.requests.first)
        #expect(copy.startLine == "GET /rewritten?b=c HTTP/1.1" && copy["host"] == "other.host")
        #expect(copy["x-set"] == "1" && copy["x-user"] == nil && copy["x-envoy-expected-rq-timeout-ms"] == "5000")
    }

    @Test func olderReleasesMarkTheHost() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        gateway.worker.marksMirrors = true
        var client = try gateway.gateway.client()
        #expect(try gateway.exchange(&client, Self.get).status == 200)
        #expect(try gateway.exchange(&client, Self.post("a")).status == 200)
        try gateway.settle()
        #expect(mirror.requests.map { $0["host"] } == ["example.com-shadow:8080", "example.com-shadow"])
        #expect(origin.requests.map { $0["host"] } == ["example.com:8080", "example.com"])
    }

    @Test func headsOfEverySizeAreCopied() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        for size in [10, 900, 3800, 4096, 40_000] {
            let lines = "X-Long: \(String(repeating: "v", count: size))\r\n"
            #expect(try gateway.exchange(&client, Self.post("body", lines)).status == 200)
            try gateway.settle()
            #expect(mirror.requests.last?["x-long"]?.utf8.count == size && mirror.requests.last?.text == "body")
        }
        #expect(gateway.counts.answered == 5)
    }

    @Test func severalMirrorsHaveATossEach() throws {
        let origin = try OriginServer(name: "origin")
        let mirrors = [try OriginServer(name: "one"), try OriginServer(name: "two")]
        defer { stopAll(origin, mirrors[0], mirrors[1]) }
        let all = try MirrorGateway(to: origin.port, mirrors: mirrors.map(\.port))
        var client = try all.gateway.client()
        #expect(try all.exchange(&client, Self.post("abc")).status == 200)
        try all.settle()
        #expect(mirrors.map { $0.requests.map(\.text) } == [["abc"], ["abc"]])
        let half = try MirrorGateway(
            to: origin.port, mirrors: mirrors.map(\.port), share: RequestShare(millionths: 500_000))
        client = try half.gateway.client()
        for _ in 0..<200 { #expect(try half.exchange(&client, Self.get).status == 200) }
        try half.settle()
        let counts = mirrors.map { $0.requests.count - 1 }
        // Five standard deviations.
        for count in counts { #expect(abs(count - 100) < 36) }
        #expect(half.counts.answered == counts[0] + counts[1])
    }

    @Test func aTryAgainIsNotCopiedAgain() throws {
        let failures = Guarded(0)
        let origin = try OriginServer { _, socket in
            let count = failures.withLock { count in
                count += 1
                return count
            }
            try socket.send("HTTP/1.1 \(count < 3 ? 503 : 200) X\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        let mirror = try OriginServer(name: "mirror")
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.retry = .standard
            $0.retry.conditions = [.serverError]
        }
        var client = try gateway.gateway.client()
        try client.socket.send(Self.post("abc"))
        try gateway.gateway.run(until: "an answer arrives") {
            gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        #expect(try client.response().status == 200 && origin.requests.count == 3)
        try gateway.settle()
        #expect(mirror.requests.map(\.text) == ["abc"] && mirror.requests[0]["x-envoy-attempt-count"] == "1")
    }

    @Test func whatIsNotSentOnIsNotCopied() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let fault = FaultInjection(delay: nil, abort: FaultInjection.Abort(.status(500), share: .all))
        let aborted = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.actions = RouteActions(fault: fault)
        }
        var client = try aborted.gateway.client()
        #expect(try aborted.exchange(&client, Self.get).status == 500)
        let lost = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.destinations[0].clusterID = -1
        }
        client = try lost.gateway.client()
        #expect(try lost.exchange(&client, Self.get).status == 503)
        #expect(mirror.acceptedConnections == 0 && aborted.counts == MirrorCounts() && lost.counts == MirrorCounts())
    }

    @Test func whatWasDelayedIsCopiedWithAllThatHasCome() throws {
        let (origin, mirror) = try Self.pair()
        defer { stopAll(origin, mirror) }
        let delay = FaultInjection.Delay(milliseconds: 1000, share: .all)
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port]) { _ in
        } routing: {
            $0.actions = RouteActions(fault: FaultInjection(delay: delay, abort: nil))
        }
        var client = try gateway.gateway.client()
        for request in [Self.post("order=42"), Self.get] {
            try client.socket.send(request)
            try gateway.gateway.run(until: "the request is held") { gateway.gateway.activeExchanges == 1 }
            #expect(gateway.counts.active == 0)
            gateway.gateway.advance(milliseconds: 1000)
            #expect(try gateway.gateway.answer(&client).status == 200)
            try gateway.settle()
        }
        #expect(mirror.requests.map(\.text) == ["order=42", ""] && origin.requests.map(\.text) == ["order=42", ""])
    }

    @Test func aTunnelIsNotCopied() throws {
        let mirror = try OriginServer(name: "mirror")
        let origin = try OriginServer { _, socket in
            try socket.send("HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n")
            return true
        }
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port])
        var client = try gateway.gateway.client()
        let answer = try gateway.exchange(
            &client,
            "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        #expect(answer.status == 400 && mirror.acceptedConnections == 0)
    }

    // MARK: HTTP/2

    @Test func aMirrorMaySpeakHTTP2() throws {
        let origin = try OriginServer(name: "origin")
        let bodies = Guarded<[Int]>([])
        let mirror = try makeH2Origin { _, peer in
            try peer.sendSettings()
            while true {
                let stream = try peer.request()
                try peer.answer(stream)
                bodies.withLock { $0.append(Int(stream)) }
            }
        }
        defer { stopAll(origin, mirror) }
        let gateway = try MirrorGateway(to: origin.port, mirrors: [mirror.port], configure: { $0.httpVersion = .http2 })
        var client = try gateway.gateway.client()
        for count in 1...3 {
            #expect(try gateway.exchange(&client, count == 2 ? Self.post("abc") : Self.get).status == 200)
            try gateway.settle()
            #expect(gateway.counts.answered == count)
        }
        #expect(mirror.acceptedConnections == 1 && gateway.worker.mirrors.queuedBytes == 0)
    }
}
