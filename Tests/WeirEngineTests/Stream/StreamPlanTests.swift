import Testing

@testable import WeirEngine

@Suite struct StreamPlanTests {
    @Test func aRouteWithoutNamesTakesEveryConnection() {
        let plan = StreamPlan(routes: [.to([(7, 1)])])
        #expect(plan.choice("") == .cluster(7, route: 0))
        #expect(plan.choice("any.example.com") == .cluster(7, route: 0))
        #expect(plan.serverNames == [])
    }

    @Test(
        arguments: [
            ("a.example.com", 1), ("A.Example.COM", 1), ("b.example.com", 2), ("c.b.example.com", 2),
            ("example.com", -1),
            ("other.org", -1), ("", -1),
        ] as [(String, Int32)])
    func theMostSpecificNameDecides(name: String, cluster: Int32) {
        let plan = StreamPlan(routes: [
            .to([(2, 1)], ["*.example.com"]), .to([(1, 1)], ["a.example.com"]), .to([(3, 1)], ["a.example.com"]),
        ])
        #expect(plan.choice(name) == (cluster < 0 ? .noRoute : .cluster(cluster, route: cluster == 1 ? 1 : 0)))
    }

    @Test func aRouteForEveryNameTakesThoseWithoutOne() {
        let plan = StreamPlan(routes: [.to([(1, 1)], ["a.example.com"]), .to([(2, 1)], ["*"])])
        #expect(plan.choice("") == .cluster(2, route: 1))
        #expect(plan.choice("b.example.com") == .cluster(2, route: 1))
        #expect(plan.choice("a.example.com") == .cluster(1, route: 0))
        #expect(plan.serverNames == ["a.example.com", "*"])
    }

    @Test func destinationsGetTheirShares() {
        let plan = StreamPlan(routes: [.to([(1, 20), (2, 0), (3, 80)])])
        var counts: [Int32: Int] = [:]
        for step in 0..<1000 {
            let random = UInt64(step) * (UInt64.max / 1000)
            guard case .cluster(let id, _) = plan.choice("", random: random) else {
                Issue.record("no destination")
                return
            }
            counts[id, default: 0] += 1
        }
        #expect(abs(counts[1, default: 0] - 200) <= 1)
        #expect(counts[2] == nil)
        #expect(abs(counts[3, default: 0] - 800) <= 1)
    }

    @Test func aLoneDestinationTakesAllWhateverItsWeight() {
        #expect(StreamPlan(routes: [.to([(4, 0)])]).choice("") == .cluster(4, route: 0))
    }

    @Test func withoutDestinationsThereIsNoRoute() {
        #expect(StreamPlan(routes: []).choice("") == .noRoute)
        #expect(StreamPlan(routes: [.to([])]).choice("") == .noRoute)
        #expect(StreamPlan(routes: [.to([(1, 0), (2, 0)])]).choice("") == .noRoute)
    }
}

extension StreamPlan.Route {
    static func to(_ destinations: [(Int32, UInt32)], _ names: [String] = []) -> StreamPlan.Route {
        StreamPlan.Route(
            serverNames: names,
            destinations: destinations.map {
                StreamPlan.Destination(clusterID: $0.0, weight: $0.1, clusterName: "outbound|1||\($0.0).example.com")
            }, origin: RouteOrigin(resource: "VirtualService default/vs", file: "vs.yaml", line: 1))
    }
}

extension StreamPlan {
    func choice(_ name: String, random: UInt64 = 0) -> Choice {
        let bytes = Array(name.utf8)
        return bytes.withUnsafeBytes { choose(serverName: $0, random: random) }
    }
}
