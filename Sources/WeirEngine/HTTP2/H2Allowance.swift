/// How much of something a peer may do: so much at once, and so much a second in the long run.
struct H2Allowance {
    private let most: Int64
    private let perSecond: Int64
    private var left: Int64
    /// When `left` last grew with time, in monotonic nanoseconds.
    private var filledAt: UInt64

    init(atOnce most: Int, perSecond: Int, now: UInt64) {
        self.most = Int64(most)
        self.perSecond = Int64(perSecond)
        left = Int64(most)
        filledAt = now
    }

    /// Takes one away; `false` when there is none.
    ///
    /// Time is looked at only when nothing is left.
    mutating func spend(now: UInt64) -> Bool {
        if left <= 0 { refill(now) }
        guard left > 0 else { return false }
        left -= 1
        return true
    }

    /// Gives some back for work that was worth it.
    mutating func earn(_ amount: Int64) { left = min(left + amount, most) }

    private mutating func refill(_ now: UInt64) {
        let milliseconds = min((now - filledAt) / 1_000_000, 1_000_000)
        let earned = Int64(milliseconds) * perSecond / 1000
        guard earned > 0 else { return }
        left = min(earned, most)
        filledAt = now
    }
}
