import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// The annotation that spares what must not be done twice.
@Suite struct UnsafeRetriesTests {
    private typealias F = Fixture

    private static func annotated(_ service: Resource, _ value: String?) -> Resource {
        var service = service
        if let value { service.metadata.annotations[UnsafeRetries.annotation] = value }
        return service
    }

    private static func service(_ value: String?, revision: UInt64 = 0) -> Resource {
        let rules = [F.rule([F.match(prefix: "/a")], to: "alpha"), F.rule(to: "alpha")]
        return annotated(F.virtualService("vs", revision: revision, rules), value)
    }

    private static func spared(_ result: Compilation) -> [Bool] {
        result.snapshot.listeners.first?.hosts.first?.plan.specs.map(\.retry.sparesUnsafe) ?? []
    }

    @Test(arguments: [("never", true), (nil, false)])
    func itHoldsForEveryRuleAndIsOtherwiseAsWithoutIt(value: String?, isSpared: Bool) {
        let result = Compiler.make().compile([F.entry("alpha"), F.gateway(), Self.service(value)])
        #expect(Self.spared(result) == [isSpared, isSpared] && result.diagnostics.isEmpty)
        let retries = result.snapshot.listeners.first?.hosts.first?.plan.specs.map(\.retry.retries)
        #expect(retries == [2, 2])
    }

    @Test(arguments: ["", "Never", "true", "always"])
    func anyOtherValueIsReportedAndChangesNothing(value: String) {
        let result = Compiler.make().compile([F.entry("alpha"), F.gateway(), Self.service(value)])
        #expect(Self.spared(result) == [false, false])
        #expect(result.diagnostics.map(\.code) == [.invalidAnnotation])
        #expect(result.diagnostics.first?.path == "metadata.annotations[\"weir.dev/retry-unsafe\"]")
    }

    @Test(arguments: [("never", nil), (nil, "never")] as [(String?, String?)])
    func rulesOfADelegateAreSparedByEitherOfTheTwo(root: String?, delegate: String?) {
        let delegating = F.virtualService("root", [F.delegating([F.match(prefix: "/a")], to: "team", name: "r")])
        let result = Compiler.make().compile([
            F.entry("alpha"), F.gateway(), Self.annotated(delegating, root),
            Self.annotated(F.delegate("team", [F.rule(to: ("alpha", nil))]), delegate),
        ])
        #expect(Self.spared(result) == [true] && result.diagnostics.isEmpty)
    }

    @Test func anEditOfTheAnnotationAloneIsSeen() {
        let compiler = Compiler.make()
        for (revision, value) in [nil, "never", nil].enumerated() {
            let service = Self.service(value, revision: UInt64(revision + 1))
            let spared = Self.spared(compiler.compile([F.entry("alpha"), F.gateway(), service]))
            #expect(spared.contains(true) == (value != nil))
        }
    }
}
