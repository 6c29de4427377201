import WeirEngine
import WeirSources

/// Puts endpoints back into service whose time out is over: at every `interval` of their cluster's `outlierDetection`.
///
/// Control thread only. Nothing wakes up where no cluster has outlier detection.
final class OutlierSweeper {
    private let loop: ControlLoop
    private var tables: [HealthTable] = []
    private var timer: ControlWatch?

    init(loop: ControlLoop) { self.loop = loop }

    /// Looks after the clusters of this snapshot from now on.
    func watch(_ snapshot: Snapshot) {
        tables = snapshot.clusters.compactMap(\.health).filter { $0.intervalMilliseconds != nil }
        schedule()
    }

    func stop() {
        timer?.cancel()
        timer = nil
        tables = []
    }

    private func schedule() {
        timer?.cancel()
        timer = nil
        guard let least = tables.compactMap(\.intervalMilliseconds).min() else { return }
        let interval = Double(least) / 1000
        let now = SystemClock.now
        // Tables sweep at multiples of their intervals; one of a longer interval waits for the next wake-up after its own.
        let next = ((now / interval).rounded(.down) + 1) * interval
        timer = loop.schedule(after: next - now) { [unowned self] in
            let now = UInt64(SystemClock.now * 1e9)
            for table in tables { table.sweep(now: now) }
            schedule()
        }
    }
}
