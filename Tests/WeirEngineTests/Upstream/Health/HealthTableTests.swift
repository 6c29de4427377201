import Glibc
import Synchronization
import Testing

@testable import WeirEngine

/// The health of a cluster over reloads, and from several threads.
@Suite struct HealthTableTests {
    static func endpoints(_ count: Int, from first: Int = 0) -> [ClusterSpec.Endpoint] {
        (first..<first + count).map {
            ClusterSpec.Endpoint(.ipv4(UInt32(bigEndian: 0xc000_0200 + UInt32($0))), port: 80)
        }
    }

    private static func spec(percent: Int = 100) -> OutlierSpec {
        var spec = OutlierSpec()
        spec.mostEjectedPercent = percent
        return spec
    }

    /// Half may be out, after few failures and for a short time.
    private static var hasty: OutlierSpec {
        var spec = spec(percent: 50)
        spec.serverErrors = 3
        spec.gatewayErrors = 2
        spec.localFailures = 3
        spec.splitsLocalFailures = true
        spec.baseEjectionMilliseconds = 1
        spec.intervalMilliseconds = 10
        return spec
    }

    private static func eject(_ cell: HealthCell) {
        let plan = OutlierPlan(OutlierSpec())
        for _ in 0..<5 { cell.failed(isGatewayError: false, plan, now: 0) }
    }

    /// Semantics 4.5: 100 × (ejected + 1) / endpoints ≤ percent.
    @Test(
        arguments: [
            (10, 9, 0), (10, 10, 1), (10, 19, 1), (10, 20, 2), (50, 1, 0), (50, 2, 1), (50, 3, 1), (99, 1, 0),
            (99, 100, 99), (100, 1, 1), (100, 3, 3), (34, 3, 1), (33, 3, 0),
        ])
    func noMoreThanTheShareAreOutAtOneTime(percent: Int, count: Int, most: Int) {
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(count), Self.spec(percent: percent), now: 0)
        for cell in cells { Self.eject(cell) }
        #expect(table.ejectedCount == most && cells.count(where: \.isEjected) == most)
        #expect(table.refusedEjections == UInt64(count - most))
    }

    @Test func whatStaysOverAReloadKeepsItsHealth() {
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(3), Self.spec(), now: 1)
        Self.eject(cells[1])
        let later = table.adopt(Self.endpoints(3, from: 1), Self.spec(percent: 50), now: 2)
        #expect(later[0] === cells[1] && later[1] === cells[2] && later[0].isEjected)
        #expect(table.ejectedCount == 1 && later[0].joinedAt == 1 && later[2].joinedAt == 2)
        // One of three may be out now.
        Self.eject(later[1])
        #expect(!later[1].isEjected)
    }

    @Test func anAddressThatComesAgainIsNew() {
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(2), Self.spec(), now: 0)
        Self.eject(cells[0])
        _ = table.adopt(Self.endpoints(1, from: 1), Self.spec(), now: 0)
        let again = table.adopt(Self.endpoints(2), Self.spec(), now: 0)
        #expect(again[0] !== cells[0] && !again[0].isEjected && again[1] === cells[1])
    }

    @Test func withoutDetectionEverybodyIsInService() {
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(2), Self.spec(), now: 0)
        Self.eject(cells[0])
        let epoch = table.shared.epoch
        _ = table.adopt(Self.endpoints(2), nil, now: 0)
        #expect(!cells[0].isEjected && table.ejectedCount == 0 && table.shared.epoch != epoch)
        #expect(table.intervalMilliseconds == nil)
    }

    /// A worker may hold the permit for an ejection while a reload ends all of them.
    @Test func whatAWorkerEjectsWhileDetectionEndsDoesNotStayOut() {
        let tables = (0..<500).map { _ in HealthTable() }
        let cells = tables.map { $0.adopt(Self.endpoints(1), Self.spec(), now: 0)[0] }
        let round = Atomic(-1)
        let worker = Thread.start(name: "worker") {
            for index in cells.indices {
                while round.load(ordering: .acquiring) < index {}
                Self.eject(cells[index])
            }
        }
        for index in tables.indices {
            round.store(index, ordering: .releasing)
            _ = tables[index].adopt(Self.endpoints(1), nil, now: 0)
        }
        pthread_join(worker, nil)
        #expect(cells.allSatisfy { !$0.isEjected } && tables.allSatisfy { $0.ejectedCount == 0 })
    }

    @Test func theSameAddressTwiceIsOneEndpoint() {
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(1) + Self.endpoints(1), Self.spec(percent: 50), now: 0)
        #expect(cells[0] === cells[1])
        Self.eject(cells[0])
        // Half of one is none.
        #expect(!cells[0].isEjected)
    }

    @Test func sweepsAreAsOftenAsTheIntervalAndNoMoreThanAHundredASecond() {
        var spec = Self.spec()
        spec.intervalMilliseconds = 1
        let table = HealthTable()
        _ = table.adopt(Self.endpoints(1), spec, now: 0)
        #expect(table.intervalMilliseconds == HealthTable.leastIntervalMilliseconds)
    }

    @Test func plansOfOneClusterShareTheirTable() {
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.endpoints = Self.endpoints(2)
        #expect(ClusterPlan(id: 0, spec: spec).health == nil)
        spec.outlier = Self.spec()
        let plan = ClusterPlan(id: 0, spec: spec)
        spec.balancer = .roundRobin
        let next = ClusterPlan(id: 0, spec: spec, replacing: plan)
        #expect(plan.health != nil && plan.health === next.health)
        spec.outlier = nil
        #expect(ClusterPlan(id: 0, spec: spec, replacing: next).health == nil)
    }

    /// Workers fail and succeed, a sweeper puts back, reloads take addresses away, all at once: there are never more out than
    /// may be, and in the end the count is that of the cells.
    @Test func manyThreadsNeverTakeOutOneTooMany() throws {
        let count = 16
        let spec = Self.hasty
        let table = HealthTable()
        let cells = table.adopt(Self.endpoints(count), spec, now: 0)
        let plan = OutlierPlan(spec)
        let isOver = Atomic(false)
        let clock = Atomic<UInt64>(1)
        let mostSeen = Atomic(0)
        let sweeps = Atomic(0)
        let threads = (0..<4).map { seed in
            Thread.start(name: "worker") {
                var random = FastRandom(seed: UInt64(seed))
                var rounds = 0
                // A sweeper that got no core would have put nothing back.
                while rounds < 100_000 || sweeps.load(ordering: .relaxed) < 100 {
                    rounds += 1
                    let cell = cells[Int(random.below(UInt32(count)))]
                    let now = clock.load(ordering: .relaxed)
                    switch random.below(8) {
                    case 0: cell.succeeded()
                    case 1: cell.connected()
                    case 2...3: cell.failedLocally(plan, now: now)
                    case 4: cell.failed(isGatewayError: false, plan, now: now)
                    default: cell.failed(isGatewayError: true, plan, now: now)
                    }
                    mostSeen.max(table.ejectedCount, ordering: .relaxed)
                }
            }
        }
        let sweeper = Thread.start(name: "sweeper") {
            while !isOver.load(ordering: .acquiring) {
                let now = clock.wrappingAdd(10_000_000, ordering: .relaxed).newValue
                table.sweep(now: now)
                let turn = sweeps.wrappingAdd(1, ordering: .relaxed).newValue
                // The last four come and go.
                if turn % 8 == 0 { _ = table.adopt(Self.endpoints(turn % 16 == 0 ? count : 12), spec, now: now) }
            }
        }
        for thread in threads { pthread_join(thread, nil) }
        isOver.store(true, ordering: .releasing)
        pthread_join(sweeper, nil)
        let last = table.adopt(Self.endpoints(count), spec, now: clock.load(ordering: .relaxed))
        #expect(mostSeen.load(ordering: .relaxed) <= count / 2)
        #expect(last.count(where: \.isEjected) == table.ejectedCount)
        let ejections = HealthCell.Reason.allCases.map { reason in cells.reduce(0) { $0 + $1.ejections(reason) } }
        #expect(
            ejections.allSatisfy { $0 > 0 } && table.refusedEjections > 0, "something was not exercised: \(ejections)")
    }
}
