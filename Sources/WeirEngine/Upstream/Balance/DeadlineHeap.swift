/// Endpoints in the order of their deadlines: the scheduler behind choices by unequal weights.
///
/// O(1) to look at the first, O(log n) to put it off. Owns its memory, so that a choice counts no reference.
struct DeadlineHeap: ~Copyable {
    private struct Entry {
        var deadline: Double
        let index: Int

        /// A strict order, so that equal deadlines always come in the same one.
        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : index < other.index
        }
    }
    private let entries: UnsafeMutablePointer<Entry>
    private let count: Int

    init(count: Int, _ deadline: (_ index: Int) -> Double) {
        self.count = count
        entries = .allocate(capacity: max(count, 1))
        for index in 0..<count {
            (entries + index).initialize(to: Entry(deadline: deadline(index), index: index))
        }
        order()
    }

    deinit { entries.deallocate() }

    /// The endpoint whose deadline comes first; there must be one.
    var first: Int { entries[0].index }
    var firstDeadline: Double { entries[0].deadline }

    /// Gives the first endpoint a later deadline.
    mutating func putOff(to deadline: Double) {
        entries[0].deadline = deadline
        sink(0)
    }

    /// Gives every endpoint another deadline.
    ///
    /// O(n).
    mutating func reset(_ deadline: (_ index: Int, _ former: Double) -> Double) {
        for place in 0..<count {
            entries[place].deadline = deadline(entries[place].index, entries[place].deadline)
        }
        order()
    }

    private func order() {
        for place in stride(from: count / 2 - 1, through: 0, by: -1) { sink(place) }
    }

    private func sink(_ start: Int) {
        let moved = entries[start]
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < count else { break }
            if child + 1 < count, entries[child + 1].isBefore(entries[child]) { child += 1 }
            guard entries[child].isBefore(moved) else { break }
            entries[place] = entries[child]
            place = child
        }
        entries[place] = moved
    }
}
