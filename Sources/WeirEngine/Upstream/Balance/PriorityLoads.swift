/// Which share of requests goes to the endpoints of each priority, and where health is not heeded.
///
/// As Envoy has it: a priority takes all it can while 1.4 times its healthy share is at least 100 %, and what it cannot take goes
/// to the next one. Whole percentages, rounded as there.
struct PriorityLoads: Equatable {
    /// The endpoints of one priority.
    struct Level: Equatable {
        let healthy: Int
        let total: Int
    }

    /// Healthy endpoints count so many percent of their share (Envoy: overprovisioning factor).
    static let overprovisioningPercent = 140

    /// Percent of the requests; 100 in all.
    private(set) var shares: [Int]
    /// All endpoints of the priority are used, healthy or not.
    private(set) var panics: [Bool]
    /// What each priority can take, in percent of all requests.
    private let healths: [Int]

    /// Below `panicPercent` of healthy endpoints health is not heeded; 0 = it always is.
    ///
    /// There must be a level.
    init(_ levels: [Level], panicPercent: Int) {
        healths = levels.map { level in
            level.total == 0 ? 0 : min(100, Self.overprovisioningPercent * level.healthy / level.total)
        }
        shares = [100] + Array(repeating: 0, count: levels.count - 1)
        panics = Array(repeating: false, count: levels.count)
        let available = min(100, healths.reduce(0, +))
        if available > 0 { shares = Self.distribute(healths, available) }
        guard panicPercent > 0 else { return }
        guard available > 0 else {
            // Nobody is healthy: the first priority serves as well as it can.
            panics[0] = true
            return
        }
        // Where others can take what one cannot, it does not matter how few of it are healthy.
        guard available < 100 else { return }
        panics = levels.map { 100 * $0.healthy < panicPercent * $0.total || $0.total == 0 }
        if panics.allSatisfy({ $0 }) { shares = Self.bySize(levels) }
    }

    /// The shares when priorities are left out, whose bits are set; the same as ever when none of the others can take a request.
    func shares(without excluded: UInt64) -> [Int] {
        let left = healths.enumerated().map { excluded >> UInt64(min($0.offset, 63)) & 1 == 1 ? 0 : $0.element }
        let available = min(100, left.reduce(0, +))
        return available > 0 ? Self.distribute(left, available) : shares
    }

    /// Whether one of the others can take a request.
    func serves(without excluded: UInt64) -> Bool {
        healths.indices.contains { healths[$0] > 0 && excluded >> UInt64(min($0, 63)) & 1 == 0 }
    }

    private static func distribute(_ healths: [Int], _ available: Int) -> [Int] {
        var left = 100
        var shares = healths.map { health in
            let share = min(left, health * 100 / available)
            left -= share
            return share
        }
        // What rounding has left over.
        if left > 0, let first = healths.firstIndex(where: { $0 > 0 }) { shares[first] += left }
        return shares
    }

    private static func bySize(_ levels: [Level]) -> [Int] {
        let total = levels.reduce(0) { $0 + $1.total }
        var shares = levels.map { 100 * $0.total / total }
        if let first = levels.firstIndex(where: { $0.total > 0 }) { shares[first] += 100 - shares.reduce(0, +) }
        return shares
    }
}
