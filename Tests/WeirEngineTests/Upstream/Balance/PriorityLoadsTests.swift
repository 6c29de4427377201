import Testing

@testable import WeirEngine

/// The shares of priorities, as Envoy's documentation on priority levels, degraded endpoints left out, has them.
@Suite struct PriorityLoadsTests {
    private static func loads(_ levels: [(Int, Int)], panicPercent: Int = 0) -> PriorityLoads {
        PriorityLoads(
            levels.map { PriorityLoads.Level(healthy: $0.0, total: $0.1) }, panicPercent: panicPercent)
    }

    /// Of 100 endpoints each.
    @Test(
        arguments: [
            ([100, 100], [100, 0]), ([72, 72], [100, 0]), ([71, 71], [99, 1]), ([50, 50], [70, 30]),
            ([25, 100], [35, 65]), ([25, 25], [50, 50]), ([0, 100], [0, 100]), ([0, 0], [100, 0]),
            ([25, 25, 50], [35, 35, 30]), ([25, 0, 20], [56, 0, 44]), ([5, 0, 2], [78, 0, 22]),
        ] as [([Int], [Int])])
    func whatAPriorityCannotTakeGoesToTheNext(healthy: [Int], shares: [Int]) {
        let loads = Self.loads(healthy.map { ($0, 100) })
        #expect(loads.shares == shares && !loads.panics.contains(true))
    }

    @Test func theOnlyPriorityTakesAll() {
        for healthy in 0...3 { #expect(Self.loads([(healthy, 3)]).shares == [100]) }
        #expect(Self.loads([(0, 0)]).shares == [100])
    }

    @Test func sharesAlwaysAddUp() {
        var random = FastRandom(seed: 5)
        for _ in 0..<2_000 {
            let levels = (0...Int(random.below(4))).map { _ in
                let total = Int(random.below(12))
                return (Int(random.below(UInt32(total + 1))), total)
            }
            for percent in [0, 30, 100] {
                let loads = Self.loads(levels, panicPercent: percent)
                #expect(loads.shares.reduce(0, +) == 100 && loads.shares.allSatisfy { $0 >= 0 })
                let mask = random.next() % 16
                #expect(loads.shares(without: mask).reduce(0, +) == 100)
            }
        }
    }

    // MARK: Panic

    @Test func withoutAThresholdHealthIsAlwaysHeeded() {
        #expect(Self.loads([(0, 4)]).panics == [false])
    }

    @Test(arguments: [(2, 50, false), (1, 50, true), (0, 1, true), (2, 51, true), (4, 100, false), (3, 100, false)])
    func belowTheThresholdAllEndpointsAreUsed(healthy: Int, percent: Int, panics: Bool) {
        // Three of four can take everything (3 × 1.4 > 4): then the threshold does not matter.
        #expect(Self.loads([(healthy, 4)], panicPercent: percent).panics == [panics])
    }

    @Test func aPriorityDoesNotPanicWhileOthersCanTakeItsRequests() {
        let loads = Self.loads([(1, 10), (10, 10)], panicPercent: 50)
        #expect(loads.panics == [false, false] && loads.shares == [14, 86])
    }

    @Test func whenAllPanicEndpointsCountAndNotTheirHealth() {
        let loads = Self.loads([(1, 10), (3, 30)], panicPercent: 50)
        #expect(loads.panics == [true, true] && loads.shares == [25, 75])
    }

    @Test func withoutAnyHealthyEndpointTheFirstPriorityServes() {
        let loads = Self.loads([(0, 10), (0, 30)], panicPercent: 50)
        #expect(loads.panics == [true, false] && loads.shares == [100, 0])
    }

    // MARK: Exclusion

    @Test func prioritiesThatAreNotWantedGetNothing() {
        let loads = Self.loads([(4, 4), (4, 4), (4, 4)])
        #expect(loads.shares(without: 0b001) == [0, 100, 0])
        #expect(loads.shares(without: 0b011) == [0, 0, 100])
        // When none is left all are wanted again.
        #expect(loads.shares(without: 0b111) == [100, 0, 0])
    }

    @Test func anUnhealthyPriorityIsNoWayOut() {
        #expect(Self.loads([(4, 4), (0, 4)]).shares(without: 0b01) == [100, 0])
    }
}
