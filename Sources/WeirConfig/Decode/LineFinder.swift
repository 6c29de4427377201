import Yams

/// Finds the line of a field path, for findings made on decoded values, which know no lines.
enum LineFinder {
    /// The line in the file of the path's value, or of its nearest ancestor that is written.
    static func line(of path: FieldPath, in root: Node, session: DecodeSession) -> Int {
        var node = root
        var line = session.line(of: root.mark)
        for step in path.steps {
            guard let next = child(of: node, step, session) else { break }
            (node, line) = next
        }
        return line
    }

    private static func child(of node: Node, _ step: FieldPath.Step, _ session: DecodeSession) -> (Node, Int)? {
        switch (node, step) {
        case (.sequence(let sequence), .item(let index)):
            guard sequence.indices.contains(index) else { return nil }
            let item = sequence[index]
            return (item, session.line(of: item.mark))
        case (.mapping(let mapping), .field(let name)):
            for (key, value) in mapping {
                guard case .scalar(let word) = key else { continue }
                if word.string == name || FieldName.camelCase(word.string) == name {
                    return (value, session.line(of: word.mark))
                }
            }
            return nil
        default:
            return nil
        }
    }
}
