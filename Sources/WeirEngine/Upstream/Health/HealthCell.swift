import Synchronization

/// What all workers together know of one endpoint of a cluster: how its tries ended of late, and whether it is out.
///
/// One cell a cluster and address, kept over reloads for as long as the cluster has the address. Workers count what fails and
/// take the endpoint out; only the control thread puts it back (see `HealthTable.sweep`). What succeeds is written only where
/// something had failed before, so that workers do not fight over the cell of a good endpoint.
final class HealthCell: Sendable {
    /// Why an endpoint was taken out.
    enum Reason: Int, CaseIterable {
        case serverErrors
        case gatewayErrors
        case localFailures
    }

    /// In service, out since a moment, or gone for good; and how many times in a row it was taken out.
    ///
    /// One word, so that no reader sees half of a change: the moment in milliseconds (48 bits), and the times (16 bits).
    private struct Standing {
        private static let gone: UInt64 = 1 << 48 - 1
        private(set) var word: UInt64

        init(word: UInt64) { self.word = word }

        private init(_ moment: UInt64, _ times: UInt64) { word = moment << 16 | times }

        /// 0 = it is not out.
        private var moment: UInt64 { word >> 16 }
        var times: UInt64 { word & 0xFFFF }
        var isGone: Bool { moment == Self.gone }
        var isOut: Bool { moment != 0 && !isGone }
        var isInService: Bool { moment == 0 }
        var outSinceMilliseconds: UInt64 { moment }

        func out(at milliseconds: UInt64, times: UInt64) -> Standing {
            Standing(min(max(milliseconds, 1), Self.gone - 1), min(times, 0xFFFF))
        }

        func back() -> Standing { Standing(0, times) }
        func forgiven() -> Standing { Standing(0, times - 1) }
        static var left: Standing { Standing(gone, 0) }
    }

    private let cluster: ClusterHealth
    /// Monotonic nanoseconds when it became one of the cluster's endpoints.
    let joinedAt: UInt64
    private let standing = Atomic<UInt64>(0)
    private let serverErrors = Atomic<UInt32>(0)
    private let gatewayErrors = Atomic<UInt32>(0)
    private let localFailures = Atomic<UInt32>(0)
    /// Since it joined; for metrics.
    private let serverEjections = Atomic<UInt64>(0)
    private let gatewayEjections = Atomic<UInt64>(0)
    private let localEjections = Atomic<UInt64>(0)

    init(_ cluster: ClusterHealth, joinedAt: UInt64) {
        self.cluster = cluster
        self.joinedAt = joinedAt
    }

    var isEjected: Bool { Standing(word: standing.load(ordering: .acquiring)).isOut }
    /// How many times in a row it was taken out, less one for each sweep in service.
    var timesEjected: Int { Int(Standing(word: standing.load(ordering: .relaxed)).times) }

    func ejections(_ reason: Reason) -> UInt64 { ejections(of: reason) { $0.load(ordering: .relaxed) } }

    private func ejections<Result>(of reason: Reason, _ body: (borrowing Atomic<UInt64>) -> Result) -> Result {
        switch reason {
        case .serverErrors: body(serverEjections)
        case .gatewayErrors: body(gatewayEjections)
        case .localFailures: body(localEjections)
        }
    }

    // MARK: From the workers

    /// An answer that is no error.
    func succeeded() {
        Self.clear(serverErrors)
        Self.clear(gatewayErrors)
    }

    /// A connection stands.
    func connected() { Self.clear(localFailures) }

    /// An error, or a try without an answer where that counts as one.
    func failed(isGatewayError: Bool, _ plan: OutlierPlan, now: UInt64) {
        if plan.gatewayErrors > 0 {
            if isGatewayError {
                count(gatewayErrors, plan.gatewayErrors, .gatewayErrors, plan, now)
            } else {
                Self.clear(gatewayErrors)
            }
        }
        if plan.serverErrors > 0 { count(serverErrors, plan.serverErrors, .serverErrors, plan, now) }
    }

    /// A try without an answer, where these are counted apart.
    func failedLocally(_ plan: OutlierPlan, now: UInt64) {
        if plan.localFailures > 0 { count(localFailures, plan.localFailures, .localFailures, plan, now) }
    }

    private static func clear(_ counter: borrowing Atomic<UInt32>) {
        if counter.load(ordering: .relaxed) != 0 { counter.store(0, ordering: .relaxed) }
    }

    private func count(
        _ counter: borrowing Atomic<UInt32>, _ limit: UInt32, _ reason: Reason, _ plan: OutlierPlan, _ now: UInt64
    ) {
        // Above the limit where a reload has lowered it, or where several workers count at one time.
        guard counter.wrappingAdd(1, ordering: .relaxed).newValue >= limit else { return }
        eject(reason, plan, now)
        // Also where it stays in service: then as many more are a further reason.
        counter.store(0, ordering: .relaxed)
    }

    private func eject(_ reason: Reason, _ plan: OutlierPlan, _ now: UInt64) {
        var known = Standing(word: standing.load(ordering: .relaxed))
        guard known.isInService else { return }
        // First the permit, then the endpoint: more than may be are never out.
        guard cluster.takeEjection() else { return }
        while known.isInService {
            let times = known.times + (plan.counts(after: known.times) ? 1 : 0)
            let out = known.out(at: now / 1_000_000, times: times)
            let result = standing.compareExchange(
                expected: known.word, desired: out.word, ordering: .acquiringAndReleasing)
            if result.exchanged {
                // A reload after the permit may allow none: then nobody looks at those that are out any more.
                guard cluster.allowsEjections else { return takeBack(out) }
                _ = ejections(of: reason) { $0.wrappingAdd(1, ordering: .relaxed) }
                return cluster.changed()
            }
            known = Standing(word: result.original)
        }
        // Another worker was first, or the address has left the cluster.
        cluster.giveEjection()
    }

    /// Undoes an ejection, unless the control thread has seen it and done so.
    private func takeBack(_ out: Standing) {
        let result = standing.compareExchange(expected: out.word, desired: 0, ordering: .acquiringAndReleasing)
        guard result.exchanged else { return }
        cluster.giveEjection()
        cluster.changed()
    }

    // MARK: From the control thread

    /// Puts it back when its time is over; one that is in service is forgiven one of the times it was out.
    func sweep(_ plan: OutlierPlan, now: UInt64) {
        let known = Standing(word: standing.load(ordering: .acquiring))
        if known.isInService, known.times > 0 {
            // A worker that takes it out at this moment is right.
            _ = standing.compareExchange(expected: known.word, desired: known.forgiven().word, ordering: .relaxed)
        }
        let milliseconds = now / 1_000_000
        guard known.isOut, milliseconds >= known.outSinceMilliseconds,
            milliseconds - known.outSinceMilliseconds >= plan.ejectionMilliseconds(times: known.times)
        else { return }
        putBack(known)
    }

    private func putBack(_ known: Standing) {
        Self.clear(serverErrors)
        Self.clear(gatewayErrors)
        Self.clear(localFailures)
        // Nobody else changes it while it is out, but for the worker that has just taken it out and may not.
        let result = standing.compareExchange(expected: known.word, desired: known.back().word, ordering: .releasing)
        guard result.exchanged else { return }
        cluster.giveEjection()
        cluster.changed()
    }

    /// Failures are not looked at any more: it is in service as if none had been.
    func acquit() {
        let known = Standing(word: standing.exchange(0, ordering: .acquiringAndReleasing))
        Self.clear(serverErrors)
        Self.clear(gatewayErrors)
        Self.clear(localFailures)
        guard known.isOut else { return }
        cluster.giveEjection()
        cluster.changed()
    }

    /// The cluster does not have the address any more; what workers still count changes nothing.
    func leave() {
        let known = Standing(word: standing.exchange(Standing.left.word, ordering: .acquiringAndReleasing))
        if known.isOut { cluster.giveEjection() }
    }
}

/// What the cells of one cluster share: how many of them are out, and how many may be.
final class ClusterHealth: Sendable {
    private let ejected = Atomic(0)
    private let mostEjected = Atomic(0)
    /// Changes with every endpoint that is taken out or put back: then workers look at the cells again.
    private let changes = Atomic<UInt32>(0)
    private let refused = Atomic<UInt64>(0)

    var ejectedCount: Int { ejected.load(ordering: .relaxed) }
    var epoch: UInt32 { changes.load(ordering: .acquiring) }
    /// Ejections that were due and would have been too many.
    var refusedEjections: UInt64 { refused.load(ordering: .relaxed) }

    func allow(ejected most: Int) { mostEjected.store(most, ordering: .relaxed) }

    /// Whether endpoints may be taken out at all.
    var allowsEjections: Bool { mostEjected.load(ordering: .relaxed) > 0 }

    /// Whether one more endpoint may be taken out; it counts as out from now on.
    func takeEjection() -> Bool {
        var count = ejected.load(ordering: .relaxed)
        while count < mostEjected.load(ordering: .relaxed) {
            let result = ejected.compareExchange(expected: count, desired: count + 1, ordering: .relaxed)
            if result.exchanged { return true }
            count = result.original
        }
        refused.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    func giveEjection() { ejected.wrappingSubtract(1, ordering: .relaxed) }

    /// The cells are as readers of the new epoch are to see them.
    func changed() { changes.wrappingAdd(1, ordering: .releasing) }
}
