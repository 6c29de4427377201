import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct LocalServersTests {
    @Test func aStreamedAnswerReachesASlowClientWhole() throws {
        let servers = LocalServers(name: "local")
        let port = try servers.listen("127.0.0.1:0") { request in
            let left = Guarded(Int(request.path.dropFirst()) ?? 0)
            return LocalResponse(status: 200, contentType: "text/plain") {
                left.withLock { pieces in
                    guard pieces > 0 else { return nil }
                    pieces -= 1
                    return [UInt8](repeating: 1, count: 20_000)
                }
            }
        }
        servers.start()
        defer { servers.stop() }
        for pieces in [0, 1, 400, 411] {
            var client = try TestClient(port: port)
            let answer = try client.request("GET", "/\(pieces)", headers: [("Connection", "close")])
            #expect(answer.body.count == pieces * 20_000 && !answer.isTruncated)
            #expect(try client.hasEnded())
        }
    }

    @Test func whatWasAcceptedBeforeASuccessorCameIsAnsweredBeforeTheEnd() throws {
        let servers = LocalServers(name: "local")
        let left = Guarded(400)
        let port = try servers.listen("127.0.0.1:0") { _ in
            LocalResponse(status: 200, contentType: "text/plain") {
                left.withLock { pieces in
                    guard pieces > 0 else { return nil }
                    pieces -= 1
                    return [UInt8](repeating: 1, count: 20_000)
                }
            }
        }
        servers.start()
        var client = try TestClient(port: port)
        try client.socket.send("GET / HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
        let socket = client.socket
        try eventually("the answer has begun") { socket.hasInput }
        servers.handOver([])
        let stopping = TestCrew(1) { _ in servers.stop() }
        let answer = try client.response()
        #expect(answer.body.count == 400 * 20_000 && !answer.isTruncated)
        try stopping.join()
    }

    @Test func oneConnectionAsksManyThings() throws {
        let servers = LocalServers(name: "local")
        let port = try servers.listen("127.0.0.1:0") { request in
            LocalResponse(
                status: request.path == "/gone" ? 404 : 200, headers: [(name: "X-Method", value: request.method)],
                body: Array("\(request.path)?\(request.query)".utf8))
        }
        servers.start()
        defer { servers.stop() }
        var client = try TestClient(port: port)
        let first = try client.request("POST", "/a?b=c", body: [1, 2, 3])
        #expect(first.status == 200 && first.text == "/a?b=c" && first["x-method"] == "POST")
        #expect(first["server"] == "weir" && first["date"] != nil)
        #expect(try client.request("GET", "/gone").status == 404)
        let head = try client.request("HEAD", "/x")
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(try client.request("GET", "/y").text == "/y?")
    }

    @Test func connectionsOverTheLimitAreClosedAtOnce() throws {
        let servers = LocalServers(name: "test")
        let port = try servers.listen("127.0.0.1:0") { _ in LocalResponse(status: 200, body: []) }
        servers.start()
        defer { servers.stop() }
        var clients = try (0..<LocalServers.maxConnections).map { _ in try TestClient(port: port) }
        #expect(try clients[LocalServers.maxConnections - 1].request().status == 200)
        var refused = try TestClient(port: port)
        #expect(try refused.hasEnded())
        #expect(try clients[0].request().status == 200)
        clients.removeLast()
        try eventually("there is room again") {
            guard var late = try? TestClient(port: port) else { return false }
            return (try? late.request().status) == 200
        }
    }

    @Test func aFloodAtOneServerLeavesTheOthersTheirs() throws {
        let servers = LocalServers(name: "local", connections: 8)
        let flooded = try servers.listen("127.0.0.1:0") { _ in LocalResponse(status: 200, body: []) }
        let other = try servers.listen("127.0.0.1:0") { _ in LocalResponse(status: 200, body: []) }
        servers.start()
        defer { servers.stop() }
        var flood = try (0..<8).map { _ in try TestClient(port: flooded) }
        for index in flood.indices {
            let status = try flood[index].request().status
            #expect(status == 200)
        }
        var late = try TestClient(port: flooded)
        #expect(try late.hasEnded())
        var probe = try TestClient(port: other)
        #expect(try probe.request().status == 200)
    }

    @Test func aConnectionWithoutARequestIsClosed() throws {
        let servers = LocalServers(name: "local", idleMilliseconds: 50)
        let port = try servers.listen("127.0.0.1:0") { _ in LocalResponse(status: 200, body: []) }
        servers.start()
        defer { servers.stop() }
        var silent = try TestClient(port: port)
        var served = try TestClient(port: port)
        let status = try served.request().status
        #expect(status == 200)
        // Each waits for its end.
        let ends = try [silent.hasEnded(), served.hasEnded()]
        #expect(ends == [true, true])
    }

    @Test func aPortThatIsTakenIsSaid() throws {
        let servers = LocalServers(name: "local")
        let port = try servers.listen("127.0.0.1:0") { _ in LocalResponse(status: 200, body: []) }
        servers.start()
        defer { servers.stop() }
        #expect(throws: SocketError.self) {
            _ = try servers.listen("127.0.0.1:\(port)") { _ in LocalResponse(status: 200, body: []) }
        }
        #expect(throws: SocketError.self) {
            _ = try servers.listen("nonsense") { _ in LocalResponse(status: 200, body: []) }
        }
    }
}
