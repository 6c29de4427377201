/// The bounds of Istio's three histograms, and the bucket of a value in a few instructions.
///
/// Values are whole numbers, so the first bucket, up to 0.5, holds the zeros. Between two powers of two lies at most one bound:
/// the number of a value's bits leads to its bucket with a single comparison.
enum HistogramBounds {
    /// Buckets with the one for all that is above the last bound.
    static let bucketCount = 20
    /// The bounds as Prometheus is told them; Envoy writes them so.
    static let texts: [StaticString] = [
        "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000",
        "300000", "600000", "1800000", "3600000", "+Inf",
    ]
    /// Largest whole number in each bucket but the last.
    static let limits: [UInt64] = [
        0, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300_000, 600_000, 1_800_000,
        3_600_000,
    ]

    /// For every number of bits, 0 to 64: the bucket of the smallest such value in the low byte, above it the largest value
    /// that is still in that bucket.
    static func makeTable() -> UnsafeMutablePointer<UInt64> {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 65)
        for bits in 0...64 {
            let smallest: UInt64 = bits == 0 ? 0 : 1 << UInt64(bits - 1)
            let bucket = limits.firstIndex { smallest <= $0 } ?? limits.count
            let limit = bucket < limits.count ? limits[bucket] : UInt64.max >> 8
            (table + bits).initialize(to: limit << 8 | UInt64(bucket))
        }
        return table
    }

    /// The bucket of a value, by a table of `makeTable`.
    @inline(__always)
    static func bucket(_ value: UInt64, _ table: UnsafeMutablePointer<UInt64>) -> Int {
        let entry = table[UInt64.bitWidth - value.leadingZeroBitCount]
        let isAbove = value > entry >> 8
        // Above 2^56 the comparison says nothing, and the last bucket has none after it.
        return min(Int(entry & 0xFF) + (isAbove ? 1 : 0), bucketCount - 1)
    }
}
