import Synchronization

/// Counts something all workers share, up to a limit that is never exceeded.
final class Permits: Sendable {
    private let limit: Int
    private let taken = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// Whether there was one left; it is the caller's until `give`.
    func take() -> Bool {
        if taken.add(1, ordering: .relaxed).newValue <= limit { return true }
        give()
        return false
    }

    func give() { taken.subtract(1, ordering: .relaxed) }
}

/// The permits for connections of one listener, each of which takes one of the process as well.
final class ListenerPermits: Sendable {
    private let process: Permits
    private let listener: Permits

    init(process: Permits, limit: Int) {
        self.process = process
        listener = Permits(limit: limit)
    }

    /// A permit for one connection, which gives it back when its descriptor is closed.
    func take() -> Bool {
        guard listener.take() else { return false }
        if process.take() { return true }
        listener.give()
        return false
    }

    func give() {
        process.give()
        listener.give()
    }
}
