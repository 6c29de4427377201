import Testing

@testable import WeirEngine

@Suite struct TriedPrioritiesTests {
    @Test func afterEverySecondTryThoseTriedAreLeftOut() {
        var tried = TriedPriorities()
        var excluded: [UInt64] = []
        for priority in [0, 0, 1, 2, 1] {
            tried.add(priority)
            excluded.append(tried.excluded)
        }
        #expect(excluded == [0, 0b001, 0b001, 0b111, 0b111])
        tried.reset()
        #expect(tried.excluded == 0)
    }

    @Test func aPriorityBeyondTheLastBitSharesIt() {
        var tried = TriedPriorities()
        tried.add(63)
        tried.add(1_000)
        #expect(tried.excluded == 1 << 63)
    }
}
