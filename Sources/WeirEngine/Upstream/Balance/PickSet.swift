/// Where requests for a cluster go whose endpoints are not all alike: first a priority, then maybe a locality, then an endpoint.
///
/// Made of the endpoints that are in service at one moment, and made anew when that changes. Loop thread only; a pick allocates
/// nothing and counts no reference.
struct PickSet: ~Copyable {
    /// The endpoints of one priority.
    private struct Level: ~Copyable {
        let groups: UnsafeMutablePointer<PickGroup>
        let count: Int
        /// Which locality's turn it is.
        var turns: RoundRobin
    }

    private let levels: UnsafeMutablePointer<Level>
    private let loads: PriorityLoads
    /// The shares of the priorities up to each one; the last is 100.
    private let bounds: UnsafeMutablePointer<UInt32>
    private let count: Int

    /// `endpoints`: in the order of the plan, which must outlive this.
    init(_ plan: ClusterPlan, _ endpoints: [Endpoint], random: inout FastRandom) {
        let draft = PickDraft(plan, endpoints)
        loads = draft.loads
        count = draft.levels.count
        levels = .allocate(capacity: count)
        for (index, level) in draft.levels.enumerated() {
            let groups = UnsafeMutablePointer<PickGroup>.allocate(capacity: max(level.groups.count, 1))
            for (place, group) in level.groups.enumerated() {
                (groups + place).initialize(to: PickGroup(plan, endpoints, group.members, random: &random))
            }
            let turns = RoundRobin(level.groups.map(\.share), random: &random)
            (levels + index).initialize(to: Level(groups: groups, count: level.groups.count, turns: turns))
        }
        bounds = .copy(of: Self.bounds(draft.loads.shares))
    }

    deinit {
        for index in 0..<count {
            for place in 0..<levels[index].count { (levels[index].groups + place).deinitialize(count: 1) }
            levels[index].groups.deallocate()
            (levels + index).deinitialize(count: 1)
        }
        levels.deallocate()
        bounds.deallocate()
    }

    private static func bounds(_ shares: [Int]) -> [UInt32] {
        var sum: UInt32 = 0
        return shares.map { share in
            sum += UInt32(share)
            return sum
        }
    }

    /// An endpoint for one attempt, or `nil` when the priority whose turn it is has none in service.
    ///
    /// `key`: decides where the policy goes by keys, and then over the priority as well. `excluded`: priorities that are not
    /// wanted, a bit each, as long as others can take the request.
    mutating func pick(
        key: UInt64, usesKeys: Bool, passing: Int, excluded: UInt64, now: UInt64, _ random: inout FastRandom
    ) -> Unmanaged<Endpoint>? {
        let level = count == 1 ? 0 : level(for: usesKeys ? key : random.next(), excluded)
        switch levels[level].count {
        case 0: return nil
        case 1: return levels[level].groups[0].pick(key: key, passing: passing, now: now, &random)
        default:
            let group = levels[level].turns.pick()
            return levels[level].groups[group].pick(key: key, passing: passing, now: now, &random)
        }
    }

    /// Whether priorities can take requests besides these, a bit each.
    func serves(without excluded: UInt64) -> Bool { loads.serves(without: excluded) }

    private func level(for key: UInt64, _ excluded: UInt64) -> Int {
        let percent = UInt32(key % 100)
        if excluded != 0 {
            // Of a further try alone.
            let bounds = Self.bounds(loads.shares(without: excluded))
            return bounds.firstIndex { percent < $0 } ?? 0
        }
        for index in 0..<count where percent < bounds[index] { return index }
        return 0
    }
}

/// Endpoints of one priority, and of one locality where these have shares.
struct PickGroup: ~Copyable {
    private let endpoints: EndpointList
    private var balancer: Balancer
    private var slowStart: SlowStart?

    /// `members`: places among the plan's endpoints.
    init(_ plan: ClusterPlan, _ all: [Endpoint], _ members: [Int], random: inout FastRandom) {
        endpoints = EndpointList(members.map { all[$0] })
        balancer = Balancer(plan, members: members, random: &random)
        guard let warmup = plan.warmup, plan.affinity == nil else {
            slowStart = nil
            return
        }
        slowStart = SlowStart(warmup, joinedAt: members.map { plan.cells[$0].joinedAt })
    }

    mutating func pick(
        key: UInt64, passing: Int, now: UInt64, _ random: inout FastRandom
    ) -> Unmanaged<Endpoint>? {
        if endpoints.count == 1 { return endpoints[0] }
        let index = balancer.pick(endpoints, key: key, passing: passing, &random)
        guard slowStart?.isActive(now) ?? false else { return endpoints[index] }
        return endpoints[warm(index, key: key, &random)]
    }

    /// The endpoint picked, or after it others, until one is warm enough.
    private mutating func warm(_ first: Int, key: UInt64, _ random: inout FastRandom) -> Int {
        var index = first
        for _ in 1..<SlowStart.mostPicks {
            if slowStart?.admits(index, &random) ?? true { return index }
            index = balancer.pick(endpoints, key: key, &random)
        }
        return slowStart?.last ?? index
    }
}

/// What a `PickSet` is made of.
struct PickDraft {
    struct Group: Equatable {
        var members: [Int]
        var share: UInt32
    }
    struct Level: Equatable {
        var groups: [Group]
    }

    private(set) var levels: [Level] = []
    let loads: PriorityLoads

    init(_ plan: ClusterPlan, _ endpoints: [Endpoint]) {
        let isOut = endpoints.map { $0.cell?.isEjected ?? false }
        self.init(plan.spec, isOut: isOut)
    }

    init(_ spec: ClusterSpec, isOut: [Bool]) {
        let last = zip(spec.endpoints, isOut).reduce(0) { max($0, $1.0.priority) }
        var all = [[Int]](repeating: [], count: last + 1)
        for index in isOut.indices { all[spec.endpoints[index].priority].append(index) }
        loads = PriorityLoads(
            all.map { members in
                PriorityLoads.Level(healthy: members.count { !isOut[$0] }, total: members.count)
            }, panicPercent: spec.panicPercent)
        levels = zip(all, loads.panics).map { members, panics in
            let wanted = panics ? members : members.filter { !isOut[$0] }
            guard !wanted.isEmpty else { return Level(groups: []) }
            // Envoy: a cluster that goes by keys spreads over localities as the keys do.
            guard !spec.localityShares.isEmpty, !panics, !spec.balancer.usesKeys else {
                return Level(groups: [Group(members: wanted, share: 1)])
            }
            return Level(groups: Self.localities(wanted, of: members, spec))
        }
    }

    /// The endpoints in service by locality, whose share shrinks when too few of them are.
    private static func localities(_ wanted: [Int], of members: [Int], _ spec: ClusterSpec) -> [Group] {
        let total = Dictionary(grouping: members) { spec.endpoints[$0].locality }
        let healthy = Dictionary(grouping: wanted) { spec.endpoints[$0].locality }
        return healthy.sorted { $0.key < $1.key }.map { locality, members in
            let all = total[locality]?.count ?? members.count
            let percent = min(100, PriorityLoads.overprovisioningPercent * members.count / all)
            // In hundredths, so that rounding is no matter.
            return Group(members: members, share: max((spec.localityShares[locality] ?? 1) * UInt32(percent), 1))
        }
    }
}
