/// When an HTTP/2 connection takes no requests for the sake of others that wait for a connection, and when it does again.
///
/// It closes as soon as it is empty. A long request may keep it from that for hours, which would help nobody: then it goes on, and
/// leaves the others their next turn later, each time twice as late.
struct YieldingTurn {
    /// How long a connection may take to become empty.
    static let milliseconds = 1_000
    /// How long it is left alone at most when it did not.
    static let maxRestMilliseconds = 8_000

    /// Monotonic nanoseconds until which it takes no requests; 0 = it does.
    private(set) var end: UInt64 = 0
    /// Before that it is left alone.
    private(set) var nextFrom: UInt64 = 0
    private var restMilliseconds = 0

    var isOn: Bool { end != 0 }

    mutating func begin(_ now: UInt64) { end = now + UInt64(Self.milliseconds) * 1_000_000 }

    /// The connection did not become empty.
    mutating func giveUp(_ now: UInt64) {
        end = 0
        restMilliseconds = min(max(restMilliseconds * 2, Self.milliseconds), Self.maxRestMilliseconds)
        nextFrom = now + UInt64(restMilliseconds) * 1_000_000
    }
}
