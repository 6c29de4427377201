import Testing
import WeirEngine

@testable import WeirSources

@Suite struct NameQuestionTests {
    private let one = EndpointTarget("10.0.0.1")!
    private let two = EndpointTarget("10.0.0.2")!

    private func wait(_ result: LookupResult, _ question: inout NameQuestion, spread: Double = 0.5) -> Double {
        question.take(result, at: 100, spread: spread)
    }

    @Test(arguments: [(0, 5.0), (1, 1.0), (30, 30.0), (3600, 3600.0), (2_147_483_647, 3600.0)])
    func anAnswerHoldsAsLongAsItsTTLWithinLimits(ttl: Int, seconds: Double) {
        var question = NameQuestion()
        #expect(wait(.addresses([one], ttlSeconds: ttl), &question) == seconds)
        #expect(question.outcome == .found && question.addresses == [one] && question.answeredAt == 100)
    }

    @Test func pausesAfterMissesDoubleUpToAMinuteAndAreSpread() {
        let pauses = (1...10).map { NameQuestion.pause(afterMisses: $0, spread: 1) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60])
        #expect(NameQuestion.pause(afterMisses: 3, spread: 0) == 2)
        #expect(NameQuestion.pause(afterMisses: 1_000_000_000, spread: 0) == 30)
    }

    @Test func aFailureKeepsTheAddressesAndADenialTakesThem() {
        var question = NameQuestion()
        _ = wait(.addresses([two, one], ttlSeconds: 9), &question)
        #expect(wait(.failed("SERVFAIL"), &question) == 0.75)
        #expect(wait(.failed("SERVFAIL"), &question) == 1.5)
        #expect(question.addresses == [two, one] && question.misses == 2)
        #expect(wait(.none("NXDOMAIN"), &question) == 3)
        #expect(question.addresses.isEmpty && question.first == two)
        #expect(wait(.addresses([one], ttlSeconds: 9), &question) == 9)
        #expect(question.misses == 0 && question.first == one)
    }

    // MARK: Both families

    @Test func aNameIsKnownOnceAFamilyHasAddressesOrAllHaveAnswered() {
        var v4 = NameQuestion()
        var v6 = NameQuestion()
        #expect(NameAnswer([v4, v6]) == nil)
        _ = wait(.none("NXDOMAIN"), &v6)
        #expect(NameAnswer([v4, v6]) == nil)
        _ = wait(.addresses([two, one], ttlSeconds: 9), &v4)
        #expect(NameAnswer([v4, NameQuestion()]) == NameAnswer(addresses: [one, two], first: two))
        #expect(NameAnswer([v4, v6]) == NameAnswer(addresses: [one, two], first: two))
        v4 = NameQuestion()
        _ = wait(.failed("no answer"), &v4)
        #expect(NameAnswer([v4, v6]) == NameAnswer(problem: "no answer"))
    }

    @Test func aFamilyThatFailsForEverIsNoProblemWhileTheOtherIsFound() {
        var v4 = NameQuestion()
        var v6 = NameQuestion()
        _ = wait(.addresses([one], ttlSeconds: 9), &v4)
        for _ in 0..<9 { _ = wait(.failed("no answer"), &v6) }
        #expect(NameAnswer([v4, v6])?.problem == nil)
    }

    @Test func aFailureIsToldOfWhenItLastsAndAtOnceWhereThereIsNoAddress() {
        var question = NameQuestion()
        _ = wait(.addresses([one], ttlSeconds: 9), &question)
        for _ in 0..<NameAnswer.quietMisses { _ = wait(.failed("no answer"), &question) }
        #expect(NameAnswer([question])?.problem == nil)
        _ = wait(.failed("no answer"), &question)
        #expect(NameAnswer([question]) == NameAnswer(addresses: [one], first: one, problem: "no answer"))
        _ = wait(.none("NXDOMAIN"), &question)
        #expect(NameAnswer([question]) == NameAnswer(first: one, problem: "NXDOMAIN"))
    }

    @Test func theFirstAddressIsOneThatIsInForceIfAnyIs() {
        var v4 = NameQuestion()
        var v6 = NameQuestion()
        _ = wait(.addresses([one], ttlSeconds: 9), &v4)
        _ = wait(.none("NXDOMAIN"), &v4)
        let six = EndpointTarget("fd00::1")!
        _ = wait(.addresses([six], ttlSeconds: 9), &v6)
        #expect(NameAnswer([v4, v6])?.first == six)
    }

    @Test func addressesSortByFamilyAndNumber() {
        let texts = ["10.0.0.2", "fd00::2", "9.0.0.1", "fd00::1", "10.0.0.1"]
        let sorted = texts.map { EndpointTarget($0)! }.sorted()
        #expect(sorted == ["9.0.0.1", "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"].map { EndpointTarget($0)! })
    }
}
