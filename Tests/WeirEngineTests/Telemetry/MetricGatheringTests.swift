import Synchronization
import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct MetricGatheringTests {
    private func gather(_ engine: Engine, _ names: DestinationNames = DestinationNames()) throws -> GatheredMetrics {
        let answer = Guarded<GatheredMetrics?>(nil)
        let execute: @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() }
        engine.gatherMetrics(names: names, execute: execute) { metrics in answer.withLock { $0 = metrics } }
        try eventually("the workers answer") { answer.withLock { $0 != nil } }
        return try #require(answer.withLock { $0 })
    }

    private func requests(_ metrics: GatheredMetrics) -> UInt64 {
        var sum: UInt64 = 0
        for number in 0..<metrics.series.count { sum += metrics.series[number].count }
        return sum
    }

    @Test func allWorkersAreAdded() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 3)
        #expect(try requests(gather(gateway.engine)) == 0)
        // Enough connections for the kernel to give every worker some.
        let crew = TestCrew(4) { _ in
            for _ in 0..<10 {
                var client = try gateway.client()
                for _ in 0..<5 { _ = try client.request("GET", "/") }
                _ = try client.request("GET", "/missing-cluster")
            }
        }
        try crew.join()
        let metrics = try gather(gateway.engine)
        #expect(requests(metrics) == 240)
        #expect(metrics.series.count == 2)
        #expect(metrics.stats.requests == 240)
        #expect(metrics.stats.upstreamConnects > 0 && metrics.stats.upstreamConnectFailures == 0)
        #expect((2...6).contains(metrics.stats.metricSeries))
    }

    /// Scrapes while requests run: every one sees at least what was answered before it, and never less than the last.
    @Test func scrapesUnderLoadMissNothing() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let gateway = try GatewayFixture(origins: [origin.port], workers: 2)
        let answered = Atomic(0)
        let isDone = Atomic(false)
        let clients = TestCrew(2) { _ in
            var client = try gateway.client()
            for _ in 0..<300 {
                _ = try client.request("GET", "/")
                answered.add(1, ordering: .sequentiallyConsistent)
            }
        }
        let scraper = TestCrew(1) { _ in
            var last: UInt64 = 0
            var scrapes = 0
            while !isDone.load(ordering: .relaxed) || scrapes == 0 {
                let floor = UInt64(answered.load(ordering: .sequentiallyConsistent))
                let counted = try requests(gather(gateway.engine))
                // An answer may reach its client before its exchange has ended.
                guard counted + 2 >= floor, counted >= last else {
                    throw TestSocketError(description: "\(counted) counted, \(floor) answered, \(last) before")
                }
                last = counted
                scrapes += 1
            }
        }
        try clients.join()
        isDone.store(true, ordering: .relaxed)
        try scraper.join()
        try eventually("the last requests are counted") { try requests(gather(gateway.engine)) == 600 }
    }
}
