/// Clusters whose service or subset was taken away while routes lead there: for the grace of `--reference-grace` they stay
/// as they were, so that the VirtualService may follow.
struct RetainedClusters {
    private let graceSeconds: Double
    private var now = 0.0
    private var deadlines: [Int32: Double] = [:]

    init(graceSeconds: Double) {
        self.graceSeconds = graceSeconds
    }

    /// When the next one ends.
    var nextDeadline: Double? { deadlines.values.filter { $0 > now }.min() }

    /// Time goes on; says whether one has ended since it was told last.
    mutating func begin(at now: Double) -> Bool {
        let before = self.now
        self.now = now
        return deadlines.values.contains { before < $0 && $0 <= now }
    }

    /// Whether a cluster that leads nowhere any more stays for now.
    mutating func keeps(_ id: Int32) -> Bool {
        guard graceSeconds > 0 else { return false }
        let deadline = deadlines[id] ?? now + graceSeconds
        deadlines[id] = deadline
        return now < deadline
    }

    func contains(_ id: Int32) -> Bool { deadlines[id].map { now < $0 } ?? false }

    /// What it leads to is there again.
    mutating func isBack(_ id: Int32) { deadlines[id] = nil }

    /// Nothing leads there any more.
    mutating func isGone(_ id: Int32) { deadlines[id] = nil }
}
