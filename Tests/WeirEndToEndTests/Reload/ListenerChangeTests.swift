import Testing
import WeirTestSupport

/// Ports and endpoints that come and go while the server runs.
@Suite struct ListenerChangeTests {
    private let backends: Backends
    private let directory: TemporaryDirectory

    init() throws {
        backends = try Backends(2)
        directory = try TemporaryDirectory()
        try directory.write("gateway.yaml", Documents.gateway(ports: [80]))
        try directory.write("routes.yaml", Documents.virtualService("routes", hosts: ["*"], to: "shop"))
        try directory.write("entry.yaml", Documents.serviceEntry("shop", ports: [backends.ports[0]]))
    }

    @Test func aNewPortServesAndARemovedOneRefuses() throws {
        let server = try RunningServer.live(directory, ports: [80, 81])
        var stays = try server.client()
        #expect(try stays.request().status == 200)
        #expect(throws: TestSocketError.self) { try server.client(port: 81) }
        try server.reload { try directory.replace("gateway.yaml", Documents.gateway(ports: [80, 81])) }
        #expect(try server.get(port: 81).status == 200)
        #expect(try server.status().listeners.map(\.port) == [80, 81])
        try server.reload { try directory.replace("gateway.yaml", Documents.gateway(ports: [80])) }
        let removed = try server.port(81)
        try eventually("the port is free again") { TestPort.isFree(removed) }
        #expect(throws: TestSocketError.self) { try server.client(port: 81) }
        #expect(try server.status().listeners.map(\.port) == [80])
        #expect(try stays.request().status == 200, "a connection of the other port has seen nothing")
    }

    @Test func aBusyPortIsReportedAndTakenWhenItIsFree() throws {
        let server = try RunningServer.live(directory, ports: [80, 81])
        let busy = try server.port(81)
        var holder: PortHolder? = try PortHolder(port: busy)
        try server.reload { try directory.replace("gateway.yaml", Documents.gateway(ports: [80, 81])) }
        #expect(try server.get().status == 200)
        let status = try server.status()
        let problem = try #require(status.errors.first)
        #expect(problem.code == "WEIR0007" && problem.message.contains("\(busy)"))
        #expect(problem.resource == "Gateway default/entry" && problem.path == "spec.servers[1].port.number")
        #expect(problem.file == directory.path("gateway.yaml") && (problem.line ?? 0) > 1)
        let listener = try #require(status.listeners.first { $0.port == 81 })
        #expect(!listener.listening && listener.localPort == busy && listener.problem != nil)
        #expect(server.log.hasLine(with: "error", "Port \(busy)", "gateway.yaml"))
        withExtendedLifetime(holder) {}
        func published() -> Int { server.log.lines.count { $0.contains("configuration published") } }
        let (generation, publications) = (status.generation, published())
        holder = nil
        // No file changes: the server itself tries again.
        try eventually("the port is listened on", seconds: 30) { try server.status().listeners.allSatisfy(\.listening) }
        #expect(try server.get(port: 81).status == 200)
        #expect(try server.status().problems.isEmpty)
        #expect(try server.status().generation == generation && published() == publications, "it is no new one")
        #expect(server.log.hasLine(with: "resolved", "Port \(busy)"))
    }

    @Test func endpointsAreExchangedUnderAnOpenConnection() throws {
        let server = try RunningServer.live(directory)
        var client = try server.client()
        #expect(try client.request()["x-backend"] == "v1")
        try server.reload {
            try directory.replace("entry.yaml", Documents.serviceEntry("shop", ports: [backends.ports[1]]))
        }
        for _ in 0..<50 { #expect(try client.request()["x-backend"] == "v2") }
        try server.reload { try directory.replace("entry.yaml", Documents.serviceEntry("shop", endpoints: [])) }
        #expect(try client.request().text == "no healthy upstream")
        try server.reload { try directory.replace("entry.yaml", Documents.serviceEntry("shop", ports: backends.ports)) }
        #expect(try Set(server.tally(100).keys) == ["v1", "v2"])
        try eventually("the endpoint that left keeps no connection") {
            backends.origins[0].endedConnections > 0
        }
    }

    @Test(arguments: [SlowOrigin.Target.beforeHead, SlowOrigin.Target.insideBody])
    func anAnswerInFlightSurvivesTheLossOfItsRoute(target: String) throws {
        let slow = try SlowOrigin()
        try directory.replace("entry.yaml", Documents.serviceEntry("shop", ports: [slow.port]))
        let server = try RunningServer.live(directory, ports: [80, 81])
        var client = try server.client()
        try client.socket.send("GET \(target) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        // The route goes, then the service, then the listener.
        try server.reload { try directory.remove("routes.yaml") }
        #expect(try server.get().status == 404)
        try server.reload { try directory.remove("entry.yaml") }
        try server.reload { try directory.replace("gateway.yaml", Documents.gateway(ports: [81])) }
        slow.finish()
        let answer = try client.response()
        #expect(answer.status == 200 && answer.text == SlowOrigin.Target.body && !answer.isTruncated)
    }
}
