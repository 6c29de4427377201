/// What has become of both sides of a connection whose bytes pass through: a pure machine, without sockets or clocks.
///
/// Each method is an event; the action it returns is performed by `StreamConnection` after the state is settled. Invariants: each
/// side's end is passed on once, and the connection ends exactly once.
struct StreamState: Equatable {
    enum Side: UInt8 {
        /// The client's.
        case down
        /// The endpoint's.
        case up

        var other: Side { self == .down ? .up : .down }
    }

    enum Action: Equatable {
        case nothing
        /// No more comes from one side: end the writing to this one behind what is queued.
        case end(Side)
        /// Both sides have ended, and what they said has gone out.
        case finish
        /// One side is broken: cut the other one off, so that nobody takes that for an end.
        case cut
    }

    private(set) var isOver = false
    /// The endpoint's side is open.
    private(set) var isConnected = false
    private var downEnded = false
    private var upEnded = false
    private var downFlushed = false
    private var upFlushed = false

    /// Both sides have said all they will; the rest of it is on its way.
    var isEnding: Bool { downEnded && upEnded && !isOver }
    func hasEnded(_ side: Side) -> Bool { side == .down ? downEnded : upEnded }

    mutating func connected() { isConnected = true }

    /// A side will send no more.
    mutating func ended(_ side: Side) -> Action {
        guard !isOver, !hasEnded(side) else { return .nothing }
        if side == .down { downEnded = true } else { upEnded = true }
        return .end(side.other)
    }

    /// All that was queued for a side has gone out, with the end behind it.
    mutating func flushed(_ side: Side) -> Action {
        guard !isOver, hasEnded(side.other) else { return .nothing }
        if side == .down { downFlushed = true } else { upFlushed = true }
        guard downFlushed, upFlushed else { return .nothing }
        isOver = true
        return .finish
    }

    /// A side is broken, was silent for too long, or is wanted no more.
    mutating func failed() -> Action {
        guard !isOver else { return .nothing }
        isOver = true
        return .cut
    }
}
