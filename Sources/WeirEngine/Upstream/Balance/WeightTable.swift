/// Cumulative weights for a weighted random choice.
///
/// O(log n) a choice, O(1) when all weights are equal. Owns its memory, so that a choice counts no reference.
struct WeightTable: ~Copyable {
    /// `nil` when all weights are equal.
    private let cumulative: UnsafeMutablePointer<UInt64>?
    private let count: Int

    init(_ weights: [UInt32]) {
        count = weights.count
        guard Set(weights.map { max($0, 1) }).count > 1 else {
            cumulative = nil
            return
        }
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        var sum: UInt64 = 0
        for (index, weight) in weights.enumerated() {
            sum += UInt64(max(weight, 1))
            (table + index).initialize(to: sum)
        }
        cumulative = table
    }

    deinit { cumulative?.deallocate() }

    var isUniform: Bool { cumulative == nil }

    /// An index with probability weight / sum.
    ///
    /// The table must not be empty.
    func pick(_ random: inout FastRandom) -> Int {
        guard let cumulative else { return Int(random.below(UInt32(truncatingIfNeeded: count))) }
        // The high half of a 64-bit product is uniform in 0..<sum to within 2^-64 * sum.
        let target = random.next().multipliedFullWidth(by: cumulative[count - 1]).high
        var low = 0
        var high = count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > target { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
