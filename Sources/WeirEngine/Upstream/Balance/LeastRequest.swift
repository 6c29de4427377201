/// Istio's default: prefers endpoints that serve few requests of this worker.
///
/// Equal weights: of two endpoints drawn at random the one with fewer requests in flight. Unequal weights: a schedule in which an
/// endpoint's weight counts divided by its requests in flight and one more, as Envoy does, so that an idle cluster is loaded
/// exactly in proportion to its weights. O(1), or O(log n).
struct LeastRequest: ~Copyable {
    /// Deadlines above this are counted from zero again, long before a step is lost to rounding.
    private static let horizon: Double = 0x1p20

    private let count: Int
    /// What one request in flight puts an endpoint off by; `nil` when all weights are equal.
    private let steps: UnsafeMutablePointer<Double>?
    private var heap: DeadlineHeap

    /// Starts anywhere in the schedule, so that workers do not march in step.
    init(_ weights: [UInt32], random: inout FastRandom) {
        count = weights.count
        guard Set(weights).count > 1 else {
            steps = nil
            heap = DeadlineHeap(count: 0) { _ in 0 }
            return
        }
        let mean = weights.reduce(0.0) { $0 + Double($1) } / Double(count)
        let steps = UnsafeMutablePointer<Double>.copy(of: weights.map { mean / Double($0) })
        // 53 random bits: a point in 0..<1.
        heap = DeadlineHeap(count: count) { steps[$0] * Double(random.next() &>> 11) * 0x1p-53 }
        self.steps = steps
    }

    deinit { steps?.deallocate() }

    mutating func pick(_ endpoints: borrowing EndpointList, _ random: inout FastRandom) -> Int {
        guard let steps else { return Self.lessLoaded(endpoints, count, &random) }
        let index = heap.first
        let now = heap.firstDeadline
        heap.putOff(to: now + steps[index] * Double(endpoints.active(index) + 1))
        if now > Self.horizon { heap.reset { $1 - now } }
        return index
    }

    /// Power of two choices; both may name the same endpoint.
    private static func lessLoaded(
        _ endpoints: borrowing EndpointList, _ count: Int, _ random: inout FastRandom
    ) -> Int {
        let first = Int(random.below(UInt32(truncatingIfNeeded: count)))
        let second = Int(random.below(UInt32(truncatingIfNeeded: count)))
        return endpoints.active(second) < endpoints.active(first) ? second : first
    }
}
