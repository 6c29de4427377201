import Testing

@testable import WeirEngine

@Suite struct HistogramBoundsTests {
    /// Prometheus' rule: the first bound that is not below the value.
    private func slowly(_ value: UInt64) -> Int {
        HistogramBounds.texts.firstIndex { text in
            let text = text.description
            return text == "+Inf" || Double(value) <= Double(text) ?? -1
        } ?? -1
    }

    @Test func everyBoundDividesItsNeighbours() {
        let table = HistogramBounds.makeTable()
        defer { table.deallocate() }
        var values: Set<UInt64> = [0, 1, 2, .max, .max - 1]
        for bits in 0..<64 {
            for near in [-1, 0, 1] { values.insert(UInt64(1) << UInt64(bits) &+ UInt64(bitPattern: Int64(near))) }
        }
        for limit in HistogramBounds.limits { values.formUnion([limit, limit + 1, limit &- 1]) }
        var random = FastRandom(seed: 7)
        for _ in 0..<10_000 { values.insert(random.next() >> (random.next() & 63)) }
        var met: Set<Int> = []
        for value in values {
            let bucket = HistogramBounds.bucket(value, table)
            met.insert(bucket)
            #expect(bucket == slowly(value), "\(value)")
        }
        #expect(met == Set(0..<HistogramBounds.bucketCount))
    }

    @Test func boundsAreIstios() {
        #expect(HistogramBounds.texts.count == HistogramBounds.bucketCount)
        #expect(HistogramBounds.limits.count == HistogramBounds.bucketCount - 1)
        for (text, limit) in zip(HistogramBounds.texts, HistogramBounds.limits) {
            #expect(UInt64(Double(text.description) ?? -1) == limit)
        }
    }
}
