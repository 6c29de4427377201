import Testing
import WeirConfig

@testable import WeirSources

/// Documents of one file: what is decoded again, which numbers change.
///
/// No files involved.
@Suite struct FileContentsTests {
    private let decoder = DocumentDecoder()
    private let revisions = RevisionCounter()

    private func take(_ text: String, into contents: inout FileContents) -> Bool {
        contents.take(Array(text.utf8), file: "a.yaml", decoder: decoder, revisions: revisions)
    }

    private func revision(_ name: String, _ contents: FileContents) -> UInt64? {
        contents.resources.first { $0.id.name == name }?.revision
    }

    @Test func onlyWhatChangedGetsANewRevision() {
        var contents = FileContents()
        #expect(
            take(Document.joined(Document.rule("one"), Document.rule("two"), Document.rule("three")), into: &contents))
        let before = ["one", "two", "three"].map { revision($0, contents) }
        #expect(Set(before).count == 3)
        #expect(
            take(
                Document.joined(Document.rule("one"), Document.rule("two", host: "x"), Document.rule("three")),
                into: &contents))
        let after = ["one", "two", "three"].map { revision($0, contents) }
        #expect(before[0] == after[0])
        #expect(before[1] != after[1])
        #expect(before[2] == after[2])
    }

    @Test func theSameBytesChangeNothing() {
        var contents = FileContents()
        #expect(take(Document.rule("one"), into: &contents))
        #expect(!take(Document.rule("one"), into: &contents))
        #expect(!take("# a comment only\n---\n", into: &contents) == false)
        #expect(contents.resources.isEmpty)
    }

    @Test func documentsThatMoveGetTheirNewLines() {
        var contents = FileContents()
        _ = take(
            Document.joined(Document.rule("one"), Document.rule("two"), Document.refused("three")), into: &contents)
        let lines = contents.resources.map(\.location.line)
        let problem = contents.diagnostics.map(\.location.line)
        let before = revision("one", contents)
        _ = take(
            Document.joined(Document.rule("one"), "# two\n# lines\n" + Document.rule("two"), Document.refused("three")),
            into: &contents)
        #expect(contents.resources.map(\.location.line) == [lines[0], lines[1] + 2])
        #expect(contents.diagnostics.map(\.location.line) == problem.map { $0 + 2 })
        #expect(revision("one", contents) == before)

        // And up again, behind a document that is gone.
        _ = take(Document.joined(Document.rule("two"), Document.refused("three")), into: &contents)
        #expect(contents.resources.map(\.location.line) == [1])
        #expect(contents.diagnostics.map(\.location.line) == [12])
    }

    @Test func commentsAboveADocumentCount() {
        var contents = FileContents()
        _ = take("# two\n# lines\n" + Document.rule("one"), into: &contents)
        #expect(contents.resources.map(\.location.line) == [3])
        #expect(take(Document.rule("one"), into: &contents))
        #expect(contents.resources.map(\.location.line) == [1])
    }

    @Test func aDocumentThatIsRefusedAndDefinedElsewhereInTheFileKeepsNothing() {
        var contents = FileContents()
        _ = take(Document.rule("one", host: "first"), into: &contents)
        _ = take(Document.joined(Document.refused("one"), Document.rule("one", host: "second")), into: &contents)
        #expect(contents.resources.count == 1)
        #expect(contents.keptCount == 0)
    }

    @Test func keptVersionsSurviveSeveralBrokenOnes() {
        var contents = FileContents()
        _ = take(Document.joined(Document.rule("one"), Document.rule("two")), into: &contents)
        let before = contents.resources
        _ = take(Document.noYAML, into: &contents)
        #expect(contents.resources == before)
        _ = take(Document.joined(Document.refused("one"), Document.noYAML), into: &contents)
        #expect(contents.resources == before)
        _ = take(Document.refused("one"), into: &contents)
        #expect(contents.resources.map(\.id.name) == ["one"])
        #expect(contents.resources[0].revision == before[0].revision)
        _ = take("", into: &contents)
        #expect(contents.resources.isEmpty)
    }
}
