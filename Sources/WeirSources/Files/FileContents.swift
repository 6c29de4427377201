import WeirConfig

/// What one file gives: its documents, each with its last good version.
///
/// No input or output; control thread only.
///
/// - A file with a document that is no YAML, or that names no resource, changes nothing: all that was in force stays.
/// - A document whose resource is refused leaves that resource's last good version in force.
/// - A document that is gone takes its resources along.
struct FileContents {
    private struct Document {
        var raw: RawDocument
        var decoded: DecodedDocument
    }

    private var documents: [Document] = []
    /// Versions of before, in force because the present text is broken.
    private var kept: [Resource] = []
    /// Nothing of the present text counts.
    private var isFrozen = false

    /// What is in force.
    var resources: [Resource] { isFrozen ? kept : documents.flatMap(\.decoded.resources) + kept }

    var diagnostics: [Diagnostic] {
        documents.flatMap(\.decoded.diagnostics)
    }

    var documentCount: Int { documents.count }
    var keptCount: Int { kept.count }

    func unknownKinds(file: String) -> [UnknownKind] {
        documents.flatMap { document in
            document.decoded.unknownKinds.map {
                UnknownKind(kind: $0, location: SourceLocation(file: file, line: document.raw.firstLine), count: 1)
            }
        }
    }

    /// Takes in the file's new text.
    ///
    /// Decodes only the documents whose text or place changed; says whether any did.
    mutating func take(
        _ bytes: [UInt8], file: String, decoder: DocumentDecoder, revisions: RevisionCounter
    ) -> Bool {
        let texts = DocumentSplitter.split(bytes)
        guard texts.count != documents.count || !texts.elementsEqual(documents, by: { $0 == $1.raw }) else {
            return false
        }
        let before = resources
        documents = decode(texts, file: file, decoder: decoder, revisions: revisions)
        settle(before)
        return true
    }

    /// Both lists ascend by line, so equal documents meet in one pass.
    private func decode(
        _ texts: [RawDocument], file: String, decoder: DocumentDecoder, revisions: RevisionCounter
    ) -> [Document] {
        var next = 0
        return texts.map { text in
            while next < documents.count, documents[next].raw.firstLine < text.firstLine { next += 1 }
            if next < documents.count, documents[next].raw == text { return documents[next] }
            var decoded = decoder.decode(text, file: file)
            for index in decoded.resources.indices { decoded.resources[index].revision = revisions.next() }
            return Document(raw: text, decoded: decoded)
        }
    }

    private mutating func settle(_ before: [Resource]) {
        isFrozen = !before.isEmpty && documents.contains { $0.decoded.unparsable }
        guard !isFrozen else {
            kept = before
            return
        }
        let refused = Set(documents.flatMap(\.decoded.refused))
        guard !refused.isEmpty, !before.isEmpty else {
            kept = []
            return
        }
        let good = Set(documents.flatMap { $0.decoded.resources.map(\.id) })
        kept = before.filter { refused.contains($0.id) && !good.contains($0.id) }
    }
}
