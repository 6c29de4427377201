import Testing
import WeirEngine
import WeirTestSupport

/// Many clients at once, and clients that behave badly: nobody else notices.
@Suite struct ManyClientsTests {
    private func server(_ port: Int) throws -> RunningServer {
        try RunningServer.live([
            Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "shop"),
            Documents.serviceEntry("shop", ports: [port]),
        ])
    }

    @Test func twoHundredFreshConnectionsAreServedAtTheSameTime() throws {
        let clients = 200
        let arrived = Guarded(0)
        let all = TestSignal()
        let origin = try OriginServer { request, socket in
            // Nobody is answered before the last one has arrived.
            let count = arrived.withLock { count in
                count += 1
                return count
            }
            if count == clients { all.raise() }
            try all.wait("all requests are in flight")
            let target = request.target
            try socket.send("HTTP/1.1 200 OK\r\ncontent-length: \(target.utf8.count)\r\n\r\n\(target)")
            return true
        }
        defer { origin.stop() }
        let server = try server(origin.port)
        var open = try (0..<clients).map { _ in try server.client() }
        for index in open.indices {
            try open[index].socket.send("GET /client/\(index) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        }
        for index in open.indices {
            let answer = try open[index].response()
            #expect(answer.status == 200 && answer.text == "/client/\(index)")
        }
        #expect(origin.requests.count == clients)
    }

    @Test func clientsThatStallInsideTheirHeadDisturbNobody() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try server(origin.port)
        // Enough to meet both workers.
        var stalled = try (0..<20).map { _ in try server.client() }
        for index in stalled.indices {
            try stalled[index].socket.send("GET /stalled/\(index) HTTP/1.1\r\nHost: exam")
        }
        let port = try server.port()
        try TestCrew(4) { number in
            for round in 0..<50 {
                var client = try TestClient(port: port)
                for step in 0..<4 {
                    let target = "/other/\(number)/\(round)/\(step)"
                    guard try client.request("GET", target).text == target else {
                        throw TestSocketError(description: "\(target) was not answered")
                    }
                }
            }
        }.join()
        for index in stalled.indices {
            try stalled[index].socket.send("ple.com\r\n\r\n")
            #expect(try stalled[index].response().text == "/stalled/\(index)")
        }
    }

    @Test func clientsThatVanishDisturbNobody() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try server(origin.port)
        var client = try server.client()
        for index in 0..<100 {
            let rude = try TestSocket(port: server.port())
            if index % 2 == 0 { rude.resetOnClose() }
            try rude.send(index % 3 == 0 ? "GET / HTT" : "GET /gone HTTP/1.1\r\nHost: example.com\r\n\r\n")
            withExtendedLifetime(rude) {}
            #expect(try client.request("GET", "/\(index)").text == "/\(index)")
        }
    }
}
