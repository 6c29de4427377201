import Glibc
import Testing
import WeirConfig

@testable import WeirSources

private enum Writers {
    /// Whether a read of a file with a writer is refused here.
    static let areTold: Bool = {
        let directory = TestDirectory()
        let writer = directory.open("a.yaml")
        defer { writer.close() }
        if case .beingWritten = FileReading(of: directory.place("a.yaml"), limit: 1) { return true }
        return false
    }()
}

/// Files that somebody keeps open for writing: half of a file is never in force.
@Suite(.enabled(if: Writers.areTold, "this file system does not tell who writes"))
struct WriterTests {
    /// Longer than what is taken for a write under way when nobody is known to write.
    private func letTheGracePass() { usleep(UInt32(FileSource.partialWriteGraceSeconds * 1.2e6)) }

    @Test(arguments: ["", Document.rule("one", host: "second")])
    func aFileWithAWriterIsNotReadWhateverElseHappens(_ part: String) {
        let fixture = StoreFixture {
            $0.write("a.yaml", Document.joined(Document.rule("one", host: "first"), Document.rule("two")))
        }
        let writer = fixture.directory.open("a.yaml")
        writer.write(part)
        for round in 1...2 {
            letTheGracePass()
            #expect(fixture.awaitMark("\(round)"))
            #expect(!fixture.store.reload(), "the operator's reload does not read it either")
            #expect(fixture.last.host("one") == "first" && fixture.last.resource("two") != nil)
        }
        writer.write(Document.joined("", Document.rule("three")))
        writer.close()
        #expect(fixture.sees { $0.resource("three") != nil })
        #expect(fixture.last.resource("two") == nil && fixture.last.diagnostics.isEmpty)
    }

    @Test func anEmptyFileThatGetsAWriterIsNotBelieved() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        fixture.directory.write("a.yaml", "")
        #expect(fixture.awaitMark("looked"))
        let writer = open(fixture.directory.place("a.yaml"), O_WRONLY | O_CLOEXEC)
        letTheGracePass()
        #expect(fixture.awaitMark("again"))
        #expect(fixture.last.resource("one") != nil)
        close(writer)
        #expect(fixture.sees { $0.resource("one") == nil })
    }

    @Test func aWriterThatDoesNotCloseIsNotWaitedForForever() {
        let fixture = StoreFixture(writerLimitSeconds: 1.5) { $0.write("a.yaml", Document.rule("one", host: "first")) }
        let writer = fixture.directory.open("a.yaml")
        writer.write(Document.rule("one", host: "second"))
        #expect(fixture.awaitMark("looked"))
        #expect(fixture.last.host("one") == "first" && fixture.last.diagnostics.isEmpty)
        #expect(fixture.sees { $0.host("one") == "second" })
        #expect(fixture.last.diagnostics(.unreadableFile).map(\.severity) == [.warning])
        writer.close()
        #expect(fixture.sees { $0.diagnostics.isEmpty })
    }
}

/// Broken files that are renamed: what they gave last stays.
@Suite struct RenameTests {
    private func rename(_ fixture: StoreFixture, _ name: String, to new: String) {
        #expect(Glibc.rename(fixture.directory.place(name), fixture.directory.place(new)) == 0)
    }

    @Test(arguments: [Document.refused("one"), Document.noYAML])
    func aBrokenFileIsRenamed(_ broken: String) {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one", host: "good")) }
        fixture.directory.replace("a.yaml", broken)
        #expect(fixture.sees { !$0.diagnostics.isEmpty })
        rename(fixture, "a.yaml", to: "b.yaml")
        #expect(fixture.sees { $0.files.map(\.path) == [fixture.directory.place("b.yaml")] })
        #expect(fixture.last.host("one") == "good" && fixture.last.files[0].kept == 1)
        #expect(fixture.last.diagnostics.map(\.location.file) == [fixture.directory.place("b.yaml")])
        fixture.directory.replace("b.yaml", Document.rule("two"))
        #expect(fixture.sees { $0.names == ["two"] })
    }

    @Test func aGoodFileIsRenamed() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        rename(fixture, "a.yaml", to: "b.yaml")
        #expect(fixture.sees { $0.resource("one")?.location.file == fixture.directory.place("b.yaml") })
        #expect(fixture.last.names == ["one"] && fixture.last.files[0].kept == 0)
        fixture.directory.remove("b.yaml")
        #expect(fixture.sees { $0.names.isEmpty })
    }

    @Test func aDocumentThatMovesToAnotherFileBrokenKeepsItsVersion() {
        let fixture = StoreFixture {
            $0.write("a.yaml", Document.joined(Document.rule("one"), Document.rule("gone")))
            $0.write("b.yaml", Document.rule("two"))
        }
        fixture.directory.replace("b.yaml", Document.joined(Document.rule("two"), Document.refused("one")))
        fixture.directory.remove("a.yaml")
        #expect(fixture.sees { !$0.names.contains("gone") })
        #expect(fixture.last.names == ["one", "two"])
        fixture.directory.replace("b.yaml", Document.rule("two"))
        #expect(fixture.sees { $0.names == ["two"] })
    }
}
