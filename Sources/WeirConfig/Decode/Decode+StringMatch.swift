extension StringMatch {
    /// Whether `regex: "*"` means that the header is there; Istio reads it so in `withoutHeaders` only.
    enum Star {
        case isRegex
        case isPresence
    }

    /// `nil` after a report.
    init?(_ value: FieldValue, star: Star = .isRegex) {
        guard !value.isNull else {
            value.refuse("The condition is empty. Write {} for \"is present\", or exact, prefix or regex.")
            return nil
        }
        guard value.scalar == nil else {
            value.refuse("A condition is a mapping. Write {exact: ...}, {prefix: ...} or {regex: ...}.")
            return nil
        }
        guard var fields = value.mapping() else { return nil }
        let wasWritten = !fields.isEmpty
        let exact = fields.text("exact").map(StringMatch.exact)
        let prefix = fields.text("prefix").map(StringMatch.prefix)
        let regex = fields.text("regex").map { star == .isPresence && $0 == "*" ? .present : StringMatch.regex($0) }
        fields.finish()
        let written = [exact, prefix, regex].compactMap(\.self)
        guard written.count <= 1 else {
            value.refuse("A condition has one of exact, prefix and regex. Keep one of them.")
            return nil
        }
        if written.isEmpty, wasWritten, !value.session.hasErrors {
            value.warn(.schemaWarning, "The condition compares with nothing, so any value matches. Write {} to say so.")
        }
        self = written.first ?? .present
    }
}

extension NamedMatch {
    /// Conditions by name, sorted by it so that equal matches compare equal.
    static func list(_ value: FieldValue?, lowercase: Bool, star: StringMatch.Star = .isRegex) -> [NamedMatch] {
        guard let value else { return [] }
        let matches = value.entries().map { name, condition in
            let match = StringMatch(condition, star: star) ?? .present
            return NamedMatch(name: lowercase ? name.lowercased() : name, match: match)
        }
        return matches.sorted { $0.name < $1.name }
    }
}
