import Glibc
import Testing
import WeirConfig
import WeirEngine

@testable import WeirSources

/// What stays in force while a file is broken, half written or out of reach.
@Suite struct LastGoodTests {
    @Test func aFileThatIsNoYAMLKeepsAllItsResources() {
        let fixture = StoreFixture { directory in
            directory.write("a.yaml", Document.joined(Document.rule("one", host: "first"), Document.rule("two")))
            directory.write("b.yaml", Document.rule("three"))
        }
        fixture.directory.replace("a.yaml", Document.joined(Document.rule("one", host: "second"), Document.noYAML))
        #expect(fixture.sees { !$0.diagnostics(.unreadableFile).isEmpty })
        #expect(fixture.last.names == ["one", "three", "two"])
        #expect(fixture.last.host("one") == "first")
        let report = fixture.last.diagnostics(.unreadableFile)[0]
        #expect(report.location.file == fixture.directory.place("a.yaml"))
        #expect(report.location.line >= 8)
        #expect(fixture.last.files.map(\.kept) == [2, 0])

        fixture.directory.replace("b.yaml", Document.rule("three", host: "changed"))
        #expect(fixture.sees { $0.host("three") == "changed" })
        fixture.directory.replace("a.yaml", Document.rule("one", host: "third"))
        #expect(fixture.sees { $0.names == ["one", "three"] && $0.host("one") == "third" })
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test func aFileBrokenFromTheStartGivesWhatIsGoodInIt() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.joined(Document.rule("one"), Document.noYAML)) }
        #expect(fixture.last.names == ["one"])
        #expect(fixture.last.diagnostics(.unreadableFile).count == 1)
        #expect(fixture.last.documentCount == 2)
    }

    @Test func aRefusedDocumentKeepsItsOwnAndTheOthersMoveOn() {
        let fixture = StoreFixture {
            $0.write(
                "a.yaml", Document.joined(Document.rule("one", host: "first"), Document.rule("two", host: "first")))
        }
        fixture.directory.replace(
            "a.yaml", Document.joined(Document.rule("one", host: "second"), Document.refused("two")))
        #expect(fixture.sees { $0.host("one") == "second" })
        #expect(fixture.last.host("two") == "first")
        let report = fixture.last.diagnostics.first { $0.severity == .error }
        #expect(report?.location == SourceLocation(file: fixture.directory.place("a.yaml"), line: 12))
        #expect(report?.resource?.name == "two")

        // Broken in another way: still the last good one, not the one before it.
        fixture.directory.replace("a.yaml", Document.refused("two"))
        #expect(fixture.sees { $0.names == ["two"] })
        fixture.directory.replace("a.yaml", Document.rule("two", host: "third"))
        #expect(fixture.sees { $0.host("two") == "third" })
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test func aRemovedDocumentTakesItsResourceAlong() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.joined(Document.rule("one"), Document.rule("two"))) }
        fixture.directory.replace("a.yaml", Document.rule("two"))
        #expect(fixture.sees { $0.names == ["two"] })
    }

    @Test func aFileWithOnlyCommentsIsMeantToBeEmpty() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        fixture.directory.replace("a.yaml", "# nothing any more\n")
        #expect(fixture.sees { $0.names.isEmpty })
    }

    @Test func anEmptiedFileIsBelievedOnlyAfterAGrace() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        let start = SystemClock.now
        fixture.directory.write("a.yaml", "")
        #expect(fixture.awaitMark("seen"))
        // Looked at once more before the grace is over.
        #expect(fixture.awaitMark("seen-again"))
        #expect(fixture.last.names == ["mark-seen", "mark-seen-again", "one"])
        #expect(fixture.sees { $0.names == ["mark-seen", "mark-seen-again"] })
        #expect(SystemClock.now - start >= FileSource.partialWriteGraceSeconds)
    }

    @Test func aFileEmptiedAndWrittenAgainNeverLosesItsResources() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one", host: "first")) }
        fixture.directory.write("a.yaml", "")
        #expect(fixture.awaitMark("between"))
        fixture.directory.write("a.yaml", Document.rule("one", host: "second"))
        #expect(fixture.sees { $0.host("one") == "second" })
        #expect(fixture.deliveries.allSatisfy { $0.names.contains("one") })
    }

    @Test func aFileStillOpenIsNotReadBeforeItIsClosed() {
        let fixture = StoreFixture {
            $0.write("a.yaml", Document.joined(Document.rule("one", host: "first"), Document.rule("two")))
        }
        let writer = fixture.directory.open("a.yaml")
        let newcomer = fixture.directory.open("b.yaml")
        writer.write(Document.rule("one", host: "second"))
        newcomer.write("kind: [")
        #expect(fixture.awaitMark("meanwhile"))
        #expect(fixture.last.host("one") == "first")
        #expect(fixture.last.names == ["mark-meanwhile", "one", "two"])
        #expect(fixture.last.diagnostics.isEmpty)
        newcomer.close()
        writer.write("---\n" + Document.rule("two", host: "second"))
        writer.close()
        #expect(fixture.sees { $0.host("two") == "second" })
        #expect(fixture.last.host("one") == "second")
    }

    @Test func aFileTooLargeKeepsWhatItGave() {
        var limits = FileLimits()
        limits.fileBytes = 1 << 20
        let fixture = StoreFixture(limits: limits) { $0.write("a.yaml", Document.rule("one")) }
        fixture.directory.replace("a.yaml", Document.rule("two") + String(repeating: "#", count: 1 << 20))
        #expect(fixture.sees { !$0.diagnostics(.unreadableFile).isEmpty })
        #expect(fixture.last.names == ["one"])
        #expect(fixture.last.diagnostics[0].message.contains("larger than 1 MiB"))
    }

    @Test func filesAboveTheLimitAreNamed() {
        var limits = FileLimits()
        limits.files = 2
        let fixture = StoreFixture(limits: limits) { directory in
            for name in ["a", "b", "c", "d"] { directory.write(name + ".yaml", Document.rule(name)) }
        }
        #expect(fixture.last.names == ["a", "b"])
        #expect(fixture.last.diagnostics.map(\.location.file) == [fixture.directory.place("c.yaml")])
    }

    @Test func aMissingPathIsReportedAndPickedUpWhenItComes() {
        let fixture = StoreFixture(paths: ["later.yaml"]) { _ in }
        #expect(FileSource.missing(of: [fixture.directory.place("later.yaml"), fixture.directory.path]).count == 1)
        #expect(fixture.last.diagnostics(.unreadableFile).count == 1)
        fixture.directory.write("later.yaml", Document.rule("one"))
        #expect(fixture.sees { $0.names == ["one"] })
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything"))
    func aFileMadeReadableIsRead() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        chmod(fixture.directory.place("a.yaml"), 0)
        #expect(fixture.store.reload())
        #expect(fixture.last.names == ["one"])
        chmod(fixture.directory.place("a.yaml"), 0o644)
        #expect(fixture.sees { $0.diagnostics.isEmpty })
    }
}
