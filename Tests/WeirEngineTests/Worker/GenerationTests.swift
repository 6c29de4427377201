import Testing

@testable import WeirEngine

/// Snapshots are pinned by exchanges and sent back; clusters keep their identity over generations.
@Suite struct GenerationTests {
    @Test func anExchangeHoldsItsGenerationUntilItsAnswerHasBegun() throws {
        let worker = try MemoryWorker.serving()
        weak var routing: Snapshot?
        do {
            let snapshot = try MemoryWorker.snapshot(generation: 2)
            routing = snapshot
            worker.adopt(snapshot)
        }
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 0, path: "/", hasBody: false)
        worker.adopt(try MemoryWorker.snapshot(generation: 3))
        worker.retired.release()
        #expect(worker.report().pinnedGenerations == 2 && routing != nil)
        let upstream = try #require(worker.pools.first?.streams.first)
        upstream.answer(status: 200)
        // The answer goes on, the generation it was routed by is no longer held.
        #expect(worker.report().pinnedGenerations == 1 && !stream.ended)
        worker.retired.release()
        #expect(routing == nil)
        upstream.answerEnd()
        #expect(stream.ended)
    }

    @Test func aGenerationNobodyUsesIsSentBackAtOnce() throws {
        let worker = try MemoryWorker.serving()
        weak var second: Snapshot?
        do {
            let snapshot = try MemoryWorker.snapshot(generation: 2)
            second = snapshot
            worker.adopt(snapshot)
        }
        #expect(second != nil)
        worker.adopt(try MemoryWorker.snapshot(generation: 3))
        #expect(worker.report().pinnedGenerations == 1)
        // Not freed on the worker, but by whoever empties the box.
        #expect(second != nil)
        worker.retired.release()
        #expect(second == nil)
    }

    @Test func anExchangeThatFailsLetsItsGenerationGoToo() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let left = connection.open(stream: 0, path: "/", hasBody: false)
        _ = connection.open(stream: 1, path: "/", hasBody: false)
        worker.adopt(try MemoryWorker.snapshot(generation: 2))
        left.clientReset()
        #expect(worker.report().pinnedGenerations == 2)
        try #require(worker.pools.first).streams[1].fail()
        #expect(worker.report().pinnedGenerations == 1)
        #expect(worker.report().activeExchanges == 0)
    }

    @Test func aClusterKeepsItsPoolsWhileItsEndpointsStay() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        _ = connection.open(stream: 0, path: "/", hasBody: false)
        #expect(worker.pools.count == 1)
        worker.adopt(try MemoryWorker.snapshot(generation: 2))
        _ = connection.open(stream: 1, path: "/", hasBody: false)
        #expect(worker.pools.count == 1 && worker.pools[0].streams.count == 2)
        // A second endpoint gets a pool of its own beside the one that stays.
        worker.adopt(try MemoryWorker.snapshot(generation: 3, endpoints: ["192.0.2.1", "192.0.2.2"]))
        #expect(worker.pools.count == 2)
        for id in 2..<42 { _ = connection.open(stream: id, path: "/", hasBody: false) }
        #expect(worker.pools[0].streams.count > 2 && worker.pools[1].streams.count > 2)
        // The first goes: what it serves goes on, nothing new comes to it.
        let served = worker.pools[0].streams.count
        worker.adopt(try MemoryWorker.snapshot(generation: 4, endpoints: ["192.0.2.2"]))
        for id in 42..<52 { _ = connection.open(stream: id, path: "/", hasBody: false) }
        #expect(worker.pools.count == 2 && worker.pools[0].streams.count == served)
        worker.pools[0].streams[0].answer(status: 200, last: true)
        #expect(connection.streams[0] == nil)
    }

    @Test func aClusterThatLeftAndCameBackIsMadeAnew() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        _ = connection.open(stream: 0, path: "/", hasBody: false)
        worker.adopt(try MemoryWorker.snapshot(generation: 2, hasCluster: false))
        let missing = connection.open(stream: 1, path: "/", hasBody: false)
        #expect(missing.ended)
        worker.adopt(try MemoryWorker.snapshot(generation: 3))
        _ = connection.open(stream: 2, path: "/", hasBody: false)
        #expect(worker.pools.count == 2 && worker.pools[1].streams.count == 1)
        // The request from before the reload still gets its answer.
        worker.pools[0].streams[0].answer(status: 204, last: true)
        #expect(connection.streams[0] == nil)
    }

    @Test func aRouteCanBePassedOver() throws {
        let routes = ["/a", "/a", "/b", "/a"].enumerated().map { index, path in
            RouteSpec(
                conditions: [MatchCondition(.path, .prefix(path))],
                destinations: [RouteSpec.Destination(clusterID: Int32(index), weight: 1, clusterName: "c")],
                origin: RouteOrigin(resource: "VirtualService default/x", file: "test", line: index))
        }
        let plan = VirtualHostPlan(routes: routes)
        let path = Array("/a/1".utf8)
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let fields = UnsafeMutablePointer<HeaderField>.allocate(capacity: 1)
        defer { fields.deallocate() }
        path.withUnsafeBytes { bytes in
            var query = RouteQuery(
                method: empty, path: bytes, query: empty, authority: empty, scheme: .http, worker: 0,
                fields: UnsafePointer(fields), fieldCount: 0)
            var visited: [Int32] = []
            var route = plan.next(after: -1, &query)
            while route >= 0 {
                visited.append(route)
                route = plan.next(after: route, &query)
            }
            #expect(visited == [0, 1, 3])
        }
    }

    /// Both are one address, so only one can go on under the next plan; the other's requests must still end well.
    @Test func requestsOnTwinsOfOneAddressOutliveAReload() throws {
        let worker = try MemoryWorker.serving()
        worker.adopt(try MemoryWorker.snapshot(generation: 2, endpoints: ["192.0.2.7", "192.0.2.7"]))
        let client = MemoryServerConnection(worker: worker)
        let streams = (0..<16).map { client.open(stream: 2 * $0 + 1, path: "/\($0)", hasBody: false) }
        worker.adopt(try MemoryWorker.snapshot(generation: 3, endpoints: ["192.0.2.7", "192.0.2.8"]))
        for upstream in worker.pools.flatMap(\.streams) { upstream.answer(status: 200, last: true) }
        let haveAllEnded = streams.allSatisfy { $0.ended }
        #expect(haveAllEnded)
        #expect(worker.report().activeExchanges == 0)
    }
}
