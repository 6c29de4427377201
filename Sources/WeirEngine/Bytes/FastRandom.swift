/// A fast generator for load balancing, weights and request ids; never for secrets.
///
/// One per worker. wyrand: one multiplication a number, passes the usual statistical batteries.
struct FastRandom: RandomNumberGenerator {
    private var state: UInt64

    /// The seed comes from the kernel, so that workers and processes differ.
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // Wrapping is the algorithm.
        state &+= 0xa076_1d64_78bd_642f
        let product = state.multipliedFullWidth(by: state ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }

    /// A number in `0..<bound`, without bias (Lemire's multiplication).
    mutating func below(_ bound: UInt32) -> UInt32 {
        precondition(bound > 0, "no number is below zero")
        var product = UInt32(truncatingIfNeeded: next()).multipliedFullWidth(by: bound)
        if product.low < bound {
            let unfair = (0 &- bound) % bound
            while product.low < unfair {
                product = UInt32(truncatingIfNeeded: next()).multipliedFullWidth(by: bound)
            }
        }
        return product.high
    }
}
