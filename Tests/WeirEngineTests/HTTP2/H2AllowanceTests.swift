import Testing

@testable import WeirEngine

@Suite struct H2AllowanceTests {
    private static let second: UInt64 = 1_000_000_000

    private func spend(_ times: Int, of allowance: inout H2Allowance, at now: UInt64) -> Int {
        var spent = 0
        for _ in 0..<times where allowance.spend(now: now) { spent += 1 }
        return spent
    }

    @Test func soMuchAtOnceAndNoMore() {
        var allowance = H2Allowance(atOnce: 3, perSecond: 1, now: Self.second)
        let spent = spend(10, of: &allowance, at: Self.second)
        #expect(spent == 3)
    }

    @Test func whatIsSpentComesBackWithTime() {
        var allowance = H2Allowance(atOnce: 10, perSecond: 2, now: Self.second)
        let atOnce = spend(20, of: &allowance, at: Self.second)
        let tooSoon = spend(20, of: &allowance, at: Self.second + Self.second / 4)
        let aSecondLater = spend(20, of: &allowance, at: 2 * Self.second)
        // Never more than at once, however long nothing was spent.
        let muchLater = spend(20, of: &allowance, at: 1_000_000 * Self.second)
        #expect([atOnce, tooSoon, aSecondLater, muchLater] == [10, 0, 2, 10])
    }

    @Test func workThatWasWorthItGivesBack() {
        var allowance = H2Allowance(atOnce: 2, perSecond: 1, now: Self.second)
        _ = spend(1, of: &allowance, at: Self.second)
        allowance.earn(100)
        let spent = spend(10, of: &allowance, at: Self.second)
        #expect(spent == 2)
    }
}
