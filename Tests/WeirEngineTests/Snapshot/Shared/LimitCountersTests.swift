import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct LimitCountersTests {
    @Test func aCountNeverPassesItsLimitWhoeverTakes() throws {
        let counters = LimitCounters(workers: 4)
        let crew = TestCrew(4) { _ in
            for _ in 0..<20_000 where counters.connections.take(upTo: 3) {
                let held = counters.connections.now
                #expect((1...3).contains(held))
                counters.connections.give()
            }
        }
        try crew.join()
        #expect(counters.connections.now == 0)
    }

    @Test func whatWasThereBeforeAnybodyCountedMayBeBeyondTheLimit() {
        let counters = LimitCounters(workers: 1)
        counters.connections.add(3)
        #expect(!counters.connections.take(upTo: 3))
        counters.connections.give()
        #expect(counters.connections.take(upTo: 3))
        #expect(!counters.connections.take(upTo: 3))
    }

    @Test func aBudgetAllowsItsShareAndAlwaysSomeRetries() {
        var limits = ClusterLimits()
        limits.retries = 1
        #expect(limits.retries(beside: 1000) == 1)
        limits.retryBudget = ClusterLimits.RetryBudget()
        #expect(limits.retries(beside: 0) == 3)
        #expect(limits.retries(beside: 15) == 3)
        #expect(limits.retries(beside: 100) == 20)
        limits.retryBudget = ClusterLimits.RetryBudget(percent: 0, least: 0)
        #expect(limits.retries(beside: 100) == 0)
    }
}
