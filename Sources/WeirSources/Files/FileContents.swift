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
    var resources: [Resource] {
        var all: [Resource] = []
        append(to: &all)
        return all
    }

    /// Adds what is in force to a list; one copy of each.
    func append(to list: inout [Resource]) {
        list.reserveCapacity(list.count + documents.count + kept.count)
        if !isFrozen {
            for document in documents { list += document.decoded.resources }
        }
        list += kept
    }

    init() {}

    /// Starts with the versions of a file that was renamed, which stay as far as the text is broken.
    init(keeping former: [Resource]) { kept = former }

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
    /// Decodes only the documents whose text or place changed; says whether any did. One changed document of ten
    /// thousand costs
    /// little more than cutting the text.
    mutating func take(
        _ bytes: [UInt8], file: String, decoder: DocumentDecoder, revisions: RevisionCounter
    ) -> Bool {
        let texts = DocumentSplitter.split(bytes)
        func decode(_ text: RawDocument) -> Document {
            var decoded = decoder.decode(text, file: file)
            for index in decoded.resources.indices { decoded.resources[index].revision = revisions.next() }
            return Document(raw: text, decoded: decoded)
        }
        if hasPlaces(of: texts) {
            let changed = texts.indices.filter { documents[$0].raw.text != texts[$0].text }
            guard !changed.isEmpty else { return false }
            let fresh = changed.map { decode(texts[$0]) }
            let former = formerResources(ifBroken: fresh, besides: Set(changed))
            for (index, document) in zip(changed, fresh) { documents[index] = document }
            settle(former)
        } else {
            let fresh = merge(texts, decode: decode)
            let former = formerResources(ifBroken: fresh, besides: nil)
            documents = fresh
            settle(former)
        }
        return true
    }

    /// Keeps those of the orphans, versions of files that are gone, which this file's text refuses.
    mutating func adopt(_ orphans: inout [ResourceID: Resource]) {
        for document in documents {
            kept += document.decoded.refused.compactMap { orphans.removeValue(forKey: $0) }
        }
    }

    /// As many documents as before, each where it was.
    private func hasPlaces(of texts: [RawDocument]) -> Bool {
        // With nothing but versions of another file, even no text is news.
        texts.count == documents.count && (!documents.isEmpty || kept.isEmpty)
            && texts.indices.allSatisfy { texts[$0].firstLine == documents[$0].raw.firstLine }
    }

    /// The documents of new texts, the old ones where nothing changed.
    ///
    /// Both lists ascend by line, so equals meet in one pass.
    private func merge(_ texts: [RawDocument], decode: (RawDocument) -> Document) -> [Document] {
        var next = 0
        return texts.map { text in
            while next < documents.count, documents[next].raw.firstLine < text.firstLine { next += 1 }
            if next < documents.count, documents[next].raw == text { return documents[next] }
            return decode(text)
        }
    }

    /// What is in force, if something of the new text is broken and may need it; `nil` spares the copy.
    private func formerResources(ifBroken fresh: [Document], besides replaced: Set<Int>?) -> [Resource]? {
        let isBroken = { (document: Document) in document.decoded.unparsable || !document.decoded.refused.isEmpty }
        if fresh.contains(where: isBroken) { return resources }
        guard let replaced else { return nil }
        return documents.indices.contains { !replaced.contains($0) && isBroken(documents[$0]) } ? resources : nil
    }

    /// Decides what of the former resources stays; `nil` = nothing is broken.
    private mutating func settle(_ former: [Resource]?) {
        isFrozen = false
        kept = []
        guard let former, !former.isEmpty else { return }
        if documents.contains(where: \.decoded.unparsable) {
            isFrozen = true
            kept = former
            return
        }
        let refused = Set(documents.flatMap(\.decoded.refused))
        let good = Set(documents.flatMap { $0.decoded.resources.map(\.id) })
        kept = former.filter { refused.contains($0.id) && !good.contains($0.id) }
    }
}
