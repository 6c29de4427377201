import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// The limits of a cluster over several workers: never exceeded, and nobody starves.
@Suite struct SharedLimitTests {
    /// Requests that an origin, or several, answer at a time; answers after a moment.
    private final class Meter: Sendable {
        private let counts = Guarded((now: 0, most: 0, total: 0))

        func origin() throws -> OriginServer {
            let counts = counts
            return try OriginServer { request, socket in
                counts.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                    $0.total += 1
                }
                usleep(200)
                counts.withLock { $0.now -= 1 }
                let closes = request.target.hasSuffix("close") ? "Connection: close\r\n" : ""
                try socket.send("HTTP/1.1 200 OK\r\n\(closes)Content-Length: 2\r\n\r\nok")
                return closes.isEmpty
            }
        }

        var most: Int { counts.withLock { $0.most } }
        var total: Int { counts.withLock { $0.total } }
    }

    /// Each of the clients sends requests one after the other over a connection of its own; returns their statuses.
    private static func storm(
        _ gateway: GatewayFixture, clients: Int, requests: Int, target: @escaping @Sendable (Int) -> String
    ) throws -> [Int] {
        let statuses = Guarded<[Int]>([])
        try TestCrew(clients) { number in
            var client = try gateway.client()
            for request in 0..<requests {
                let answer = try client.request("GET", target(number + request))
                statuses.withLock { $0.append(answer.status) }
            }
        }.join()
        return statuses.withLock { $0 }
    }

    @Test(arguments: [1, 3]) func connectionsOfAllWorkersTogetherStayWithinTheLimit(limit: Int) throws {
        let meter = Meter()
        let origins = try (0..<2).map { _ in try meter.origin() }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 4)
        let gateway = try GatewayFixture(origins: origins.map(\.port), workers: 4, shared: shared) {
            $0.limits.connections = limit
        }
        let statuses = try Self.storm(gateway, clients: 16, requests: 40) { $0 % 5 == 0 ? "/close" : "/" }
        #expect(statuses.count == 640 && statuses.allSatisfy { $0 == 200 })
        #expect((1...limit).contains(meter.most) && meter.total == 640)
        try eventually("idle connections are within the limit") {
            let open = origins.reduce(0) { $0 + $1.acceptedConnections - $1.endedConnections }
            return try open <= limit && gateway.stats().upstreamConnections == shared.limits.connections.now
        }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
        #expect((0...limit).contains(shared.limits.connections.now))
    }

    @Test func requestsOfAllWorkersTogetherStayWithinTheLimit() throws {
        let meter = Meter()
        let origin = try meter.origin()
        defer { origin.stop() }
        let shared = ClusterShared(workers: 4)
        let gateway = try GatewayFixture(origins: [origin.port], workers: 4, shared: shared) {
            $0.limits.requests = 3
        }
        let statuses = try Self.storm(gateway, clients: 16, requests: 40) { _ in "/" }
        #expect(meter.most <= 3 && statuses.allSatisfy { $0 == 200 || $0 == 503 })
        #expect(statuses.count { $0 == 200 } == meter.total && meter.total > 0)
        #expect(shared.limits.overflows[.request] == statuses.count { $0 == 503 })
        #expect(shared.limits.requests.now == 0)
    }

    @Test func aConnectionThatAnotherWorkerKeepsIdleIsPassedOn() throws {
        let origin = try OriginServer(name: "a")
        defer { origin.stop() }
        let shared = ClusterShared(workers: 4)
        let gateway = try GatewayFixture(origins: [origin.port], workers: 4, shared: shared) {
            $0.limits.connections = 1
        }
        // So many connections are on several workers; one after the other they need the one connection there may be.
        var clients = try (0..<24).map { _ in try gateway.client() }
        for _ in 0..<2 {
            for index in clients.indices { #expect(try clients[index].request().status == 200) }
        }
        #expect(shared.limits.connections.now <= 1 && shared.limits.overflows[.connection] > 0)
    }

    @Test func aWorkerUnderLoadDoesNotStarveTheOthers() throws {
        let meter = Meter()
        let origin = try meter.origin()
        defer { origin.stop() }
        let gateway = try GatewayFixture(
            origins: [origin.port], workers: 4, shared: ClusterShared(workers: 4)
        ) { $0.limits.connections = 1 }
        let isOver = Flag()
        let crew = TestCrew(6) { _ in
            var client = try gateway.client()
            while !isOver.isRaised { #expect(try client.request().status == 200) }
        }
        // Whichever worker has these, each is served while the load goes on.
        for _ in 0..<40 {
            var client = try gateway.client()
            #expect(try client.request().status == 200)
        }
        isOver.raise()
        try crew.join()
        #expect(meter.most == 1)
    }

    @Test func nothingIsLeftOfRequestsWhoseClientsLeaveWhereverTheyAre() throws {
        let meter = Meter()
        let origins = try (0..<2).map { _ in try meter.origin() }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 4)
        let gateway = try GatewayFixture(origins: origins.map(\.port), workers: 4, shared: shared) {
            $0.limits.connections = 2
            $0.limits.pending = 12
            $0.limits.requests = 2
            $0.life.maxRequests = 7
        }
        let answered = Guarded(0)
        try TestCrew(16) { number in
            var random = FastRandom(seed: UInt64(number))
            for _ in 0..<30 {
                var client = try gateway.client()
                let body = [UInt8](repeating: 7, count: Int(random.below(200_000)))
                guard random.below(3) > 0 else {
                    // Leaves with its request on its way, waiting, or being answered.
                    let head = "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: \(body.count)\r\n\r\n"
                    try? client.socket.send(Array(head.utf8) + body.prefix(Int(random.below(200_000))))
                    client.socket.resetOnClose()
                    client.socket.disconnect()
                    continue
                }
                let answer = try client.request("POST", random.below(4) == 0 ? "/close" : "/", body: body)
                #expect(answer.status == 200 || answer.status == 503)
                answered.withLock { $0 += 1 }
            }
        }.join()
        #expect(answered.withLock { $0 } > 0)
        try eventually("everything is given back") {
            let stats = try gateway.stats()
            return stats.activeExchanges == 0 && shared.limits.pending.now == 0 && shared.limits.requests.now == 0
                && stats.upstreamConnections == shared.limits.connections.now && stats.upstreamConnections <= 2
        }
        // Somebody who comes later finds everything free.
        var client = try gateway.client()
        #expect(try client.request().status == 200)
    }

    @Test func limitsThatChangeUnderLoadAreKeptToAndNobodyIsForgotten() throws {
        let meter = Meter()
        let origins = try (0..<2).map { _ in try meter.origin() }
        defer { for origin in origins { origin.stop() } }
        let shared = ClusterShared(workers: 4)
        let gateway = try GatewayFixture(origins: origins.map(\.port), workers: 4, shared: shared) {
            $0.limits.connections = 4
        }
        let isOver = Flag()
        let crew = TestCrew(12) { _ in
            var client = try gateway.client()
            while !isOver.isRaised { #expect(try client.request().status == 200) }
        }
        for generation in 2..<30 as Range<UInt64> {
            let snapshot = try GatewayFixture.snapshot(
                generation: generation, listeners: [gateway.port], origins: origins.map(\.port), shared: shared
            ) {
                // None at all now and then.
                if generation % 5 > 0 { $0.limits.connections = Int(generation % 5) }
            }
            #expect(try gateway.publish(snapshot).isEmpty)
            let before = meter.total
            try eventually("requests go on") { meter.total > before + 20 }
        }
        isOver.raise()
        try crew.join()
        try eventually("the last limit is kept to") {
            try gateway.stats().upstreamConnections == shared.limits.connections.now
                && shared.limits.connections.now <= 4
        }
        #expect(shared.limits.pending.now == 0 && shared.limits.requests.now == 0)
    }
}
