import WeirEngine
import WeirSources

/// Makes rows a few at a time.
protocol RowCursor: Sendable {
    associatedtype Row: Codable

    /// The next rows that pass the filter, maybe none of this step; `nil` at the end.
    mutating func next() -> [Row]?
}

extension RowCursor {
    /// As JSON, one text a row; never empty.
    fileprivate mutating func nextTexts() -> [[UInt8]]? {
        while let rows = next() {
            if !rows.isEmpty { return rows.map { JSONText.line($0) } }
        }
        return nil
    }
}

/// The rows of one answer on their way: a JSON document with a row a line.
///
/// Holds the snapshot it lists until its end.
final class Listing: Sendable {
    private struct State {
        /// `nil` once there is nothing left.
        var cursor: (any RowCursor)?
        var isBegun = false
        var hasRows = false
        /// The rest was given up for another listing.
        var isCut = false
        /// When the client last took something.
        var movedAt = SystemClock.now
    }

    private let head: String
    private let state: Guarded<State>

    init(_ kind: ListingKind, generation: UInt64, _ cursor: any RowCursor) {
        head = "{\"generation\":\(generation),\"\(kind.rawValue)\":["
        state = Guarded(State(cursor: cursor))
    }

    var isOver: Bool { state.withLock { $0.cursor == nil } }

    /// Lets go of what is left.
    func end() { state.withLock { $0.cursor = nil } }

    /// Lets go of what a client has not asked for in this time.
    func giveWay(afterSeconds limit: Double) {
        state.withLock { state in
            guard state.cursor != nil, SystemClock.now - state.movedAt > limit else { return }
            state.cursor = nil
            state.isCut = true
        }
    }

    func next() -> LocalPiece {
        state.withLock { state in
            if state.isCut { return .cut }
            state.movedAt = SystemClock.now
            if !state.isBegun {
                state.isBegun = true
                return .bytes(Array(head.utf8))
            }
            if state.cursor == nil { return .end }
            guard let rows = state.cursor?.nextTexts() else {
                state.cursor = nil
                return .bytes(Array("\n]}\n".utf8))
            }
            var text: [UInt8] = []
            for row in rows {
                text += Array(state.hasRows ? ",\n".utf8 : "\n".utf8) + row
                state.hasRows = true
            }
            return .bytes(text)
        }
    }
}

/// Ends its listing with the connection that it is sent over.
final class ListingBody: Sendable {
    private let listing: Listing

    init(_ listing: Listing) { self.listing = listing }
    deinit { listing.end() }

    func next() -> LocalPiece { listing.next() }
}
