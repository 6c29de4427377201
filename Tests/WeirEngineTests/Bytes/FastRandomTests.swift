import Testing

@testable import WeirEngine

@Suite("Fast random numbers")
struct FastRandomTests {
    @Test("Every number below a bound comes about equally often", arguments: [1, 2, 3, 7, 100])
    func uniform(bound: UInt32) {
        var random = FastRandom(seed: 42)
        var counts = [Int](repeating: 0, count: Int(bound))
        let draws = 1000 * Int(bound)
        for _ in 0..<draws { counts[Int(random.below(bound))] += 1 }
        // 1000 expected each, deviation 32: six of them.
        #expect(counts.allSatisfy { abs($0 - 1000) < 200 })
    }

    @Test("A bound just above half the range is still met evenly")
    func wideBound() {
        var random = FastRandom(seed: 1)
        let bound = UInt32(1) << 31 | 1
        let upper = (0..<20_000).count { _ in random.below(bound) > bound / 2 }
        #expect(abs(upper - 10_000) < 500)
    }

    @Test("Seeds give different sequences, bits are balanced")
    func seeds() {
        var one = FastRandom(seed: 1)
        var two = FastRandom(seed: 2)
        var ones = 0
        for _ in 0..<1000 {
            let number = one.next()
            #expect(number != two.next())
            ones += number.nonzeroBitCount
        }
        #expect(abs(ones - 32_000) < 1000)
    }
}
