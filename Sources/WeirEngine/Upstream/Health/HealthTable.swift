/// The health of one cluster's endpoints, shared by all workers and kept over reloads.
///
/// Made and changed on the control thread with each plan of the cluster; the plans' cells are borrowed from it by workers.
package final class HealthTable: Sendable {
    struct Key: Hashable {
        let target: EndpointTarget
        let port: UInt16

        init(_ endpoint: ClusterSpec.Endpoint) { (target, port) = (endpoint.target, endpoint.port) }
    }

    private struct State {
        var cells: [Key: HealthCell] = [:]
        /// As of the newest plan; `nil` where failures are not looked at.
        var plan: OutlierPlan?
        var intervalMilliseconds = 0
        /// Monotonic nanoseconds.
        var nextSweep: UInt64 = 0
    }

    let shared = ClusterHealth()
    private let state = Guarded(State())

    /// How often sweeps may be, whatever `interval` says.
    package static let leastIntervalMilliseconds = 10

    /// Takes over a newer plan's endpoints and settings; returns the cells of the endpoints, in order.
    ///
    /// `now`: monotonic nanoseconds.
    func adopt(_ endpoints: [ClusterSpec.Endpoint], _ spec: OutlierSpec?, now: UInt64) -> [HealthCell] {
        state.withLock { state in
            var left = state.cells
            var kept: [Key: HealthCell] = [:]
            let cells = endpoints.map { endpoint in
                let key = Key(endpoint)
                let cell = kept[key] ?? left.removeValue(forKey: key) ?? HealthCell(shared, joinedAt: now)
                kept[key] = cell
                return cell
            }
            for cell in left.values { cell.leave() }
            state.cells = kept
            state.plan = spec.map(OutlierPlan.init)
            let interval = max(spec?.intervalMilliseconds ?? 0, Self.leastIntervalMilliseconds)
            if interval != state.intervalMilliseconds { state.nextSweep = 0 }
            state.intervalMilliseconds = interval
            // 100 × (ejected + 1) / endpoints ≤ percent, strictly: of few endpoints a small share is none.
            shared.allow(ejected: spec.map { $0.mostEjectedPercent * kept.count / 100 } ?? 0)
            if spec == nil { for cell in kept.values { cell.acquit() } }
            return cells
        }
    }

    /// Milliseconds from one sweep to the next; `nil` where there is nothing to sweep.
    package var intervalMilliseconds: Int? { state.withLock { $0.plan == nil ? nil : $0.intervalMilliseconds } }

    /// Puts endpoints back whose time is over, where a sweep is due.
    ///
    /// Sweeps are at multiples of the interval, so that many clusters of one interval need one wake-up.
    package func sweep(now: UInt64) {
        state.withLock { state in
            guard let plan = state.plan, now >= state.nextSweep else { return }
            let interval = UInt64(state.intervalMilliseconds) * 1_000_000
            state.nextSweep = (now / interval + 1) * interval
            for cell in state.cells.values { cell.sweep(plan, now: now) }
        }
    }

    /// Endpoints that are out now.
    package var ejectedCount: Int { shared.ejectedCount }
    /// Ejections that were due and would have been too many.
    package var refusedEjections: UInt64 { shared.refusedEjections }
}
