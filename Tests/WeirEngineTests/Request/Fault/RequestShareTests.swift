import Testing

@testable import WeirEngine

/// Shares of requests.
@Suite struct RequestShareTests {
    @Test func noneAndAllAreNotLeftToChance() {
        var random = FastRandom(seed: 1)
        let none = RequestShare(millionths: 0)
        for _ in 0..<10_000 {
            #expect(!none.takes(&random) && RequestShare.all.takes(&random))
        }
    }

    @Test(arguments: [1_000, 25_000, 333_333, 500_000, 999_000])
    func aShareIsMetWithinFiveStandardDeviations(millionths: Int) {
        var random = FastRandom(seed: 7)
        let share = RequestShare(millionths: millionths)
        let tosses = 200_000
        let taken = (0..<tosses).count { _ in share.takes(&random) }
        let probability = Double(millionths) / 1_000_000
        let mean = probability * Double(tosses)
        let deviation = (mean * (1 - probability)).squareRoot()
        #expect(abs(Double(taken) - mean) < 5 * deviation)
    }

    @Test func aShareBeyondTheWholeIsTheWhole() {
        #expect(RequestShare(millionths: 2_000_000) == .all && RequestShare(millionths: -1).isNone)
    }

    @Test func aShareIsToldInPercent() {
        #expect("\(RequestShare.all)" == "100 %" && "\(RequestShare(millionths: 25_000))" == "2.5 %")
        #expect("\(RequestShare(millionths: 1))" == "0.0001 %")
    }

    @Test func aFaultOfNoRequestIsNone() {
        let never = RequestShare(millionths: 0)
        let delay = FaultInjection.Delay(milliseconds: 5, share: never)
        let abort = FaultInjection.Abort(.status(500), share: never)
        #expect(FaultInjection(delay: delay, abort: abort) == nil && FaultInjection(delay: nil, abort: nil) == nil)
        #expect(FaultInjection(delay: .init(milliseconds: 0, share: .all), abort: nil) == nil)
        let half = FaultInjection(delay: .init(milliseconds: 5, share: .all), abort: abort)
        #expect(half?.delay != nil && half?.abort == nil)
    }
}
