import Testing
import WeirTestSupport

/// Weights as a client observes them.
@Suite struct SplitTests {
    /// Requests of a split: at 50 % five sigma are 5 points.
    private static let requests = 2_500

    private func server(_ weights: [Int?], _ backends: Backends) throws -> RunningServer {
        let routes = weights.enumerated().map { index, weight in
            "  - destination: {host: shop, subset: v\(index + 1)}" + (weight.map { "\n    weight: \($0)" } ?? "")
        }
        return try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService(http: "- route:\n" + routes.joined(separator: "\n")),
            Documents.destinationRule("shop", versions: (1...weights.count).map { "v\($0)" }),
            Documents.serviceEntry("shop", ports: backends.ports),
        ])
    }

    @Test(arguments: [[50, 50], [90, 10], [3, 1], [1, 1, 2], [500, 0, 500]])
    func observedSharesFollowTheWeights(weights: [Int]) throws {
        let backends = try Backends(weights.count)
        let counts = try server(weights, backends).tally(Self.requests)
        let sum = weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
            let count = counts["v\(index + 1)"]
            let share = Double(weight) / Double(sum)
            #expect(isWithinFiveSigma(count, of: Self.requests, share: share), "\(weights): \(counts)")
        }
        #expect(counts.values.reduce(0, +) == Self.requests)
        #expect(counts.keys.allSatisfy { $0.hasPrefix("v") }, "\(counts)")
    }

    @Test(arguments: [nil, 0, 7])
    func aSingleDestinationTakesAllWhateverItsWeight(weight: Int?) throws {
        let backends = try Backends(1)
        #expect(try server([weight], backends).tally(50) == ["v1": 50])
    }

    @Test func anAbsentWeightBesideOthersIsZero() throws {
        let backends = try Backends(2)
        #expect(try server([1, nil], backends).tally(200) == ["v1": 200])
    }
}
