/// Weighted round robin: exact over every run of picks as long as the sum of the weights, and evenly spread within it.
///
/// In a period of that length an endpoint of weight w is due at (0.5 / w, 1.5 / w, …); the earliest is picked. O(1) for equal
/// weights, O(log n) otherwise.
struct RoundRobin: ~Copyable {
    private let count: Int
    /// `nil` when all weights are equal, as are the next two.
    private let weights: UnsafeMutablePointer<UInt32>?
    /// Picks of each endpoint in this period.
    private let given: UnsafeMutablePointer<UInt32>?
    private var heap: DeadlineHeap
    private let period: UInt64
    private var left: UInt64
    private var next: Int

    /// Starts at a random point of the period, so that workers do not march in step.
    init(_ weights: [UInt32], random: inout FastRandom) {
        count = weights.count
        next = weights.isEmpty ? 0 : Int(random.below(UInt32(truncatingIfNeeded: count)))
        guard Set(weights).count > 1 else {
            self.weights = nil
            given = nil
            heap = DeadlineHeap(count: 0) { _ in 0 }
            (period, left) = (0, 0)
            return
        }
        let given = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        // 53 random bits: a point in 0..<1.
        let start = Double(random.next() &>> 11) * 0x1p-53
        for (index, weight) in weights.enumerated() {
            (given + index).initialize(to: Self.given(weight, before: start))
        }
        heap = DeadlineHeap(count: count) { Self.due(given[$0], weights[$0]) }
        period = weights.reduce(0) { $0 + UInt64($1) }
        left = period - (0..<count).reduce(0) { $0 + UInt64(given[$1]) }
        self.weights = .copy(of: weights)
        self.given = given
        if left == 0 { beginPeriod() }
    }

    deinit {
        weights?.deallocate()
        given?.deallocate()
    }

    mutating func pick() -> Int {
        guard let weights, let given else {
            next = next + 1 < count ? next + 1 : 0
            return next
        }
        let index = heap.first
        given[index] += 1
        heap.putOff(to: Self.due(given[index], weights[index]))
        left -= 1
        if left == 0 { beginPeriod() }
        return index
    }

    private mutating func beginPeriod() {
        guard let weights, let given else { return }
        given.update(repeating: 0, count: count)
        heap.reset { index, _ in Self.due(0, weights[index]) }
        left = period
    }

    /// When an endpoint is due that has been picked so often: before 1 exactly as long as that is less than its weight.
    private static func due(_ given: UInt32, _ weight: UInt32) -> Double {
        (Double(given) + 0.5) / Double(weight)
    }

    /// How often an endpoint is due before `start`.
    private static func given(_ weight: UInt32, before start: Double) -> UInt32 {
        // Right but for rounding, which `due` has the last word on: what was picked must be what comes first.
        var count = UInt32((Double(weight) * start).rounded())
        while count < weight, due(count, weight) < start { count += 1 }
        while count > 0, due(count - 1, weight) >= start { count -= 1 }
        return count
    }
}
