import Yams

/// Reads the fields of one mapping by name and remembers which were asked for; `finish` reports the rest.
///
/// A field whose value is null counts as absent, as in proto JSON.
struct FieldReader {
    private struct Field {
        let name: String
        let entry: MappingEntry
        var isRead = false
    }

    let path: FieldPath
    /// Line in the file.
    let line: Int
    let session: DecodeSession
    private var fields: [Field]
    /// Every name asked for: what the mapping may hold.
    private var known: [String] = []

    init(entries: [MappingEntry], path: FieldPath, line: Int, session: DecodeSession) {
        self.path = path
        self.line = line
        self.session = session
        fields = entries.map { Field(name: FieldName.camelCase($0.key), entry: $0) }
        // More than most mappings may hold, so that the list is allocated once.
        known.reserveCapacity(16)
    }

    /// Nothing is written in the mapping, not even a null.
    var isEmpty: Bool { fields.isEmpty }

    /// The value of a field, `nil` when absent or null.
    mutating func take(_ name: String) -> FieldValue? {
        known.append(name)
        var found: FieldValue?
        for index in fields.indices where fields[index].name == name {
            fields[index].isRead = true
            let entry = fields[index].entry
            let value = FieldValue(node: entry.node, path: path[name], line: entry.line, session: session)
            if found != nil { value.refuse("\(name) is written twice, in two spellings. Keep one of them.") }
            found = value
        }
        return found.flatMap { $0.isNull ? nil : $0 }
    }

    mutating func text(_ name: String) -> String? { take(name)?.text() }

    /// Text; an empty one counts as absent, as in proto.
    mutating func filledText(_ name: String) -> String? {
        text(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    mutating func texts(_ name: String) -> [String] { take(name)?.texts() ?? [] }

    mutating func textMap(_ name: String) -> [String: String] { take(name)?.textMap() ?? [:] }

    mutating func flag(_ name: String) -> Bool? { take(name)?.flag() }

    mutating func milliseconds(_ name: String) -> Int? { take(name)?.milliseconds() }

    mutating func integer(_ name: String, _ range: ClosedRange<Int>) -> Int? { take(name)?.integer(range) }

    mutating func items(_ name: String) -> [FieldValue] { take(name)?.items() ?? [] }

    mutating func mapping(_ name: String) -> FieldReader? { take(name)?.mapping() }

    /// One of an enum's words, as `FieldValue.word`; `nil` also when absent.
    mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, as type: Word.Type) -> Word?
    where Word.RawValue == String {
        take(name)?.word(of: name, as: type)
    }

    /// Fields that say nothing about routing.
    mutating func ignore(_ names: String...) {
        for name in names { _ = take(name) }
    }

    /// `take` of a field that this version reads but does not act on, with a warning of what happens instead.
    ///
    /// The change that serves the field writes `take` in its place.
    mutating func unserved(_ name: String, _ consequence: String) -> FieldValue? {
        let value = take(name)
        if let value {
            value.warn(.fieldNotHonoured, "\(name) is not acted on by this version; \(consequence).")
        }
        return value
    }

    /// `take` of a field that has no meaning at an ingress, with a note that says so.
    mutating func inapplicable(_ name: String, _ reason: String) -> FieldValue? {
        let value = take(name)
        value?.note(.notApplicable, "\(name) does not apply at a gateway: \(reason).")
        return value
    }

    /// Reports the fields nobody asked for.
    func finish() {
        for field in fields where !field.isRead {
            let key = field.entry.key
            session.warning(.unknownField, path[key], line: field.entry.line, unknown(key, as: field.name))
        }
    }

    private func unknown(_ key: String, as name: String) -> String {
        let hint = FieldName.nearest(to: name, among: known).map { "Did you mean \($0)?" }
        return "\(key) is not a field known here and is ignored. " + (hint ?? "Remove it, or check where it belongs.")
    }
}
