import Testing

@testable import WeirEngine

/// Whatever the order of events: one answer a request, no byte behind an end, no try beside another, nothing left.
@Suite struct WalkTests {
    /// What a walk must have been through before it proves anything, and how often at least in a thousand walks.
    private static let branches: [(String, Int)] = [
        ("answered", 500), ("local 503", 100), ("local 504", 50), ("cut", 50), ("client left", 50),
        ("client left inside the answer", 20), ("second try", 200), ("later try", 50), ("body sent again", 50),
        ("try given up in time", 50), ("no connection", 50), ("moved", 50), ("interim", 50),
        ("reload in a request", 50), ("tunnel", 20), ("tunnel's end", 5), ("delayed", 50),
        ("local 418", 20),
    ]

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func anyOrderOfEventsKeepsTheRulesAndLeavesNothing(seed: UInt64) {
        let walk = Walk(seed: seed)
        for _ in 0..<1000 { walk.run(steps: 60) }
        #expect(walk.ledger.violations.isEmpty, "\(walk.ledger.violations.joined(separator: "\n"))")
        for (branch, least) in Self.branches {
            let count = walk.ledger.counts[branch, default: 0]
            #expect(count >= least, "\(branch): hardly reached, \(count) times")
        }
        #expect(walk.retriesRefused > 50 && walk.timersLeft == 0)
    }

    @Test(arguments: WalkFault.allCases)
    func anExchangeThatErredWouldBeFound(fault: WalkFault) {
        let walk = Walk(seed: 7, fault: fault)
        for _ in 0..<200 where walk.ledger.violations.isEmpty { walk.run(steps: 60) }
        #expect(!walk.ledger.violations.isEmpty, "nobody has noticed that an exchange \(fault)")
    }
}
