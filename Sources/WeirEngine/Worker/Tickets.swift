import Synchronization

/// Counts the workers that have taken over a generation; the last one reports.
final class AdoptionTicket: Sendable {
    private let left: Atomic<Int>
    private let done: @Sendable () -> Void

    init(workers: Int, done: @escaping @Sendable () -> Void) {
        left = Atomic(workers)
        self.done = done
    }

    func adopted() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { done() }
    }
}

/// Counts the workers whose last connection has gone; reports once, then or when it is told to give up.
final class DrainTicket: Sendable {
    private let left: Atomic<Int>
    private let reported = Atomic(false)
    private let done: @Sendable () -> Void

    init(workers: Int, done: @escaping @Sendable () -> Void) {
        left = Atomic(workers)
        self.done = done
    }

    func workerDrained() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { report() }
    }

    /// Reports even though connections are left.
    func report() {
        if reported.exchange(true, ordering: .acquiringAndReleasing) == false { done() }
    }
}

/// Sums the answers of all workers.
final class StatsCollector: Sendable {
    private struct State {
        var sum = EngineStats()
        var left: Int
    }

    private let state: Guarded<State>
    private let reply: @Sendable (EngineStats) -> Void

    init(workers: Int, reply: @escaping @Sendable (EngineStats) -> Void) {
        state = Guarded(State(left: workers))
        self.reply = reply
    }

    func add(_ stats: EngineStats) {
        let whole = state.withLock { state -> EngineStats? in
            state.sum.add(stats)
            state.left -= 1
            return state.left == 0 ? state.sum : nil
        }
        if let whole { reply(whole) }
    }
}

/// Generations no worker needs any more, waiting to be freed by the control thread.
final class RetiredSnapshots: Sendable {
    private let snapshots = Guarded<[Snapshot]>([])
    private let notify: @Sendable () -> Void

    /// `notify` runs on a worker's thread when something is waiting.
    init(notify: @escaping @Sendable () -> Void) { self.notify = notify }

    func put(_ snapshot: Snapshot) {
        snapshots.withLock { $0.append(snapshot) }
        notify()
    }

    /// Control thread: frees what is waiting.
    ///
    /// Each worker puts its own reference; the last one to go frees the memory.
    func release() {
        let gone = snapshots.withLock { list in
            let all = list
            list = []
            return all
        }
        _ = consume gone
    }
}
