/// Header operations of one direction as the compiler states them: lines are removed, then set, then added.
///
/// Values may hold operators (`%REQ(X)%`); all of them are read before any line is set or added.
package struct HeaderEdits: Sendable, Hashable {
    /// A value Weir cannot make sense of.
    package struct Malformed: Error {
        package let name: String
        package let reason: String
    }

    struct Line: Sendable, Hashable {
        /// Lower-case.
        let name: String
        /// As written.
        let text: String
        let pieces: [LogPiece]
    }

    /// Lower-case names.
    private(set) var removals: [String] = []
    private(set) var sets: [Line] = []
    private(set) var additions: [Line] = []

    package init() {}

    package var isEmpty: Bool { removals.isEmpty && sets.isEmpty && additions.isEmpty }

    /// Lines these operations can add.
    package var lineCount: Int { sets.count + additions.count }

    /// Lines that operations on one message can add, at most.
    package static let maxLines = HeaderBlock.maxEdits

    /// Whether operations leave a header alone: it frames the message, or belongs to one connection.
    package static func isReserved(_ name: String) -> Bool {
        switch name {
        case "connection", "content-length", "http2-settings", "keep-alive", "proxy-connection", "transfer-encoding",
            "upgrade":
            true
        default: false
        }
    }

    package mutating func remove(_ name: String) { removals.append(name.lowercased()) }

    /// All lines of the name become one with this value; without a value, all stay.
    package mutating func set(_ name: String, to value: String) throws(Malformed) {
        if let line = try Self.line(name, value) { sets.append(line) }
    }

    /// One line more; without a value, none.
    package mutating func add(_ name: String, _ value: String) throws(Malformed) {
        if let line = try Self.line(name, value) { additions.append(line) }
    }

    /// Both, in one pass: what `other` sets wins.
    package func followed(by other: HeaderEdits) -> HeaderEdits {
        var both = self
        both.removals += other.removals
        both.sets += other.sets
        both.additions += other.additions
        return both
    }

    private static func line(_ name: String, _ value: String) throws(Malformed) -> Line? {
        guard value.utf8.allSatisfy(ASCII.isFieldValue) else {
            throw Malformed(name: name, reason: "it holds a control character")
        }
        do throws(AccessLogFormatError) {
            let pieces = try LogFormatParser.parse(Array(value.utf8))
            // What cannot be built is known now.
            _ = try HeaderValueProgram.build(pieces)
            return pieces.isEmpty ? nil : Line(name: name.lowercased(), text: value, pieces: pieces)
        } catch {
            throw Malformed(name: name, reason: error.finding)
        }
    }
}

extension HeaderEdits: CustomStringConvertible {
    /// For dumps: `remove x-a; set x-b "1"; add x-c "%PROTOCOL%"`.
    package var description: String {
        let removed = removals.map { "remove \($0)" }
        let set = sets.map { "set \($0.name) \"\($0.text)\"" }
        let added = additions.map { "add \($0.name) \"\($0.text)\"" }
        return (removed + set + added).joined(separator: "; ")
    }
}

/// The value of a header that holds operators.
enum HeaderValueProgram {
    static func build(_ pieces: [LogPiece]) throws(AccessLogFormatError) -> CompiledLogFormat {
        var builder = LogFormatBuilder()
        for piece in pieces { try builder.append(piece, style: .header) }
        return try builder.buildValue()
    }

    /// The pieces with what is known of the route in their places.
    static func resolved(_ pieces: [LogPiece], routeName: String) -> [LogPiece] {
        pieces.map { piece in
            guard case .operation(let operation, let limit) = piece, operation.code == .routeName else { return piece }
            return .value(routeName, limit: limit)
        }
    }

    /// The whole value, where nothing in it depends on a request.
    static func constant(_ pieces: [LogPiece]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let literal): bytes += literal
            case .value(let text, let limit):
                let whole = Array((text ?? "").utf8)
                bytes += whole.prefix(limit ?? .max).map { ASCII.isFieldValue($0) ? $0 : ASCII.question }
            default: return nil
            }
        }
        return bytes
    }
}
