import Testing

@testable import WeirEngine

/// A further try avoids the endpoints that have failed the request.
@Suite struct TriedEndpointsTests {
    private static func cluster(
        _ count: Int, _ host: ServerHost, _ balancer: BalancerPolicy = .roundRobin
    ) throws -> Cluster {
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.balancer = balancer
        let target = try #require(EndpointTarget("192.0.2.1"))
        spec.endpoints = (0..<count).map { ClusterSpec.Endpoint(target, port: UInt16(1000 + $0)) }
        return Cluster(host: host, plan: ClusterPlan(id: 0, spec: spec))
    }

    /// The endpoints in the order of a round.
    private static func round(_ cluster: Cluster, _ count: Int, _ host: ServerHost) throws -> [Endpoint] {
        try (0..<count).map { _ in try #require(cluster.pick(key: 0, &host.random)).takeUnretainedValue() }
    }

    @Test(arguments: 1...5)
    func anEndpointThatHasNotFailedIsFoundInSixPicks(failed: Int) throws {
        let host = ServerHost(loop: Loop())
        let cluster = try Self.cluster(6, host)
        let endpoints = try Self.round(cluster, 6, host)
        var tried = TriedEndpoints()
        for endpoint in endpoints.prefix(failed) { tried.add(endpoint) }
        let picked = cluster.pick(key: 0, avoiding: tried, &host.random)?.takeUnretainedValue()
        #expect(picked === endpoints[failed])
    }

    @Test func whenAllHaveFailedTheLastPickIsUsed() throws {
        let host = ServerHost(loop: Loop())
        let cluster = try Self.cluster(4, host)
        let endpoints = try Self.round(cluster, 4, host)
        var tried = TriedEndpoints()
        for endpoint in endpoints { tried.add(endpoint) }
        // The sixth pick of a round of four.
        #expect(cluster.pick(key: 0, avoiding: tried, &host.random)?.takeUnretainedValue() === endpoints[1])
        #expect(cluster.pick(key: 0, &host.random)?.takeUnretainedValue() === endpoints[2])
    }

    @Test(arguments: [BalancerPolicy.ringHash(minimumSize: 1024), .maglev(size: 251)])
    func whereRequestsGoByKeysWhatComesAfterTheKeyIsTaken(balancer: BalancerPolicy) throws {
        let host = ServerHost(loop: Loop())
        let cluster = try Self.cluster(3, host, balancer)
        var moved = 0
        for _ in 0..<500 {
            let key = host.random.next()
            let own = try #require(cluster.pick(key: key, &host.random)).takeUnretainedValue()
            var tried = TriedEndpoints()
            tried.add(own)
            let first = cluster.pick(key: key, avoiding: tried, &host.random)?.takeUnretainedValue()
            let second = cluster.pick(key: key, avoiding: tried, &host.random)?.takeUnretainedValue()
            #expect(first === second)
            if first !== own { moved += 1 }
        }
        // A pick misses with one in three, six in a row with one in 729.
        #expect(moved > 480)
    }

    @Test func prioritiesThatHaveFailedAreLeftOutWhileOthersCanTakeTheRequest() throws {
        let host = ServerHost(loop: Loop())
        var spec = ClusterSpec(name: "outbound|80||a")
        let target = try #require(EndpointTarget("192.0.2.1"))
        spec.endpoints = (0..<4).map { ClusterSpec.Endpoint(target, port: UInt16(1000 + $0)) }
        for index in 2..<4 { spec.endpoints[index].priority = 1 }
        let cluster = Cluster(host: host, plan: ClusterPlan(id: 0, spec: spec))
        for (excluded, priority) in [(0, 0), (0b01, 1), (0b10, 0), (0b11, 0)] as [(UInt64, Int)] {
            let picked = cluster.pick(key: 0, avoiding: TriedEndpoints(), excluded: excluded, &host.random)
            #expect(picked?.takeUnretainedValue().priority == priority, "without \(excluded)")
        }
    }

    @Test func withoutEndpointsThereIsNone() throws {
        let host = ServerHost(loop: Loop())
        #expect(try Self.cluster(0, host).pick(key: 0, avoiding: TriedEndpoints(), &host.random) == nil)
    }

    @Test func theLastEightAreRemembered() throws {
        let host = ServerHost(loop: Loop())
        let cluster = try Self.cluster(9, host)
        let endpoints = try Self.round(cluster, 9, host)
        var tried = TriedEndpoints()
        for endpoint in endpoints { tried.add(endpoint) }
        #expect(!tried.contains(endpoints[0]) && endpoints.dropFirst().allSatisfy { tried.contains($0) })
        tried.reset()
        #expect(!tried.contains(endpoints[8]))
    }
}
