import Testing
import WeirConfig

@Suite struct DocumentSplitterTests {
    private func split(_ text: String) -> [RawDocument] { DocumentSplitter.split(Array(text.utf8)) }

    @Test func cutsAtMarkersAndKeepsTheLineOfEachDocument() {
        let documents = split("a: 1\n---\nb: 2\nc: 3\n--- # third\n\n# note\nd: 4\n")
        #expect(documents.map(\.text) == ["a: 1\n", "b: 2\nc: 3\n", "d: 4\n"])
        #expect(documents.map(\.firstLine) == [1, 3, 8])
    }

    @Test(arguments: [
        "", "\n\n", "# only a note\n", "---\n---\n", "---\n# a\n---\n  # b\n", "---", "...\n", "%YAML 1.2\n---\n",
    ])
    func dropsDocumentsOfNothing(text: String) {
        #expect(split(text).isEmpty)
    }

    @Test func keepsContentBesideTheMarker() {
        let documents = split("--- {a: 1}\n--- |\n text\n")
        #expect(documents.map(\.text) == ["--- {a: 1}\n", "--- |\n text\n"])
        #expect(documents.map(\.firstLine) == [1, 2])
    }

    @Test func doesNotCutAtIndentedOrLongerDashes() {
        #expect(split("a: |\n  ---\n  b\n").count == 1)
        #expect(split("a:\n----\n---x\n").count == 1)
        #expect(split("a: b\n--\n").count == 1)
    }

    @Test func understandsWindowsLinesAndAByteOrderMark() {
        let documents = split("\u{FEFF}a: 1\r\n---\r\nb: 2\r\n")
        #expect(documents.map(\.text) == ["a: 1\r\n", "b: 2\r\n"])
        #expect(documents.map(\.firstLine) == [1, 3])
    }

    @Test func endsADocumentAtThreeDots() {
        let documents = split("a: 1\n...\n# between\nb: 2\n")
        #expect(documents.map(\.text) == ["a: 1\n", "b: 2\n"])
        #expect(documents.map(\.firstLine) == [1, 4])
    }

    @Test func keepsDirectivesWithTheDocumentTheyPrecede() {
        let documents = split("%YAML 1.1\n---\na: 1\n---\nb: 2\n")
        #expect(documents.map(\.text) == ["%YAML 1.1\n---\na: 1\n", "b: 2\n"])
        #expect(documents.map(\.firstLine) == [1, 5])
    }

    @Test func cutsTenThousandDocumentsInLinearTime() {
        let text = String(repeating: "---\na: 1\n", count: 10_000)
        let documents = split(text)
        #expect(documents.count == 10_000)
        #expect(documents.last?.firstLine == 20_000)
    }
}
