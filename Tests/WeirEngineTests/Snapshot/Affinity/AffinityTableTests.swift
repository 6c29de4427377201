import Testing

@testable import WeirEngine

@Suite struct AffinityTableTests {
    private static let ring = BalancerPolicy.ringHash(minimumSize: 1_024)
    private static let maglev = BalancerPolicy.maglev(size: 65_537)

    private static func place(_ number: Int, weight: UInt32 = 1) -> AffinityTable.Place {
        AffinityTable.Place(key: "10.0.\(number / 250).\(number % 250):8080", weight: weight, index: UInt32(number))
    }

    private static func table(_ policy: BalancerPolicy, _ places: [AffinityTable.Place]) throws -> AffinityTable {
        try #require(AffinityTable(policy, places))
    }

    private static func table(_ policy: BalancerPolicy, count: Int) throws -> AffinityTable {
        try table(policy, (0..<count).map { place($0) })
    }

    private static func keys(_ count: Int, seed: UInt64 = 1) -> [UInt64] {
        var random = SeededRandom(seed)
        return (0..<count).map { _ in random.next() }
    }

    // MARK: Like Envoy

    /// Where Envoy 1.40 led the values `a` to `h` of the header, with endpoints at 127.0.0.1:25601 to :25604.
    @Test(
        arguments: [
            (BalancerPolicy.maglev(size: 65_537), [3, 1, 1, 2], [1, 2, 1, 4, 2, 2, 2, 3]),
            (.ringHash(minimumSize: 262_144), [1, 1, 1, 1], [4, 2, 2, 4, 1, 2, 4, 3]),
            (.ringHash(minimumSize: 262_144), [3, 1, 1, 2], [4, 2, 2, 4, 1, 1, 4, 3]),
        ] as [(BalancerPolicy, [UInt32], [Int])])
    func keysLeadWhereEnvoyLeadsThem(_ policy: BalancerPolicy, _ weights: [UInt32], _ ports: [Int]) throws {
        let table = try Self.table(
            policy,
            weights.indices.map {
                AffinityTable.Place(key: "127.0.0.1:\(25_601 + $0)", weight: weights[$0], index: UInt32($0))
            })
        let led = "abcdefgh".map { key in table.endpoint(for: String(key).withBytes { XXHash64.hash($0) }) + 1 }
        #expect(led == ports)
    }

    // MARK: Movement

    @Test(arguments: [2, 3, 4, 5, 10, 50, 128])
    func aRingMovesTheKeysOfTheEndpointThatGoesAndNoOthers(count: Int) throws {
        let keys = Self.keys(20_000)
        let before = try Self.table(Self.ring, count: count)
        for gone in Set([0, count / 2, count - 1]) {
            let after = try Self.table(Self.ring, (0..<count).filter { $0 != gone }.map { Self.place($0) })
            var moved = 0
            for key in keys {
                let (old, new) = (before.endpoint(for: key), after.endpoint(for: key))
                if old == gone { moved += 1 } else { #expect(old == new) }
            }
            // Read backwards it is the share that an endpoint takes when it comes.
            let share = Double(moved) / Double(keys.count) * Double(count)
            #expect((0.6...1.4).contains(share), "\(share)")
        }
    }

    @Test(arguments: [200, 1_000])
    func aRingOfManyEndpointsMovesAtMostTwiceTheShare(count: Int) throws {
        let keys = Self.keys(100_000)
        let before = try Self.table(Self.ring, count: count)
        let after = try Self.table(Self.ring, count: count - 1)
        let moved = keys.count { before.endpoint(for: $0) != after.endpoint(for: $0) }
        #expect(Double(moved) / Double(keys.count) < 2.5 / Double(count))
    }

    @Test(arguments: [3, 10, 50])
    func maglevMovesLittleMoreThanTheShareOfTheEndpointThatGoesOrComes(count: Int) throws {
        let keys = Self.keys(50_000)
        let (fewer, more) = (try Self.table(Self.maglev, count: count - 1), try Self.table(Self.maglev, count: count))
        let moved = keys.count { fewer.endpoint(for: $0) != more.endpoint(for: $0) }
        let share = Double(moved) / Double(keys.count)
        #expect(share > 0.9 / Double(count) && share < 1 / Double(count) + 0.01, "\(share)")
    }

    /// What docs/balancing.md promises: of the keys of a cluster of `count` endpoints, at most so many move when one goes, and
    /// likewise when it comes back.
    @Test(
        arguments: [
            (ring, 10, 0.106, 0), (ring, 100, 0.0103, 0), (maglev, 10, 0.104, 0.004), (maglev, 100, 0.017, 0.006),
        ] as [(BalancerPolicy, Int, Double, Double)])
    func movementIsAsSmallAsDocumented(
        _ policy: BalancerPolicy, _ count: Int, _ limit: Double, _ needless: Double
    ) throws {
        let keys = Self.keys(100_000)
        let whole = try Self.table(policy, count: count)
        for gone in [0, count / 3, count / 2, count - 1] {
            let fewer = try Self.table(policy, (0..<count).filter { $0 != gone }.map { Self.place($0) })
            let moved = keys.filter { whole.endpoint(for: $0) != fewer.endpoint(for: $0) }
            let others = moved.count { whole.endpoint(for: $0) != gone }
            #expect(Double(moved.count) / Double(keys.count) <= limit, "\(moved.count)")
            #expect(Double(others) / Double(keys.count) <= needless, "\(others)")
        }
    }

    // MARK: Shares

    @Test func weightsDecideTheShares() throws {
        let keys = Self.keys(60_000)
        for (policy, tolerance) in [(Self.ring, 0.12), (Self.maglev, 0.02)] {
            let table = try Self.table(policy, [1, 2, 3].map { Self.place($0, weight: UInt32($0)) })
            for index in 1...3 {
                let share = Double(keys.count { table.endpoint(for: $0) == index }) / Double(keys.count)
                #expect(abs(share / (Double(index) / 6) - 1) < tolerance, "\(index): \(share)")
            }
        }
    }

    @Test func maglevFillsItsSlotsEvenly() throws {
        let table = try Self.table(.maglev(size: 1_021), count: 7)
        var slots = [Int](repeating: 0, count: 7)
        for slot in 0..<1_021 { slots[table.endpoint(for: UInt64(slot))] += 1 }
        #expect(slots.allSatisfy { (145...146).contains($0) })
    }

    @Test func theOrderOfTheEndpointsDoesNotCount() throws {
        let places = (0..<9).map { Self.place($0, weight: UInt32($0 % 3 + 1)) }
        for policy in [Self.ring, Self.maglev] {
            let (table, reversed) = (try Self.table(policy, places), try Self.table(policy, places.reversed()))
            for key in Self.keys(2_000) { #expect(table.endpoint(for: key) == reversed.endpoint(for: key)) }
        }
    }

    @Test func everyKeyHasAnEndpoint() throws {
        for policy in [Self.ring, .ringHash(minimumSize: 1), Self.maglev, .maglev(size: 2)] {
            for count in [1, 2, 5] {
                let table = try Self.table(policy, count: count)
                for key in [0, 1, .max, .max - 1, 1 << 63] + Self.keys(500) {
                    #expect((0..<count).contains(table.endpoint(for: key)))
                }
            }
        }
    }

    @Test func twinsOfOneAddressBothCount() throws {
        let twins = [Self.place(1), AffinityTable.Place(key: Self.place(1).key, weight: 1, index: 5), Self.place(2)]
        for policy in [Self.ring, Self.maglev] {
            let table = try Self.table(policy, twins)
            for key in Self.keys(500) { #expect([1, 5, 2].contains(table.endpoint(for: key))) }
        }
    }

    // MARK: Limits

    @Test func aRingHasItsMinimumSizeAndNoMoreThanEightMebiPoints() {
        func points(_ minimumSize: Int, _ weights: [UInt32]) -> Int {
            let ring = HashRing(
                weights.indices.map { Self.place($0, weight: weights[$0]) }, minimumSize: minimumSize)
            defer { ring.free() }
            return ring.count
        }
        #expect(points(1_024, [1, 1]) == 1_024)
        #expect(points(1_024, [1, 1, 1]) == 3 * 512)
        #expect(points(1_024, Array(repeating: 1, count: 128)) == HashRing.evenPoints)
        #expect(points(1_024, Array(repeating: 1, count: 300)) == 300 * 218)
        #expect(points(100_000, [1, 1, 1]) == 100_002)
        #expect(points(1, [1, 1, 1]) == 3)
        // A light endpoint beside heavy ones must not blow the ring up.
        #expect(points(.max, [1, 20_000_000]) == HashRing.maxPoints)
    }

    @Test func onlyPrimesUpToTheLimitAreTableSizes() {
        #expect([2, 3, 1_021, 65_537, 4_999_999].allSatisfy { MaglevTable.isUsable(size: $0) })
        #expect(
            [.min, -7, 0, 1, 4, 65_536, 5_000_011, 5_000_077, .max].allSatisfy { !MaglevTable.isUsable(size: $0) })
        #expect(MaglevTable.isUsable(size: MaglevTable.defaultSlots))
    }

    @Test func aSizeNoTableCanHaveIsTheDefault() throws {
        let (odd, usual) = (try Self.table(.maglev(size: 65_536), count: 3), try Self.table(Self.maglev, count: 3))
        for key in Self.keys(1_000) { #expect(odd.endpoint(for: key) == usual.endpoint(for: key)) }
    }

    // MARK: Reuse

    @Test func aPlanKeepsItsTableUntilItsEndpointsOrPolicyChange() throws {
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.balancer = Self.ring
        spec.endpoints = [ClusterSpec.Endpoint(.ipv4(1), port: 80), ClusterSpec.Endpoint(.ipv4(2), port: 80)]
        let first = ClusterPlan(id: 0, spec: spec)
        let table = try #require(first.affinity)
        spec.connectTimeoutMilliseconds = 1
        spec.endpoints[0].workload = 3
        #expect(ClusterPlan(id: 0, spec: spec, replacing: first).affinity === table)
        spec.endpoints[0].weight = 2
        #expect(ClusterPlan(id: 0, spec: spec, replacing: first).affinity !== table)
        spec.endpoints[0].weight = 1
        spec.endpoints.append(ClusterSpec.Endpoint(.ipv4(3), port: 80))
        #expect(ClusterPlan(id: 0, spec: spec, replacing: first).affinity !== table)
        spec.endpoints.removeLast()
        spec.balancer = Self.maglev
        #expect(ClusterPlan(id: 0, spec: spec, replacing: first).affinity !== table)
        spec.balancer = .random
        #expect(ClusterPlan(id: 0, spec: spec, replacing: first).affinity == nil)
    }
}

extension AffinityTable {
    fileprivate func endpoint(for key: UInt64) -> Int {
        switch lookup {
        case .ring(let ring): ring.endpoint(for: key)
        case .maglev(let table): table.endpoint(for: key)
        }
    }
}
