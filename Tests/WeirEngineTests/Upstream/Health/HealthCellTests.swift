import Testing

@testable import WeirEngine

/// One endpoint's health as workers count it, and as sweeps restore it.
@Suite struct HealthCellTests {
    private static let second: UInt64 = 1_000_000_000

    private static func table(
        endpoints: Int = 1, now: UInt64 = 0, _ adjust: (inout OutlierSpec) -> Void = { _ in }
    ) -> (table: HealthTable, cells: [HealthCell], plan: OutlierPlan) {
        var spec = OutlierSpec()
        spec.mostEjectedPercent = 100
        adjust(&spec)
        let table = HealthTable()
        let cells = table.adopt(HealthTableTests.endpoints(endpoints), spec, now: now)
        return (table, cells, OutlierPlan(spec))
    }

    private static func fail(
        _ cell: HealthCell, _ plan: OutlierPlan, times: Int, status: Int = 500, at now: UInt64 = 0
    ) {
        for _ in 0..<times { cell.failed(isGatewayError: (502...504).contains(status), plan, now: now) }
    }

    @Test func asManyErrorsInARowAsTheLimitTakeAnEndpointOut() {
        let (table, cells, plan) = Self.table()
        let epoch = table.shared.epoch
        Self.fail(cells[0], plan, times: 4)
        #expect(!cells[0].isEjected && table.shared.epoch == epoch)
        Self.fail(cells[0], plan, times: 1)
        #expect(cells[0].isEjected && table.ejectedCount == 1 && table.shared.epoch != epoch)
        #expect(cells[0].ejections(.serverErrors) == 1 && cells[0].ejections(.gatewayErrors) == 0)
    }

    @Test func anAnswerThatIsNoErrorBeginsTheCountAnew() {
        let (_, cells, plan) = Self.table()
        for _ in 0..<10 {
            Self.fail(cells[0], plan, times: 4)
            cells[0].succeeded()
        }
        #expect(!cells[0].isEjected)
    }

    @Test func gatewayErrorsAreCountedApartAndAnyOtherErrorEndsTheirRow() {
        let (_, cells, plan) = Self.table {
            $0.gatewayErrors = 3
            $0.serverErrors = 0
        }
        for _ in 0..<5 {
            Self.fail(cells[0], plan, times: 2, status: 503)
            Self.fail(cells[0], plan, times: 1, status: 500)
        }
        #expect(!cells[0].isEjected)
        Self.fail(cells[0], plan, times: 3, status: 504)
        #expect(cells[0].isEjected && cells[0].ejections(.gatewayErrors) == 1)
    }

    @Test func timesOfAFormerPlanAreNotTooManyForALongBase() {
        var spec = OutlierSpec()
        spec.baseEjectionMilliseconds = .max
        let plan = OutlierPlan(spec)
        #expect(plan.ejectionMilliseconds(times: 0xFFFF) == UInt64(Int.max))
        #expect(plan.counts(after: 0) && plan.counts(after: 1) && !plan.counts(after: 0xFFFF))
    }

    @Test func aLimitOfZeroIsNone() {
        let (_, cells, plan) = Self.table {
            $0.serverErrors = 0
            $0.localFailures = 0
        }
        Self.fail(cells[0], plan, times: 1000, status: 503)
        for _ in 0..<1000 { cells[0].failedLocally(plan, now: 0) }
        #expect(!cells[0].isEjected)
    }

    @Test func failuresToConnectAreForgottenWithTheFirstConnection() {
        let (_, cells, plan) = Self.table {
            $0.splitsLocalFailures = true
            $0.localFailures = 2
        }
        for _ in 0..<5 {
            cells[0].failedLocally(plan, now: 0)
            cells[0].connected()
        }
        #expect(!cells[0].isEjected)
        for _ in 0..<2 { cells[0].failedLocally(plan, now: 0) }
        #expect(cells[0].isEjected && cells[0].ejections(.localFailures) == 1)
    }

    @Test func anEndpointIsOutForTheBaseTimeTheMoreOftenTheLonger() {
        let (table, cells, plan) = Self.table { $0.baseEjectionMilliseconds = 30_000 }
        var now = Self.second
        for times in 1...3 {
            Self.fail(cells[0], plan, times: 5, at: now)
            #expect(cells[0].isEjected && cells[0].timesEjected == times)
            table.sweep(now: now + UInt64(30 * times - 1) * Self.second)
            #expect(cells[0].isEjected, "it came back too early for the \(times). time")
            now += UInt64(30 * times + 10) * Self.second
            table.sweep(now: now)
            #expect(!cells[0].isEjected, "it has not come back for the \(times). time")
        }
    }

    @Test func itComesBackWithASweepAndNoSooner() {
        let (table, cells, plan) = Self.table {
            $0.baseEjectionMilliseconds = 1_000
            $0.intervalMilliseconds = 10_000
        }
        table.sweep(now: 10 * Self.second)
        Self.fail(cells[0], plan, times: 5, at: 12 * Self.second)
        table.sweep(now: 19 * Self.second)
        #expect(cells[0].isEjected)
        table.sweep(now: 20 * Self.second)
        #expect(!cells[0].isEjected && table.ejectedCount == 0)
    }

    @Test func timesOutAreForgivenOneASweepInService() {
        let (table, cells, plan) = Self.table {
            $0.baseEjectionMilliseconds = 1_000
            $0.intervalMilliseconds = 1_000
        }
        var now = Self.second
        for _ in 0..<3 {
            Self.fail(cells[0], plan, times: 5, at: now)
            now += 20 * Self.second
            table.sweep(now: now)
        }
        #expect(cells[0].timesEjected == 3)
        for left in [2, 1, 0, 0] {
            now += Self.second
            table.sweep(now: now)
            #expect(cells[0].timesEjected == left)
        }
    }

    @Test func noTimeOutIsLongerThanFiveMinutesUnlessTheFirstOneIs() {
        let (_, cells, plan) = Self.table { $0.baseEjectionMilliseconds = 100_000 }
        #expect(plan.ejectionMilliseconds(times: 2) == 200_000)
        #expect(plan.ejectionMilliseconds(times: 60) == UInt64(OutlierSpec.longestEjectionMilliseconds))
        var spec = OutlierSpec()
        spec.baseEjectionMilliseconds = 900_000
        #expect(OutlierPlan(spec).ejectionMilliseconds(times: 3) == 900_000)
        // Times that make it no longer are not counted: they would have to be forgiven one by one.
        for cell in cells { #expect(cell.timesEjected == 0) }
    }

    @Test func timesThatMakeItNoLongerAreNotCounted() {
        let (table, cells, plan) = Self.table { $0.baseEjectionMilliseconds = 100_000 }
        var now = Self.second
        for _ in 0..<20 {
            Self.fail(cells[0], plan, times: 5, at: now)
            now += 310 * Self.second
            table.sweep(now: now)
        }
        #expect(cells[0].timesEjected == 4 && cells[0].ejections(.serverErrors) == 20)
    }

    @Test func whatWasCountedBeforeItWentOutDoesNotCountWhenItIsBack() {
        let (table, cells, plan) = Self.table {
            $0.gatewayErrors = 5
            $0.serverErrors = 7
        }
        Self.fail(cells[0], plan, times: 5, status: 503, at: Self.second)
        // What was under way fails as well.
        Self.fail(cells[0], plan, times: 1, status: 503, at: Self.second)
        table.sweep(now: 40 * Self.second)
        Self.fail(cells[0], plan, times: 4, status: 503, at: 41 * Self.second)
        #expect(!cells[0].isEjected)
    }

    @Test(arguments: [([], 500, true), ([], 499, false), ([429, 503], 503, true), ([429], 500, false)])
    func statusesThatAreErrors(listed: [Int], status: Int, isError: Bool) {
        var spec = OutlierSpec()
        spec.errorStatuses = listed
        #expect(OutlierPlan(spec).isError(status) == isError)
    }

    @Test func aStatusNobodyHasIsNoError() {
        let plan = OutlierPlan(OutlierSpec())
        for status in [-1, 0, 99, 600, 999, 70_000] { #expect(!plan.isError(status)) }
    }

    @Test func anAddressThatHasLeftIsNeverOut() {
        let (table, cells, plan) = Self.table(endpoints: 2)
        Self.fail(cells[0], plan, times: 5)
        #expect(table.ejectedCount == 1)
        let left = table.adopt(HealthTableTests.endpoints(1, from: 1), OutlierSpec(), now: 0)
        #expect(table.ejectedCount == 0 && left[0] === cells[1])
        Self.fail(cells[0], plan, times: 50)
        #expect(!cells[0].isEjected && table.ejectedCount == 0)
    }
}
