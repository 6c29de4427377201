import Synchronization

/// How often each limit of a cluster was met since it has any.
///
/// Any thread; borrows the memory of whoever made it.
struct LimitOverflows: @unchecked Sendable {
    // Sendable: what the pointer leads to is atomic.

    enum Kind: Int, CaseIterable {
        /// A request found no connection free and had to wait.
        case connection
        /// A request was refused: too many waited.
        case pending
        /// A request was refused: too many were under way.
        case request
        /// A request was not tried again: too many were.
        case retry
    }

    private let cells: UnsafeMutablePointer<Atomic<Int>>

    /// `line` has room for a count of each kind.
    init(line: UnsafeMutableRawPointer) {
        cells = line.bindMemory(to: Atomic<Int>.self, capacity: Kind.allCases.count)
        for kind in Kind.allCases { (cells + kind.rawValue).initialize(to: Atomic(0)) }
    }

    func count(_ kind: Kind) { cells[kind.rawValue].add(1, ordering: .relaxed) }

    subscript(kind: Kind) -> Int { cells[kind.rawValue].load(ordering: .relaxed) }
}
