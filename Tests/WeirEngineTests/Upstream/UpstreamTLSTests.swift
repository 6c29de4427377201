import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Requests to endpoints that are reached over TLS.
@Suite struct UpstreamTLSTests {
    /// An authority, an origin with a certificate of it, and a gateway that leads there.
    private struct Scene {
        let authority: TestAuthority
        let origin: OriginServer
        let front: TLSFront
        let gateway: SteppedGateway

        init(
            names: [String] = ["upstream.example.com"], front options: TLSFront.Options = TLSFront.Options(),
            retries: Bool = false, spec: (inout TLSClientSpec, TestAuthority) throws -> Void = { _, _ in },
            origin script: OriginServer.Script? = nil
        ) throws {
            authority = try TestAuthority()
            origin = try script.map { try OriginServer($0) } ?? OriginServer(name: "secure")
            front = try TLSFront(authority.issue(names), origin: origin.port, options)
            var tls = TLSClientSpec(trust: .authorities(PEMText(Array(try authority.certificateText.utf8))))
            tls.serverName = "upstream.example.com"
            try spec(&tls, authority)
            let made = tls
            gateway = try SteppedGateway(
                origins: [front.port], configure: { $0.tls = made }, routing: { if retries { $0.retry = .standard } })
        }

        func stop() {
            front.stop()
            origin.stop()
        }

        func get(
            _ client: inout TestClient, host: String = "example.com", _ target: String = "/a"
        ) throws
            -> TestMessage
        {
            try client.socket.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            return try gateway.answer(&client)
        }
    }

    private static let refusal =
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"

    /// Why TLS to the one endpoint failed last.
    private static func failure(_ gateway: SteppedGateway) throws -> String {
        String(decoding: try pool(gateway).failureText, as: UTF8.self)
    }

    private static func pool(_ gateway: SteppedGateway) throws -> ConnectionPool {
        var random = FastRandom(seed: 1)
        let pinned = try #require(gateway.worker.pinCurrent())
        defer { gateway.worker.unpin(pinned) }
        let cluster = try #require(gateway.worker.cluster(0, pinned)).takeUnretainedValue()
        return try #require(cluster.pick(key: 0, &random)).takeUnretainedValue().pool
    }

    @Test func requestsGoOverOneConnectionUnderTheNameThatIsWritten() throws {
        let scene = try Scene()
        defer { scene.stop() }
        var client = try scene.gateway.client()
        for target in ["/a", "/b", "/c"] { #expect(try scene.get(&client, target).text == target) }
        #expect(scene.front.handshakes.map(\.serverName) == ["upstream.example.com"])
        #expect(scene.front.handshakes.first?.version == "TLSv1.3")
        #expect(scene.gateway.stats().idleUpstreamConnections == 1)
    }

    @Test func http11IsAskedForWhereTheEndpointChoosesAProtocol() throws {
        var options = TLSFront.Options()
        options.protocols = "\u{2}h2\u{8}http/1.1"
        let scene = try Scene(front: options)
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client).status == 200)
        #expect(scene.front.handshakes.first?.chosenProtocol == "http/1.1")
    }

    @Test func anEndpointOfAnotherAuthorityIsNotTalkedTo() throws {
        let scene = try Scene { tls, _ in
            tls.trust = .authorities(PEMText(Array(try TestAuthority(name: "Another").certificateText.utf8)))
        }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        let answer = try scene.get(&client)
        #expect(answer.status == 503 && answer.text == Self.refusal)
        let failure = try Self.failure(scene.gateway)
        #expect(failure.hasPrefix("TLS_error:|"))
        #expect(failure.contains("CERTIFICATE_VERIFY_FAILED:verify cert failed: unable to get local issuer"))
        #expect(scene.origin.requests.isEmpty && scene.front.handshakes.isEmpty)
        #expect(scene.gateway.stats().upstreamConnectFailures == 1)
    }

    @Test func anEndpointWithoutTheExpectedNameIsNotTalkedTo() throws {
        let scene = try Scene(names: ["other.example.com"]) { tls, _ in
            tls.expectedNames = .oneOf(["upstream.example.com", "spiffe://mesh/x"])
        }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        let answer = try scene.get(&client)
        #expect(answer.status == 503)
        #expect(try Self.failure(scene.gateway).contains("no subject alternative name is the expected one"))
        #expect(scene.origin.requests.isEmpty)
    }

    @Test func aNameThatIsWrittenIsNotExpectedOfTheCertificateUnlessThatIsWrittenToo() throws {
        let scene = try Scene(names: ["other.example.com"])
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client).status == 200)
    }

    @Test func theRequestsHostIsAskedForAndExpectedWhereNoNameIsWritten() throws {
        let scene = try Scene(names: ["*.example.com", "example.com"]) { tls, _ in
            tls.serverName = nil
            tls.expectedNames = .requested
        }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client, host: "EXAMPLE.com:8080").status == 200)
        #expect(try scene.get(&client, host: "example.com").status == 200)
        // The name in the certificate covers the second; connections are not shared between names.
        #expect(scene.front.handshakes.map(\.serverName) == ["example.com"])
    }

    @Test func aHostThatTheCertificateDoesNotHaveIsRefused() throws {
        let scene = try Scene(names: ["upstream.example.com"]) { tls, _ in
            tls.serverName = nil
            tls.expectedNames = .requested
        }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client, host: "example.com").status == 503)
        #expect(scene.origin.requests.isEmpty)
    }

    @Test func anyCertificateWillDoWhereNoneIsLookedAt() throws {
        let scene = try Scene(names: ["whatever.test"]) { tls, _ in tls.trust = .anyone }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client).status == 200)
    }

    @Test func theGatewaysOwnCertificateIsShownToEndpointsThatWantOne() throws {
        let authority = try TestAuthority()
        var options = TLSFront.Options()
        options.clientAuthority = authority.certificate
        let own = try authority.issue(["gateway"])
        for isShown in [true, false] {
            let scene = try Scene(front: options) { tls, _ in
                guard isShown else { return }
                tls.certificate = PEMText(Array(try own.certificateText.utf8))
                tls.privateKey = PEMText(Array(try own.keyText.utf8))
            }
            defer { scene.stop() }
            var client = try scene.gateway.client()
            #expect(try scene.get(&client).status == (isShown ? 200 : 503))
            #expect(scene.front.handshakes.map(\.hasCertificate) == (isShown ? [true] : []))
        }
    }

    @Test(arguments: [Int32(0x0303), 0x0304]) func aSessionIsResumedByTheNextConnection(version: Int32) throws {
        var options = TLSFront.Options()
        options.maxVersion = version
        let scene = try Scene(
            front: options,
            origin: { _, socket in
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                return false
            })
        defer { scene.stop() }
        var client = try scene.gateway.client()
        for _ in 0..<3 { #expect(try scene.get(&client).text == "ok") }
        #expect(scene.front.handshakes.map(\.isResumed) == [false, true, true])
    }

    @Test(arguments: [false, true]) func aBodyThatEndsWithItsConnectionIsWholeOnlyIfTLSSaysSo(isCut: Bool) throws {
        var options = TLSFront.Options()
        options.endsByCut = isCut
        let scene = try Scene(
            front: options,
            origin: { _, socket in
                try socket.send("HTTP/1.1 200 OK\r\n\r\nas long as it lasts")
                return false
            })
        defer { scene.stop() }
        var client = try scene.gateway.client()
        try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        try scene.gateway.end(client)
        let answer = try client.response()
        #expect(answer.text == "as long as it lasts" && answer.isTruncated == isCut)
    }

    @Test func longBodiesArriveWholeBothWays() throws {
        let scene = try Scene(origin: { request, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n")
            try socket.send(request.body)
            return true
        })
        defer { scene.stop() }
        var client = try scene.gateway.client()
        var body = [UInt8](repeating: 0, count: 3_000_001)
        for index in body.indices { body[index] = UInt8(truncatingIfNeeded: index &* 31) }
        let sender = BackgroundSender(
            client.socket, prefix: "POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.count)\r\n\r\n",
            size: body.count)
        let received = Guarded<TestMessage?>(nil)
        let socket = client.socket
        TestThread {
            var reader = TestReader(socket)
            let answer = try? reader.next()
            received.withLock { $0 = answer }
        }.start()
        try scene.gateway.run(until: "the body has come back") { received.withLock { $0 != nil } }
        #expect(sender.isDone)
        #expect(received.withLock { $0?.body.count } == body.count)
        _ = try scene.get(&client)
    }

    @Test func aHandshakeThatIsNeverAnsweredEndsWithTheConnectTimeout() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let authority = try TestAuthority()
        let tls = TLSClientSpec(trust: .authorities(PEMText(Array(try authority.certificateText.utf8))))
        let gateway = try SteppedGateway(origins: [origin.port], configure: { $0.tls = tls })
        var client = try gateway.client()
        try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try gateway.run(until: "the handshake has begun") { origin.acceptedConnections == 1 }
        gateway.advance(milliseconds: 10_000)
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.text.hasSuffix("reset reason: connection timeout"))
    }

    @Test func anEndpointThatSpeaksNoTLSIsRefused() throws {
        let origin = try OriginServer(raw: { reader, socket in
            _ = try reader.someBytes()
            try socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        })
        defer { origin.stop() }
        let authority = try TestAuthority()
        let tls = TLSClientSpec(trust: .authorities(PEMText(Array(try authority.certificateText.utf8))))
        let gateway = try SteppedGateway(origins: [origin.port], configure: { $0.tls = tls })
        var client = try gateway.client()
        try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503)
        #expect(try Self.failure(gateway).contains("WRONG_VERSION_NUMBER"))
    }

    @Test func aClusterThatCannotBeSecuredAsAskedIsNotTalkedTo() throws {
        let origin = try OriginServer(name: "plain")
        defer { origin.stop() }
        let gateway = try SteppedGateway(
            origins: [origin.port], configure: { $0.transportProblem = "TLS_error:no certificate" })
        var client = try gateway.client()
        try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
        let answer = try gateway.answer(&client)
        #expect(answer.status == 503 && answer.text == Self.refusal)
        #expect(try Self.failure(gateway) == "TLS_error:no certificate")
        #expect(origin.acceptedConnections == 0)
    }

    @Test func connectionsOfFormerSettingsAreLeftBehind() throws {
        let scene = try Scene()
        defer { scene.stop() }
        var client = try scene.gateway.client()
        #expect(try scene.get(&client).status == 200)
        var tls = TLSClientSpec(
            trust: .authorities(PEMText(Array(try scene.authority.certificateText.utf8))))
        tls.serverName = "upstream.example.com"
        let same = tls
        try scene.gateway.adopt(generation: 2, origins: [scene.front.port], configure: { $0.tls = same })
        #expect(try scene.get(&client).status == 200)
        #expect(scene.front.handshakes.count == 1)
        tls.serverName = "other.example.com"
        let other = tls
        try scene.gateway.adopt(generation: 3, origins: [scene.front.port], configure: { $0.tls = other })
        #expect(scene.gateway.stats().idleUpstreamConnections == 0)
        #expect(try scene.get(&client).status == 200)
        #expect(scene.front.handshakes.map(\.serverName) == ["upstream.example.com", "other.example.com"])
        #expect(scene.gateway.stats().upstreamConnections == 1)
    }

    @Test func failedHandshakesAreTriedElsewhere() throws {
        let scene = try Scene(retries: true) { tls, _ in
            tls.expectedNames = .oneOf(["nobody.example.com"])
        }
        defer { scene.stop() }
        var client = try scene.gateway.client()
        try client.socket.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try scene.gateway.run(until: "an answer arrives") {
            scene.gateway.worker.loop.advance(milliseconds: 5)
            return client.socket.hasInput
        }
        let answer = try client.response()
        #expect(answer.status == 503 && answer.text.contains("retried and the latest reset reason: remote connection"))
        #expect(scene.gateway.stats().upstreamRetries == 2)
    }

    @Test func aHostThatIsNoNameIsNotAskedFor() {
        func requested(_ authority: String, hostLength: Int? = nil) -> String {
            let head = RequestHead()
            defer { head.free() }
            return Array(authority.utf8).withUnsafeBytes { bytes in
                head.authority = bytes
                head.hostLength = hostLength ?? bytes.count
                return ServerNames.withRequested(head) { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(requested("Shop.Example.com:443", hostLength: 16) == "shop.example.com")
        #expect(requested("shop.example.com.") == "shop.example.com")
        #expect(requested("[::1]:80", hostLength: 5) == "::1")
        #expect(requested(String(repeating: "a", count: ServerNames.maxBytes)).utf8.count == 255)
        #expect(requested(String(repeating: "a", count: ServerNames.maxBytes + 1)).isEmpty)
        #expect(ServerNames.isAddress(Array("10.0.0.1".utf8)) && ServerNames.isAddress(Array("::1".utf8)))
        #expect(!ServerNames.isAddress(Array("a.b".utf8)))
    }

    @Test func poolsOfNamesThatNobodyAsksForAreForgotten() throws {
        final class Sink: MessageSink {
            override func receive(fromUpstream event: consuming MessageEvent) {}
        }
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let listener = try Socket.listen(address, shared: false)
        defer { Socket.close(listener) }
        let gateway = try SteppedGateway(
            origins: [Int(Socket.localAddress(listener).port)],
            configure: { $0.tls = TLSClientSpec(trust: .anyone) })
        let pool = try Self.pool(gateway)
        let sink = Sink()
        let head = RequestHead()
        defer { head.free() }
        for number in 0..<100 {
            let stream = Array("host-\(number)".utf8).withUnsafeBytes { bytes in
                head.authority = bytes
                head.hostLength = bytes.count
                return pool.lease(for: head, to: Borrowed(sink))
            }
            try #require(stream).cancel()
        }
        #expect(pool.connectionCount == 100 && pool.poolCount == 100)
        gateway.advance(milliseconds: 10_000)
        #expect(pool.connectionCount == 0 && pool.poolCount == ConnectionPool.maxEmptyPools)
        #expect(gateway.stats().upstreamConnections == 0)
    }
}
