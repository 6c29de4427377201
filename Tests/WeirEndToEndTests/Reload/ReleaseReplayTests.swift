import Testing
import WeirServer
import WeirTestSupport

/// Releases as deployment tools write them, step by step and under load: no request may fail, and each step is seen to be
/// in force before the next is written.
@Suite struct ReleaseReplayTests {
    /// The label by which such tools tell the pods of two releases.
    private static let hash = "rollouts-pod-template-hash"
    private static let stable = address(1)
    private static let canary = address(2)

    /// Which of the two objects a tool writes first; each is a file of its own.
    enum First: String, CaseIterable { case virtualService, destinationRule }

    @Test(arguments: First.allCases)
    func aCanaryComesAndTakesOver(first: First) throws {
        let stage = try Stage(
            rule: Self.rule(["stable": "6bd5"]), routes: Self.routes([("stable", nil)]), endpoints: ["6bd5": 1])
        let traffic = stage.traffic(allowed: [Self.stable])
        try traffic.sees([Self.stable])
        // The new pods are ready before anything leads to them.
        try stage.reload("3-endpoints.yaml", stage.entry(["6bd5": 1, "f00d": 2]))
        try traffic.sees([Self.stable])

        traffic.allow([Self.stable, Self.canary])
        let rule = Self.rule(["stable": "6bd5", "canary": "f00d"])
        let begin = Self.routes([("stable", 90), ("canary", 10)])
        switch first {
        case .virtualService:
            // Between the two the subset is not known, and what served before goes on.
            try stage.reload("2-routes.yaml", begin)
            try stage.reload("1-rule.yaml", rule)
        case .destinationRule:
            try stage.reload("1-rule.yaml", rule)
            try stage.reload("2-routes.yaml", begin)
        }
        try traffic.sees([Self.stable, Self.canary])
        for share in [50, 90] {
            try stage.reload("2-routes.yaml", Self.routes([("stable", 100 - share), ("canary", share)]))
            try traffic.sees([Self.stable, Self.canary])
        }
        try stage.reload("2-routes.yaml", Self.routes([("stable", 0), ("canary", 100)]))
        traffic.allow([Self.canary])
        try traffic.sees([Self.canary])

        // The canary becomes the stable release and goes.
        let promoted = Self.rule(["stable": "f00d"])
        let alone = Self.routes([("stable", nil)])
        switch first {
        case .virtualService:
            try stage.reload("1-rule.yaml", Self.rule(["stable": "f00d", "canary": "f00d"]))
            try stage.reload("2-routes.yaml", alone)
            try stage.reload("1-rule.yaml", promoted)
        case .destinationRule:
            // Between the two the canary's share leads to a subset that is gone.
            try stage.reload("1-rule.yaml", promoted)
            try stage.reload("2-routes.yaml", alone)
        }
        try traffic.sees([Self.canary])
        try stage.reload("3-endpoints.yaml", stage.entry(["f00d": 2]))
        try traffic.sees([Self.canary])
        try stage.expectNoFailure(traffic)
    }

    @Test func aCanaryIsAborted() throws {
        let rule = Self.rule(["stable": "6bd5", "canary": "f00d"])
        let stage = try Stage(
            rule: rule, routes: Self.routes([("stable", 80), ("canary", 20)]), endpoints: ["6bd5": 1, "f00d": 2])
        let traffic = stage.traffic(allowed: [Self.stable, Self.canary])
        try traffic.sees([Self.stable, Self.canary])
        try stage.reload("2-routes.yaml", Self.routes([("stable", 100), ("canary", 0)]))
        traffic.allow([Self.stable])
        try traffic.sees([Self.stable])
        try stage.reload("3-endpoints.yaml", stage.entry(["6bd5": 1]))
        try stage.reload("2-routes.yaml", Self.routes([("stable", nil)]))
        try stage.reload("1-rule.yaml", Self.rule(["stable": "6bd5"]))
        try traffic.sees([Self.stable])
        try stage.expectNoFailure(traffic)
    }

    @Test func threeVersionsFollowEachOtherAndTheFirstIsDeleted() throws {
        let names = ["v1": "h1", "v2": "h2", "v3": "h3"]
        let (v1, v2, v3) = (address(1), address(2), address(3))
        let stage = try Stage(
            rule: Self.rule(names), routes: Self.routes([("v1", 100), ("v2", 0), ("v3", 0)]),
            endpoints: ["h1": 1, "h2": 2, "h3": 3])
        let traffic = stage.traffic(allowed: [v1])
        try traffic.sees([v1])
        for (weights, allowed) in [
            ([99, 1, 0], [v1, v2]), ([0, 100, 0], [v2]), ([0, 99, 1], [v2, v3]), ([0, 0, 100], [v3]),
        ] as [([Int], Set<UInt32>)] {
            traffic.allow(allowed.union(traffic.allowed))
            try stage.reload("2-routes.yaml", Self.routes(Array(zip(["v1", "v2", "v3"], weights))))
            traffic.allow(allowed)
            try traffic.sees(allowed)
        }
        try stage.reload("2-routes.yaml", Self.routes([("v2", 0), ("v3", 100)]))
        try stage.reload("1-rule.yaml", Self.rule(["v2": "h2", "v3": "h3"]))
        try stage.reload("3-endpoints.yaml", stage.entry(["h2": 2, "h3": 3]))
        try traffic.sees([v3])
        try stage.expectNoFailure(traffic)
    }

    // MARK: The stage

    /// A server whose configuration is a file an object, in front of one origin on several loopback addresses.
    private struct Stage {
        let server: RunningServer
        let origin: EchoOrigin

        init(rule: String, routes: String, endpoints: [String: Int]) throws {
            origin = try EchoOrigin()
            let directory = try TemporaryDirectory()
            try directory.write("0-gateway.yaml", Documents.gateway())
            try directory.write("1-rule.yaml", rule)
            try directory.write("2-routes.yaml", routes)
            try directory.write("3-endpoints.yaml", Self.entry(endpoints, port: origin.port))
            server = try RunningServer.live(directory) { options in
                // A machine that is busy, or a sanitizer, may take longer for two edits than people's tools do.
                options.binding.referenceGraceSeconds = 60
            }
        }

        func traffic(allowed: Set<UInt32>) -> SteadyTraffic {
            SteadyTraffic(clients: 4, port: server.ports[80] ?? 0, allowed: allowed)
        }

        /// Writes a file and waits until all workers serve it.
        func reload(_ file: String, _ text: String) throws {
            try server.reload(seconds: 30) { try server.directory.replace(file, text) }
        }

        /// The endpoints by their pods' hash.
        func entry(_ endpoints: [String: Int]) -> String { Self.entry(endpoints, port: origin.port) }

        private static func entry(_ endpoints: [String: Int], port: Int) -> String {
            Documents.serviceEntry(
                "shop",
                endpoints: endpoints.sorted { $0.key < $1.key }.map {
                    Documents.Endpoint(
                        address: "127.0.3.\($1)", port: port, labels: "app: shop, \(ReleaseReplayTests.hash): \($0)")
                })
        }

        func expectNoFailure(_ traffic: SteadyTraffic) throws {
            _ = try traffic.end()
            #expect(try server.status().errors.map(\.message) == [])
        }
    }

    private static func address(_ number: UInt32) -> UInt32 { 0x7F00_0300 | number }
    private func address(_ number: UInt32) -> UInt32 { Self.address(number) }

    /// Subsets by name, each with the hash of its pods.
    private static func rule(_ subsets: [String: String]) -> String {
        let lines = subsets.sorted { $0.key < $1.key }.map { "  - {name: \($0), labels: {\(hash): \($1)}}" }
        return """
            apiVersion: networking.istio.io/v1alpha3
            kind: DestinationRule
            metadata: {name: shop}
            spec:
              host: shop
              subsets:
            \(lines.joined(separator: "\n"))
            """
    }

    /// One rule with these destinations; the only one of them may have no weight.
    private static func routes(_ destinations: [(subset: String, weight: Int?)]) -> String {
        let lines = destinations.map { destination in
            "  - {destination: {host: shop, subset: \(destination.subset)}"
                + (destination.weight.map { ", weight: \($0)}" } ?? "}")
        }
        return Documents.virtualService(
            hosts: ["example.com"], http: "- name: primary\n  route:\n" + lines.joined(separator: "\n"))
    }
}
