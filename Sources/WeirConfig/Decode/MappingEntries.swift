import Yams

/// One field of a mapping.
struct MappingEntry {
    /// As written.
    let key: String
    let node: Node
    /// Line of the key, in the file.
    let line: Int
}

/// Reads the pairs of a mapping, with YAML merge keys (`<<`) followed.
enum MappingEntries {
    /// Merges nested deeper than this are refused; aliases could nest them without end.
    private static let mergeDepthLimit = 64

    /// Every field once; a field written here wins over a merged one, an earlier merge over a later one.
    static func read(_ mapping: Node.Mapping, of value: FieldValue) -> [MappingEntry]? {
        var entries: [MappingEntry] = []
        entries.reserveCapacity(mapping.count)
        var merges: [Node] = []
        guard collect(mapping, into: &entries, merges: &merges, of: value) else { return nil }
        guard !merges.isEmpty else { return entries }
        var seen = Set(entries.map(\.key))
        for source in merges {
            guard merge(source, into: &entries, seen: &seen, of: value, depth: 1) else { return nil }
        }
        return entries
    }

    private static func collect(
        _ mapping: Node.Mapping, into entries: inout [MappingEntry], merges: inout [Node], of value: FieldValue
    ) -> Bool {
        let session = value.session
        guard session.visit(mapping.count, at: value.path, line: value.line) else { return false }
        for (key, node) in mapping {
            guard case .scalar(let name) = key else {
                let line = session.line(of: key.mark)
                session.error(
                    value.path, line: line, "A field's name must be text. Write a plain word before the colon.")
                return false
            }
            if name.string == "<<", name.style == .plain {
                merges.append(node)
            } else {
                entries.append(MappingEntry(key: name.string, node: node, line: session.line(of: name.mark)))
            }
        }
        return true
    }

    private static func merge(
        _ source: Node, into entries: inout [MappingEntry], seen: inout Set<String>, of value: FieldValue, depth: Int
    ) -> Bool {
        guard depth <= mergeDepthLimit else {
            value.refuse("Merge keys (`<<`) are nested too deeply here. Write the fields out instead.")
            return false
        }
        switch source {
        case .mapping(let mapping):
            var merged: [MappingEntry] = []
            var merges: [Node] = []
            guard collect(mapping, into: &merged, merges: &merges, of: value) else { return false }
            for entry in merged where seen.insert(entry.key).inserted { entries.append(entry) }
            for next in merges {
                guard merge(next, into: &entries, seen: &seen, of: value, depth: depth + 1) else { return false }
            }
            return true
        case .sequence(let sequence):
            guard value.session.visit(sequence.count, at: value.path, line: value.line) else { return false }
            for item in sequence {
                guard merge(item, into: &entries, seen: &seen, of: value, depth: depth + 1) else { return false }
            }
            return true
        case .scalar, .alias:
            value.refuse("A merge key (`<<`) needs a mapping, or a list of mappings. Name one with an alias.")
            return false
        }
    }
}
