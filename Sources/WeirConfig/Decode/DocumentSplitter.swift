/// One YAML document of a file, as text.
package struct RawDocument: Sendable, Hashable {
    package var text: String
    /// Line of the text's first line in the file, from 1.
    package var firstLine: Int

    package init(text: String, firstLine: Int) {
        self.text = text
        self.firstLine = firstLine
    }
}

/// Cuts a file into its YAML documents without parsing them, so that each is decoded, kept or refused alone.
///
/// `---` and `...` in the first column always end a document (YAML 1.2 §9.1.2), even inside a block scalar or a quoted
/// one; indented ones never do. Documents of blank lines and comments only are dropped.
package enum DocumentSplitter {
    /// O(n), one pass over the bytes.
    package static func split(_ bytes: [UInt8]) -> [RawDocument] {
        bytes.withUnsafeBufferPointer { buffer in
            var cutter = Cutter(UnsafeRawBufferPointer(buffer))
            return cutter.run()
        }
    }
}

/// The state of one pass.
///
/// Borrows the bytes for the length of `split`.
private struct Cutter {
    private let bytes: UnsafeRawBufferPointer
    private var documents: [RawDocument] = []
    private var start = 0
    private var firstLine = 1
    private var content = Content.none

    /// What the document so far holds.
    private enum Content {
        /// Blank lines and comments.
        case none
        /// `%YAML` or `%TAG` lines, which belong to the document after the next `---`.
        case directives
        case document
    }

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func run() -> [RawDocument] {
        var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        start = position
        var line = 1
        while position < bytes.count {
            let end = nextLine(after: position)
            read(position..<end, line: line)
            position = end
            line += 1
        }
        close(at: bytes.count)
        return documents
    }

    private func nextLine(after position: Int) -> Int {
        var index = position
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") { return index + 1 }
            index += 1
        }
        return index
    }

    private mutating func read(_ range: Range<Int>, line: Int) {
        if isMarker(UInt8(ascii: "-"), range) {
            // Directives stay with the document they precede, marker included.
            if content == .directives {
                content = hasContent(range.lowerBound + 3..<range.upperBound) ? .document : .directives
                return
            }
            close(at: range.lowerBound)
            if hasContent(range.lowerBound + 3..<range.upperBound) {
                open(at: range.lowerBound, line: line, .document)
            } else {
                open(at: range.upperBound, line: line + 1, .none)
            }
        } else if isMarker(UInt8(ascii: "."), range) {
            close(at: range.lowerBound)
            open(at: range.upperBound, line: line + 1, .none)
        } else if content != .document, hasContent(range) {
            let isDirective = bytes[range.lowerBound] == UInt8(ascii: "%")
            if content == .none { open(at: range.lowerBound, line: line, isDirective ? .directives : .document) }
            if !isDirective { content = .document }
        }
    }

    private mutating func open(at position: Int, line: Int, _ content: Content) {
        start = position
        firstLine = line
        self.content = content
    }

    private mutating func close(at end: Int) {
        guard content == .document, start < end else { return }
        documents.append(RawDocument(text: String(decoding: bytes[start..<end], as: UTF8.self), firstLine: firstLine))
    }

    /// `---` or `...` followed by blank space or the line's end.
    private func isMarker(_ byte: UInt8, _ line: Range<Int>) -> Bool {
        let first = line.lowerBound
        guard line.count >= 3, bytes[first] == byte, bytes[first + 1] == byte, bytes[first + 2] == byte else {
            return false
        }
        return line.count == 3 || Self.isBlank(bytes[first + 3])
    }

    /// Whether there is anything but blank space and a comment.
    private func hasContent(_ range: Range<Int>) -> Bool {
        guard let first = range.first(where: { !Self.isBlank(bytes[$0]) }) else { return false }
        return bytes[first] != UInt8(ascii: "#")
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\n")
    }
}
