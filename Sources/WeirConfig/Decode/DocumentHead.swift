/// The identity of a document that cannot be parsed whole, read line by line from its block-style head.
///
/// Used for documents with a duplicate key: they are refused, but it is known what they are.
struct DocumentHead {
    var apiVersion = ""
    var kind = ""
    var name = ""
    var namespace: String?

    /// `nil` unless kind and name are found.
    init?(scanning text: String) {
        var inMetadata = false
        var metadataIndent: Int?
        for line in text.split(whereSeparator: \.isNewline) {
            let indent = line.prefix { $0 == " " }.count
            guard indent < line.count, let (key, value) = Self.field(line.dropFirst(indent)) else { continue }
            if indent == 0 {
                inMetadata = key == "metadata"
                if key == "apiVersion", apiVersion.isEmpty { apiVersion = value }
                if key == "kind", kind.isEmpty { kind = value }
                continue
            }
            guard inMetadata else { continue }
            if metadataIndent == nil { metadataIndent = indent }
            guard indent == metadataIndent else { continue }
            if key == "name", name.isEmpty { name = value }
            if key == "namespace", namespace == nil { namespace = value }
        }
        if kind.isEmpty || name.isEmpty { return nil }
    }

    /// A `key: value` line without its comment and quotes.
    private static func field(_ line: Substring) -> (key: String, value: String)? {
        guard let colon = line.firstIndex(of: ":"), line.first != "#" else { return nil }
        var words = line[line.index(after: colon)...].split(separator: " ")
        if let comment = words.firstIndex(where: { $0.first == "#" }) { words.removeSubrange(comment...) }
        // What identifies a resource holds no spaces.
        guard words.count <= 1 else { return nil }
        let value = (words.first ?? "").filter { $0 != "\"" && $0 != "'" }
        return (String(line[..<colon]), value)
    }
}
