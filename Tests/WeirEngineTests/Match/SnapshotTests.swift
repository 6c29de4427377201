import CWeir
import Testing

@testable import WeirEngine

@Suite struct SnapshotTests {
    private func plan(_ weights: [(id: Int32, weight: UInt32)]) -> VirtualHostPlan {
        VirtualHostPlan(routes: [
            RouteSpec(
                conditions: [],
                destinations: weights.map {
                    RouteSpec.Destination(clusterID: $0.id, weight: $0.weight, clusterName: "c\($0.id)")
                },
                origin: RouteOrigin(resource: "VirtualService default/a", file: "a.yaml", line: 3))
        ])
    }

    private func pick(_ plan: VirtualHostPlan, _ random: UInt64) -> Int {
        plan.pick(route: 0, random: random).map { Int($0.pointee.clusterID) } ?? -1
    }

    @Test(
        arguments: [
            [(id: 4, weight: 0)], [(id: 4, weight: 7)], [(id: 1, weight: 0), (id: 4, weight: 1), (id: 2, weight: 0)],
        ] as [[(id: Int32, weight: UInt32)]])
    func oneLivingDestinationTakesEverything(_ weights: [(id: Int32, weight: UInt32)]) {
        let plan = plan(weights)
        for random: UInt64 in [0, 1, .max / 2, .max] { #expect(pick(plan, random) == 4) }
    }

    @Test(arguments: [[1, 99], [1, 3], [20, 30, 50], [5, 0, 1, 7, 9, 11, 2, 1], [.max, .max]] as [[UInt32]])
    func sharesFollowTheWeights(_ weights: [UInt32]) {
        let plan = plan(weights.enumerated().map { (id: Int32($0.offset), weight: $0.element) })
        let draws = 20_000
        var hits = Array(repeating: 0, count: weights.count)
        // Evenly spread numbers: the shares are exact but for rounding.
        for draw in 0..<draws { hits[pick(plan, UInt64.max / UInt64(draws) * UInt64(draw))] += 1 }
        let total = weights.reduce(0.0) { $0 + Double($1) }
        for (index, weight) in weights.enumerated() {
            #expect(abs(Double(hits[index]) - Double(draws) * Double(weight) / total) <= 2)
        }
        #expect(pick(plan, .max) >= 0)
    }

    @Test func withoutDestinationThereIsNoCluster() {
        #expect(pick(plan([]), 1) == -1)
        #expect(pick(plan([(id: 1, weight: 0), (id: 2, weight: 0)]), 1) == -1)
        #expect(pick(plan([(id: -1, weight: 1)]), 1) == -1)
    }

    @Test(
        arguments: [
            ("127.0.0.1", 80, "127.0.0.1:80", 16), ("2001:db8::1", 443, "[2001:db8::1]:443", 28),
            ("unix:///run/app.sock", 0, "/run/app.sock", 16),
        ] as [(String, UInt16, String, Int)])
    func endpointAddressesReachTheKernelAndTheLog(_ host: String, _ port: UInt16, _ text: String, _ length: Int) throws
    {
        var spec = ClusterSpec(name: "outbound|80||a")
        spec.endpoints = [
            ClusterSpec.Endpoint(try #require(EndpointTarget("10.1.2.3")), port: 1),
            ClusterSpec.Endpoint(try #require(EndpointTarget(host)), port: port, weight: 3),
        ]
        let plan = ClusterPlan(id: 0, spec: spec)
        let twin = ClusterPlan(id: 9, spec: spec)
        // Endpoints borrow from their plans.
        defer { withExtendedLifetime((plan, twin)) {} }
        #expect(plan.endpointCount == 2)
        let endpoint = plan.endpoints[1]
        #expect(String(decoding: endpoint.textBytes, as: UTF8.self) == text)
        #expect(endpoint.address.text == text)
        #expect(endpoint.weight == 3)
        #expect(endpoint.address == twin.endpoints[1].address)
        #expect(endpoint.address != plan.endpoints[0].address)
        endpoint.address.withSockAddr { address, size in
            #expect(Int32(address.pointee.sa_family) == endpoint.address.socketFamily)
            #expect(size >= length)
        }
    }

    @Test(arguments: ["", "example.com", "1.2.3", "unix://", "[::1]", "unix:///" + String(repeating: "a", count: 120)])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(EndpointTarget(text) == nil)
    }

    @Test func snapshotsFindTheirParts() throws {
        let plan = plan([(id: 2, weight: 1)])
        let cluster = ClusterPlan(id: 2, spec: ClusterSpec(name: "outbound|80||a"))
        let listener = ListenerPlan(
            port: 80, bind: nil,
            hosts: [
                ListenerPlan.Host(pattern: "*.example.com", plan: plan), ListenerPlan.Host(pattern: "b", plan: plan),
            ])
        let snapshot = Snapshot(generation: 3, listeners: [listener], clusters: [cluster], clusterCapacity: 4)
        #expect(snapshot.cluster(id: 2)?.takeUnretainedValue() === cluster)
        for id: Int32 in [-1, 0, 3, 4] { #expect(snapshot.cluster(id: id) == nil) }
        #expect(snapshot.listenerIndex(port: 80, bind: nil) == 0)
        #expect(snapshot.listenerIndex(port: 80, bind: "127.0.0.1") == nil)
        let found = "A.example.com:80".withBytes { snapshot.listener(at: 0).takeUnretainedValue().virtualHost(for: $0) }
        #expect(try #require(found).takeUnretainedValue() === plan)
        defer { withExtendedLifetime(snapshot) {} }
        let missing = "example.com".withBytes { listener.virtualHost(for: $0) }
        #expect(missing == nil)
        let description = snapshot.describe()
        #expect(description.listeners[0].hosts.map(\.pattern) == ["*.example.com", "b"])
        #expect(description.listeners[0].hosts[0].routes[0].line == 3)
        #expect(description.clusters.map(\.name) == ["outbound|80||a"])
    }
}
