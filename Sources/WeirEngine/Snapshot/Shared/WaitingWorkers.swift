import Synchronization

/// Which workers have requests that wait for a connection of a cluster, and which have connections that wait for a request.
///
/// A worker that waits has its bit set; whoever clears the bit owes it a permit. Any thread; borrows the memory of whoever
/// made it.
struct WaitingWorkers: @unchecked Sendable {
    // Sendable: what the pointers lead to is atomic.

    private static let bitsInWord = UInt64.bitWidth
    private let workers: Int
    /// One bit a worker.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// A line for each worker, which it alone writes: since when it waits, and how many connections it could spare.
    private let lines: UnsafeMutableRawPointer

    static func byteCount(workers: Int) -> Int { wordBytes(workers) + workers * SharedCount.lineBytes }

    /// Bytes of the words, in whole lines.
    private static func wordBytes(_ workers: Int) -> Int {
        let lines = (workers / bitsInWord * MemoryLayout<UInt64>.size) / SharedCount.lineBytes + 1
        return lines * SharedCount.lineBytes
    }

    /// `memory` has `byteCount(workers:)` bytes and begins with a cache line.
    init(workers: Int, memory: UnsafeMutableRawPointer) {
        self.workers = workers
        let count = workers / Self.bitsInWord + 1
        words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for word in 0..<count { (words + word).initialize(to: Atomic(0)) }
        lines = memory + Self.wordBytes(workers)
        for worker in 0..<workers {
            let line = (lines + worker * SharedCount.lineBytes).bindMemory(to: Atomic<UInt64>.self, capacity: 2)
            line.initialize(to: Atomic(0))
            (line + 1).initialize(to: Atomic(0))
        }
    }

    private func line(_ worker: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        precondition(worker >= 0 && worker < workers, "no such worker")
        return (lines + worker * SharedCount.lineBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private static func bit(_ worker: Int) -> UInt64 { 1 << UInt64(worker % bitsInWord) }

    // MARK: Waiting

    /// The worker's longest wait began then; does not say that it waits.
    func note(since moment: UInt64, _ worker: Int) { line(worker).pointee.store(moment, ordering: .relaxed) }

    /// From now on the worker waits.
    ///
    /// Ordered before everything its thread does afterwards: whoever frees a permit that a further look did not find has yet to
    /// look for who waits.
    func begin(since moment: UInt64, _ worker: Int) {
        note(since: moment, worker)
        (words + worker / Self.bitsInWord).pointee.bitwiseOr(Self.bit(worker), ordering: .sequentiallyConsistent)
    }

    /// The worker waits no more; `false` when it did not.
    ///
    /// Of several that end one wait, one alone is told so.
    func end(_ worker: Int) -> Bool {
        let word = (words + worker / Self.bitsInWord)
        let former = word.pointee.bitwiseAnd(~Self.bit(worker), ordering: .sequentiallyConsistent).oldValue
        return former & Self.bit(worker) != 0
    }

    /// Of the workers besides this one, that which has waited longest.
    func longest(besides worker: Int) -> (worker: Int, since: UInt64)? {
        var found: (worker: Int, since: UInt64)?
        for index in 0...workers / Self.bitsInWord {
            var bits = (words + index).pointee.load(ordering: .sequentiallyConsistent)
            while bits != 0 {
                let other = index * Self.bitsInWord + bits.trailingZeroBitCount
                bits &= bits - 1
                guard other != worker else { continue }
                let since = line(other).pointee.load(ordering: .relaxed)
                if found.map({ since < $0.since }) ?? true { found = (other, since) }
            }
        }
        return found
    }

    // MARK: Connections to spare

    /// So many of the worker's connections wait for a request; ordered as `begin` is.
    func setIdle(_ count: Int, _ worker: Int) {
        (line(worker) + 1).pointee.store(UInt64(count), ordering: .sequentiallyConsistent)
    }

    /// A worker besides this one that has a connection to spare: the first behind it.
    func holder(besides worker: Int) -> Int? {
        for step in 1..<max(workers, 1) {
            let other = (worker + step) % workers
            if (line(other) + 1).pointee.load(ordering: .sequentiallyConsistent) > 0 { return other }
        }
        return nil
    }
}
