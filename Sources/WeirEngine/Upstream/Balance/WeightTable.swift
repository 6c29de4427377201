/// Cumulative weights for a weighted random choice.
///
/// O(log n) a choice, O(1) when all weights are equal.
struct WeightTable {
    private let cumulative: [UInt64]
    private let count: Int

    init(_ weights: [UInt32]) {
        count = weights.count
        var sum: UInt64 = 0
        let sums = weights.map { weight -> UInt64 in
            sum += UInt64(max(weight, 1))
            return sum
        }
        cumulative = Set(weights.map { max($0, 1) }).count > 1 ? sums : []
    }

    var isUniform: Bool { cumulative.isEmpty }

    /// An index with probability weight / sum.
    ///
    /// The table must not be empty.
    func pick(_ random: inout FastRandom) -> Int {
        guard let sum = cumulative.last else { return Int(random.below(UInt32(truncatingIfNeeded: count))) }
        // The high half of a 64-bit product is uniform in 0..<sum to within 2^-64 * sum.
        let target = random.next().multipliedFullWidth(by: sum).high
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > target { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
