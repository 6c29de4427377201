import Yams

/// One value of a document with its place: every read that does not fit is reported there, with the way to mend it.
struct FieldValue {
    let node: Node
    let path: FieldPath
    /// Line in the file.
    let line: Int
    let session: DecodeSession

    var isNull: Bool {
        guard case .scalar(let scalar) = node else { return false }
        return PlainScalar(scalar) == .null
    }

    /// A scalar's characters whatever they mean, with nothing reported.
    var scalar: String? {
        guard case .scalar(let scalar) = node else { return nil }
        return scalar.string
    }

    /// Reports an error here: the resource is refused.
    func refuse(_ message: String) { session.error(path, line: line, message) }

    func warn(_ code: DiagnosticCode, _ message: String) { session.warning(code, path, line: line, message) }

    func note(_ code: DiagnosticCode, _ message: String) {
        session.add(code, .info, path, fileLine: line, message)
    }

    /// Text.
    ///
    /// An unquoted number or yes/no word is refused, as Istio and Kubernetes refuse it.
    func text() -> String? {
        guard case .scalar(let scalar) = node else {
            refuse("Text is expected here, not \(shape). Write one value.")
            return nil
        }
        switch PlainScalar(scalar) {
        case .text:
            return scalar.string
        case .null:
            refuse("Text is expected here, but nothing is written. Write a value, or \"\" for an empty one.")
        case .flag, .number:
            refuse("Text is expected here, but YAML reads \(scalar.string) as \(shape). Put it in quotes.")
        }
        return nil
    }

    /// A whole number; digits in quotes count too, as in proto JSON.
    func integer(_ range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let scalar) = node, let value = WholeNumber.parse(scalar.string) else {
            refuse("A whole number is expected here, not \(shape). Write digits only.")
            return nil
        }
        guard range.contains(value) else {
            refuse("\(scalar.string) is out of range. Write a number from \(range.lowerBound) to \(range.upperBound).")
            return nil
        }
        return value
    }

    /// A number, also in quotes as in proto JSON.
    func number() -> Double? {
        guard case .scalar(let scalar) = node, let value = Double(scalar.string), value.isFinite else {
            refuse("A number is expected here, not \(shape). Write digits, maybe with a point.")
            return nil
        }
        return value
    }

    /// One of an enum's words, or its number as in proto JSON; `nil` after a report.
    ///
    /// The cases are in the order of the API, which counts them from 0.
    func word<Word: RawRepresentable & CaseIterable>(of name: String, as type: Word.Type) -> Word?
    where Word.RawValue == String {
        if case .scalar(let scalar) = node {
            if let word = Word(rawValue: scalar.string) { return word }
            if case .number = PlainScalar(scalar), let number = WholeNumber.parse(scalar.string),
                let word = type.allCases.dropFirst(max(number, 0)).first, number >= 0
            {
                return word
            }
        }
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        refuse("\(scalar ?? shape) is no value of \(name). Write one of \(words).")
        return nil
    }

    func flag() -> Bool? {
        guard case .scalar(let scalar) = node, case .flag(let value) = PlainScalar(scalar) else {
            refuse("true or false is expected here, not \(shape). Write true or false without quotes.")
            return nil
        }
        return value
    }

    /// A reader over a mapping's fields.
    func mapping() -> FieldReader? {
        guard case .mapping(let mapping) = node else {
            refuse("A mapping (`field: value` lines) is expected here, not \(shape).")
            return nil
        }
        guard let entries = MappingEntries.read(mapping, of: self) else { return nil }
        return FieldReader(entries: entries, path: path, line: line, session: session)
    }

    /// A list's items, in order.
    func items() -> [FieldValue] {
        guard case .sequence(let sequence) = node else {
            refuse("A list (`- item` lines) is expected here, not \(shape).")
            return []
        }
        guard session.visit(sequence.count, at: path, line: line) else { return [] }
        return sequence.enumerated().map { index, item in
            FieldValue(node: item, path: path[index], line: session.line(of: item.mark), session: session)
        }
    }

    /// A list of text.
    ///
    /// A refused item stays as empty text, so that positions keep their meaning.
    func texts() -> [String] { items().map { $0.text() ?? "" } }

    /// A mapping's entries under the keys as written.
    func entries() -> [(key: String, value: FieldValue)] {
        guard case .mapping(let mapping) = node else {
            refuse("A mapping (`name: value` lines) is expected here, not \(shape).")
            return []
        }
        guard let entries = MappingEntries.read(mapping, of: self) else { return [] }
        return entries.map { entry in
            let value = FieldValue(node: entry.node, path: path[entry.key], line: entry.line, session: session)
            return (entry.key, value)
        }
    }

    /// A mapping of text to text, such as labels.
    func textMap() -> [String: String] {
        var result: [String: String] = [:]
        for (key, value) in entries() { result[key] = value.text() }
        return result
    }

    /// What stands here, in the words of a message; never the value itself, which may be secret.
    private var shape: String {
        switch node {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        case .scalar(let scalar):
            switch PlainScalar(scalar) {
            case .null: return "nothing"
            case .flag: return "true or false"
            case .number: return "a number"
            case .text: return "text"
            }
        }
    }
}
