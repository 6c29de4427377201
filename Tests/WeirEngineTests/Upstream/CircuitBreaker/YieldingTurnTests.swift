import Testing

@testable import WeirEngine

/// When a connection gives way to others, and when it does not.
@Suite struct YieldingTurnTests {
    @Test func eachRestIsTwiceAsLongUpToABound() {
        var turn = YieldingTurn()
        var now: UInt64 = 1_000_000
        #expect(turn.nextFrom <= now)
        for seconds in [1, 2, 4, 8, 8] as [UInt64] {
            turn.begin(now)
            #expect(turn.isOn && turn.end == now + 1_000_000_000)
            now = turn.end
            turn.giveUp(now)
            #expect(!turn.isOn && turn.nextFrom == now + seconds * 1_000_000_000)
            now = turn.nextFrom
        }
    }
}
