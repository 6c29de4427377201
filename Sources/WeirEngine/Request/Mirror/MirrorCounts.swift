/// What became of the copies of requests, since the start.
package struct MirrorCounts: Sendable, Equatable {
    /// An answer came, whatever it said.
    package var answered = 0
    /// There was no endpoint, no connection, or no answer on it.
    package var failed = 0
    package var timedOut = 0
    /// There was more under way than may be, of copies or of all that their cluster takes.
    package var overflowed = 0
    /// Its request ended early: the client left, or was answered before it had sent all.
    package var incomplete = 0
    /// Under way now.
    package var active = 0

    package init() {}

    mutating func add(_ other: MirrorCounts) {
        answered += other.answered
        failed += other.failed
        timedOut += other.timedOut
        overflowed += other.overflowed
        incomplete += other.incomplete
        active += other.active
    }
}
