/// Weighted round robin, exact over every run of picks as long as the sum of the weights, and evenly spread within it.
///
/// Each pick raises every endpoint's credit by its weight, takes the highest and charges it the sum. O(1) for equal weights,
/// O(n) otherwise.
struct RoundRobin {
    private let weights: [UInt32]
    private let sum: Int64
    private let isUniform: Bool
    private var credit: [Int64]
    private var next: Int

    /// Starts at a random point of the cycle, so that workers do not march in step.
    init(weights: [UInt32], random: inout FastRandom) {
        self.weights = weights.map { max($0, 1) }
        sum = self.weights.reduce(0) { $0 + Int64($1) }
        isUniform = Set(self.weights).count <= 1
        credit = Array(repeating: 0, count: weights.count)
        next = weights.isEmpty ? 0 : Int(random.below(UInt32(truncatingIfNeeded: weights.count)))
        if !isUniform {
            for _ in 0..<random.below(UInt32(truncatingIfNeeded: weights.count)) { _ = pick() }
        }
    }

    mutating func pick() -> Int {
        if isUniform {
            next = next + 1 < weights.count ? next + 1 : 0
            return next
        }
        var best = 0
        for index in credit.indices {
            credit[index] += Int64(weights[index])
            if credit[index] > credit[best] { best = index }
        }
        credit[best] -= sum
        return best
    }
}
