import Testing
import WeirServer
import WeirTestSupport

/// Ending: readiness fails first, what is in flight is finished, then the server is gone.
@Suite struct DrainTests {
    private let slow: SlowOrigin

    init() throws { slow = try SlowOrigin() }

    private func server(configure: (inout ServerOptions) -> Void = { _ in }) throws -> RunningServer {
        try RunningServer.live(
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "slow"),
                Documents.serviceEntry("slow", ports: [slow.port]),
            ], configure: configure)
    }

    private func begin(_ target: String, _ server: RunningServer) throws -> TestClient {
        let client = try server.client()
        try client.socket.send("GET \(target) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        return client
    }

    private func awaitExit(_ server: RunningServer) throws -> WeirServer.ExitStatus? {
        try eventually("the server has ended") { server.exit != nil }
        return server.exit
    }

    @Test func readinessFailsWhileTheDelayStillAccepts() throws {
        let server = try server { $0.drainDelaySeconds = 600 }
        #expect(try server.admin("/ready").status == 200)
        var open = try server.client()
        #expect(try open.request("GET", "/before").text == "/before")
        server.stop()
        try eventually("readiness fails") { try server.admin("/ready").status == 503 }
        #expect(try server.admin("/ready").text == "not ready: draining\n")
        let status = try server.status()
        #expect(status.draining && !status.ready)
        let answer = try open.request("GET", "/during")
        #expect(answer.text == "/during" && answer["connection"] == nil)
        #expect(try server.get("/fresh").text == "/fresh")
        // A second request does not wait for the delay.
        server.stop()
        #expect(try awaitExit(server) == .success)
        #expect(try open.hasEnded())
    }

    @Test func aRequestInFlightIsFinishedAndItsConnectionClosed() throws {
        let server = try server()
        var client = try begin(SlowOrigin.Target.beforeHead, server)
        server.stop()
        let port = try server.port()
        try eventually("no connection is accepted any more") { TestPort.isFree(port) }
        #expect(try server.admin("/ready").status == 503, "the admin server lasts longest")
        #expect(server.exit == nil)
        slow.finish()
        let answer = try client.response()
        #expect(answer.status == 200 && answer.text == SlowOrigin.Target.body)
        #expect(answer["connection"] == "close")
        #expect(try client.hasEnded())
        #expect(try awaitExit(server) == .success)
    }

    @Test func anAnswerThatHadBegunIsFinished() throws {
        let server = try server()
        var client = try begin(SlowOrigin.Target.insideBody, server)
        server.stop()
        let port = try server.port()
        try eventually("no connection is accepted any more") { TestPort.isFree(port) }
        slow.finish()
        let answer = try client.response()
        #expect(answer.text == SlowOrigin.Target.body && !answer.isTruncated)
        #expect(try client.hasEnded())
        #expect(try awaitExit(server) == .success)
    }

    @Test func idleConnectionsDoNotDelayTheEnd() throws {
        let server = try server { $0.drainSeconds = 600 }
        var clients = try (0..<10).map { _ in try server.client() }
        for index in clients.indices.dropFirst() { #expect(try clients[index].request().status == 200) }
        server.stop()
        #expect(try awaitExit(server) == .success)
        for index in clients.indices { #expect(try clients[index].hasEnded()) }
    }

    @Test func theDeadlineCutsWhatIsLeft() throws {
        let server = try server { $0.drainSeconds = 0.2 }
        var client = try begin(SlowOrigin.Target.insideBody, server)
        server.stop()
        #expect(try awaitExit(server) == .success)
        #expect(try client.response().isTruncated)
        #expect(server.log.hasLine(with: "warning", "deadline"))
    }

    @Test func aReloadDuringTheDrainDoesNoHarm() throws {
        let server = try server()
        var client = try begin(SlowOrigin.Target.beforeHead, server)
        server.stop()
        let port = try server.port()
        try eventually("no connection is accepted any more") { TestPort.isFree(port) }
        try server.reload {
            try server.directory.replace("all.yaml", Documents.gateway())
        }
        #expect(TestPort.isFree(port), "a reload does not open the port again")
        slow.finish()
        #expect(try client.response().text == SlowOrigin.Target.body)
        #expect(try awaitExit(server) == .success)
    }
}
