import Testing
import WeirConfig
import WeirEngine

@testable import WeirSources

/// Merging and waiting.
@Suite struct ResourceStoreTests {
    @Test func unknownKindsAreToldOnceAKind() {
        let fixture = StoreFixture { directory in
            directory.write(
                "a.yaml", Document.joined(Document.other("Deployment", "x"), Document.other("Deployment", "y")))
            directory.write(
                "b.yaml", Document.joined(Document.other("Deployment", "z"), Document.other("DaemonSet", "z")))
        }
        let reports = fixture.last.diagnostics(.unknownKind)
        #expect(reports.count == 2)
        #expect(reports[0].location == SourceLocation(file: fixture.directory.place("a.yaml"), line: 1))
        #expect(reports[0].message.contains("and 2 more"))
        #expect(fixture.last.documentCount == 4)
        #expect(fixture.last.names.isEmpty)
    }

    @Test func theFirstOfTwoDefinitionsCounts() {
        let fixture = StoreFixture { directory in
            directory.write("b.yaml", Document.rule("one", host: "second"))
            directory.write("a.yaml", Document.rule("one", host: "first"))
        }
        #expect(fixture.last.host("one") == "first")
        let report = fixture.last.diagnostics(.duplicateResource)
        #expect(report.map(\.location.file) == [fixture.directory.place("b.yaml")])
        #expect(report[0].message.contains(fixture.directory.place("a.yaml")))
        fixture.directory.remove("a.yaml")
        #expect(fixture.sees { $0.host("one") == "second" })
    }

    @Test func aBurstIsDeliveredOnce() {
        let fixture = StoreFixture { _ in }
        for index in 0..<20 { fixture.directory.write("\(index).yaml", Document.rule("rule-\(index)")) }
        #expect(fixture.sees { $0.names.count == 20 })
        // Written before the loop ran once, so seen together.
        #expect(fixture.deliveries.count == 2)
    }

    @Test func waitingEndsWhenItIsQuietOrAtTheLimit() {
        var burst = ChangeBurst()
        #expect(burst.delay(atChange: 100) == ChangeBurst.quietSeconds)
        var now = 100.0
        var end = 0.0
        while now < 100.19 {
            end = now + burst.delay(atChange: now)
            now += 0.005
        }
        #expect(end <= 100 + ChangeBurst.limitSeconds)
        #expect(burst.delay(atChange: 100.3) == 0)
    }

    @Test func everyVersionHasItsOwnRevision() {
        let fixture = StoreFixture { directory in
            directory.write("a.yaml", Document.rule("one", host: "x"))
            directory.write("b.yaml", Document.rule("two", host: "x"))
        }
        let first = fixture.last.resource("one")?.revision
        let other = fixture.last.resource("two")?.revision
        fixture.directory.replace("a.yaml", Document.rule("one", host: "y"))
        #expect(fixture.sees { $0.host("one") == "y" })
        #expect(fixture.last.resource("one")?.revision != first)
        #expect(fixture.last.resource("two")?.revision == other)
    }
}
