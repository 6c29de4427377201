import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// Listeners over reloads, and the end of an engine's life.
@Suite struct ListenerTests {
    @Test func aPortThatStaysKeepsItsConnectionsOverReloads() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        var clients = try (0..<8).map { _ in try gateway.client() }
        for generation in 2..<30 {
            let problems = try gateway.publish(
                try GatewayFixture.snapshot(
                    generation: UInt64(generation), listeners: [gateway.port], origins: [origin.port]))
            #expect(problems.isEmpty)
            for index in clients.indices { #expect(try clients[index].request("GET", "/\(generation)").status == 200) }
        }
        let stats = try gateway.stats()
        #expect(stats.acceptedConnections == 8 && stats.pinnedGenerations == 2)
        #expect(origin.acceptedConnections <= 8)
    }

    @Test func aNewPortIsListenedOnAndARemovedOneIsNot() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        let second = try GatewayFixture.freePort()
        var old = try gateway.client()
        #expect(try old.request().status == 200)
        #expect(
            try gateway.publish(
                try GatewayFixture.snapshot(generation: 2, listeners: [gateway.port, second], origins: [origin.port])
            ).isEmpty)
        var new = try TestClient(port: second)
        #expect(try new.request().status == 200)
        #expect(gateway.engine.listeningPorts().map(\.localPort) == [gateway.port, second])
        _ = try gateway.publish(
            try GatewayFixture.snapshot(generation: 3, listeners: [second], origins: [origin.port]))
        try eventually("the removed port refuses connections") { (try? TestSocket(port: gateway.port)) == nil }
        // What it had accepted is told that there is no route any more; the other port goes on.
        #expect(try old.request().status == 404)
        #expect(try new.request().status == 200)
    }

    @Test func connectionsQueuedOnARemovedPortAreNotReset() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        let second = try GatewayFixture.freePort()
        for round in 0..<10 {
            _ = try gateway.publish(
                try GatewayFixture.snapshot(
                    generation: UInt64(2 + 2 * round), listeners: [gateway.port, second], origins: [origin.port]))
            let sockets = try (0..<40).map { _ in try TestSocket(port: second) }
            _ = try gateway.publish(
                try GatewayFixture.snapshot(
                    generation: UInt64(3 + 2 * round), listeners: [gateway.port], origins: [origin.port]))
            for socket in sockets {
                try socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
                var reader = TestReader(socket)
                #expect(try reader.next()?.status == 404)
            }
        }
    }

    @Test func aBusyPortIsNamedAndTheOthersAreServed() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        let problems = try gateway.publish(
            try GatewayFixture.snapshot(generation: 2, listeners: [origin.port, gateway.port], origins: [origin.port]))
        #expect(problems.count == 1 && problems.first?.localPort == origin.port)
        #expect(problems.first?.message.contains("Address already in use") == true)
        var client = try gateway.client()
        #expect(try client.request().status == 200)
        #expect(gateway.engine.listeningPorts().map(\.localPort) == [gateway.port])
        // Once the port is free, the next generation gets it.
        let port = origin.port
        origin.stop()
        try eventually("the port is free") { (try? TestSocket(port: port)) == nil }
        #expect(
            try gateway.publish(
                try GatewayFixture.snapshot(generation: 3, listeners: [port, gateway.port], origins: [])
            ).isEmpty)
        #expect(gateway.engine.listeningPorts().count == 2)
    }

    @Test func drainingClosesIdleConnectionsAndLetsAnswersEnd() throws {
        let gate = Flag()
        let origin = try OriginServer { request, socket in
            if request.target == "/slow" { while !gate.isRaised { usleep(1000) } }
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        var idle = try gateway.client()
        #expect(try idle.request().text == "done")
        var busy = try gateway.client()
        try busy.socket.send("GET /slow HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try eventually("the slow request is at the origin") { origin.requests.count == 2 }
        let drained = Flag()
        let handle = gateway.engine.beginDrain { drained.raise() }
        #expect(try idle.hasEnded())
        try eventually("nothing is accepted any more") { (try? TestSocket(port: gateway.port)) == nil }
        #expect(!drained.isRaised)
        gate.raise()
        let answer = try busy.response()
        #expect(answer.text == "done" && answer["connection"] == "close")
        #expect(try busy.hasEnded())
        try eventually("the drain is reported") { drained.isRaised }
        handle.giveUp()
    }

    @Test func twoGatewayPortsOnOneLocalPortAreReported() throws {
        let port = try GatewayFixture.freePort()
        var options = EngineOptions()
        options.bind = "127.0.0.1"
        options.portMap = [80: port, 81: port]
        let engine = Engine(options: options)
        engine.start()
        defer { engine.stop() }
        let snapshot = Snapshot(
            generation: 1,
            listeners: [ListenerPlan(port: 80, bind: nil, hosts: []), ListenerPlan(port: 81, bind: nil, hosts: [])],
            clusters: [], clusterCapacity: 0)
        let problems = try GatewayFixture.publish(engine, snapshot)
        #expect(problems.map(\.port) == [81])
        #expect(engine.listeningPorts().map(\.port) == [80])
    }

    @Test func aDrainLosesNoRequestThatWasSentBeforeIt() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        var clients: [TestClient] = []
        for _ in 0..<60 {
            let client = try gateway.client()
            try client.socket.send("GET /sent HTTP/1.1\r\nHost: example.com\r\n\r\n")
            clients.append(client)
        }
        let drained = Flag()
        _ = gateway.engine.beginDrain { drained.raise() }
        for index in clients.indices { #expect(try clients[index].response().text == "/sent") }
        try eventually("the drain is reported") { drained.isRaised }
    }

    @Test func aDrainWaitsForAnswersThatAreStillBeingDelivered() throws {
        let size = 12_000_000
        let origin = try OriginServer { _, socket in
            try socket.send(
                Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8) + [UInt8](repeating: 1, count: size))
            return true
        }
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        var client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try client.responseHead()?.status == 200)
        let drained = Flag()
        _ = gateway.engine.beginDrain { drained.raise() }
        var received = 0
        while received < size {
            let bytes = try client.someBytes()
            if bytes.isEmpty { break }
            // Until the last bytes were taken there is something to wait for.
            if received < size / 2 { #expect(!drained.isRaised) }
            received += bytes.count
        }
        #expect(received == size)
        try eventually("the drain is reported") { drained.isRaised }
    }

    @Test func aChangedBindTakesThePortOver() throws {
        var options = EngineOptions()
        options.workers = 2
        let engine = Engine(options: options)
        engine.start()
        defer { engine.stop() }
        let port = try GatewayFixture.freePort()
        for bind in [nil, "127.0.0.1", nil, "127.0.0.1"] {
            let snapshot = Snapshot(
                generation: 1, listeners: [ListenerPlan(port: port, bind: bind, hosts: [])], clusters: [],
                clusterCapacity: 0)
            #expect(try GatewayFixture.publish(engine, snapshot).isEmpty)
            #expect(engine.listeningPorts().map(\.bind) == [bind])
            try eventually("the port answers") {
                guard var client = try? TestClient(port: port) else { return false }
                return (try? client.request())?.status == 404
            }
        }
    }

    @Test func aDrainPastItsDeadlineIsReportedOnce() throws {
        let origin = try OriginServer(raw: { reader, _ in while try !reader.someBytes().isEmpty {} })
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port])
        let client = try gateway.client()
        try client.socket.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try eventually("the request is being served") { try gateway.stats().activeExchanges == 1 }
        let drained = Flag()
        let handle = gateway.engine.beginDrain {
            precondition(!drained.isRaised, "a drain was reported twice")
            drained.raise()
        }
        handle.giveUp()
        #expect(drained.isRaised)
    }
}
