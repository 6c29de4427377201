import Synchronization

/// A count that all workers change, alone on its cache line.
///
/// Any thread; borrows the memory of whoever made it.
struct SharedCount: @unchecked Sendable {
    // Sendable: what the pointer leads to is atomic.

    /// What a processor moves between its cores at once, twice: neighbouring lines are fetched in pairs.
    static let lineBytes = 128

    private let cell: UnsafeMutablePointer<Atomic<Int>>

    /// `line` lies at the start of a cache line that nothing else is on.
    init(line: UnsafeMutableRawPointer) {
        cell = line.bindMemory(to: Atomic<Int>.self, capacity: 1)
        cell.initialize(to: Atomic(0))
    }

    /// What is held now, as far as one thread can tell.
    var now: Int { cell.pointee.load(ordering: .sequentiallyConsistent) }

    /// One more, unless there are `limit`.
    ///
    /// The count never passes the limit, not even for a moment: a thread that fails leaves no trace, so nobody else fails for
    /// its sake, and what is free can be told from the count alone.
    func take(upTo limit: Int) -> Bool {
        var seen = cell.pointee.load(ordering: .sequentiallyConsistent)
        while seen < limit {
            let result = cell.pointee.weakCompareExchange(
                expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
            if result.exchanged { return true }
            seen = result.original
        }
        return false
    }

    /// One more, whatever the limit: what was there before anybody counted.
    func add(_ count: Int = 1) { cell.pointee.add(count, ordering: .sequentiallyConsistent) }

    /// One less.
    ///
    /// Ordered before everything its thread does afterwards: a look at who waits finds whoever has seen the count too high.
    func give() {
        let left = cell.pointee.subtract(1, ordering: .sequentiallyConsistent).newValue
        precondition(left >= 0, "a permit given back more often than taken")
    }
}
