import Glibc

/// Endpoints that are new get less than their share of requests, and more of it as time passes (Istio: `warmup`).
package struct WarmupSpec: Sendable, Hashable {
    package var milliseconds: Int
    /// The least share, in percent of the full one.
    package var leastPercent = 10.0
    /// 1 = the share grows linearly; more = faster at first.
    package var aggression = 1.0

    package init(milliseconds: Int) { self.milliseconds = milliseconds }

    /// The part of its full share an endpoint gets that joined so long ago.
    func factor(afterNanoseconds age: UInt64) -> Double {
        let duration = Double(milliseconds) * 1e6
        guard Double(age) < duration else { return 1 }
        // The first millisecond counts as passed, as in Envoy.
        let passed = max(Double(age), 1e6) / duration
        return min(1, max(pow(passed, 1 / aggression), leastPercent / 100))
    }
}

/// The new ones among some endpoints of one worker: a pick of one is heeded with the probability of its share.
///
/// Shares are relative to the largest, so that endpoints that are all new at once are picked as ever. Owns its memory.
struct SlowStart: ~Copyable {
    /// Picks for one request; then it goes to the endpoint that has warmed up most.
    static let mostPicks = 64
    /// Times that shares are looked at while an endpoint warms up.
    private static let steps: UInt64 = 200

    private let spec: WarmupSpec
    private let count: Int
    private let joinedAt: UnsafeMutablePointer<UInt64>
    /// In 2^32nds.
    private let chances: UnsafeMutablePointer<UInt32>
    private var warmest = 0
    /// Monotonic nanoseconds when the last of them has its full share.
    private let end: UInt64
    private var nextStep: UInt64 = 0

    /// `joinedAt`: monotonic nanoseconds.
    init(_ spec: WarmupSpec, joinedAt moments: [UInt64]) {
        self.spec = spec
        count = moments.count
        joinedAt = .copy(of: moments)
        chances = .allocate(capacity: max(count, 1))
        chances.initialize(repeating: .max, count: count)
        end = (moments.max() ?? 0) + UInt64(spec.milliseconds) * 1_000_000
    }

    deinit {
        joinedAt.deallocate()
        chances.deallocate()
    }

    /// Whether some endpoint is not to get its full share; brings the shares up to date.
    mutating func isActive(_ now: UInt64) -> Bool {
        guard now < end else { return false }
        if now >= nextStep { update(now) }
        return true
    }

    func admits(_ index: Int, _ random: inout FastRandom) -> Bool {
        chances[index] == .max || UInt32(truncatingIfNeeded: random.next()) < chances[index]
    }

    /// The endpoint for requests that no endpoint was admitted for.
    var last: Int { warmest }

    private mutating func update(_ now: UInt64) {
        nextStep = now + max(UInt64(spec.milliseconds) * 1_000_000 / Self.steps, 1_000_000)
        var most = 0.0
        for index in 0..<count {
            let factor = factor(index, now)
            if factor > most { (most, warmest) = (factor, index) }
        }
        guard most > 0 else { return }
        for index in 0..<count { chances[index] = UInt32(factor(index, now) / most * Double(UInt32.max)) }
    }

    private func factor(_ index: Int, _ now: UInt64) -> Double {
        spec.factor(afterNanoseconds: now > joinedAt[index] ? now - joinedAt[index] : 0)
    }
}
