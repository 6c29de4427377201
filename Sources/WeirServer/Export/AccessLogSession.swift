import Glibc
import WeirEngine

/// What the access log's thread has in hand: the open target, and where it is in the rings.
///
/// Used by one thread at a time: made on the control thread, then the writer's alone.
final class AccessLogSession: @unchecked Sendable {
    // Sendable: handed over once, when the writer's thread is started.

    struct Outcome {
        /// The target's reader has no room; bytes are left.
        var isFull = false
        /// errno of the write that failed last.
        var failure: Int32?
        /// Lines given up because of it.
        var lostLines = 0
    }

    private let accessLog: AccessLog
    private var target: LogTarget
    /// The ring to go on with: a line that was begun must be completed before another ring's turn.
    private var current = 0
    /// The target ends inside a line that goes on in the current ring.
    private var isInsideLine = false
    /// The target ends inside a line that will never be completed.
    private var isTorn = false

    init(_ accessLog: AccessLog, _ target: consuming LogTarget) {
        self.accessLog = accessLog
        self.target = target
    }

    /// Writes everything that waits in the rings, as far as the target takes it.
    func writeWaiting() -> Outcome {
        var outcome = Outcome()
        for _ in 0..<accessLog.rings.count {
            guard write(accessLog.rings[current], &outcome) else { break }
            current = (current + 1) % accessLog.rings.count
        }
        return outcome
    }

    /// Writes one ring; `false` when the target takes no more.
    private func write(_ ring: AccessLogRing, _ outcome: inout Outcome) -> Bool {
        // What is put in meanwhile is for the next time, or a fast worker would keep the others waiting.
        var left = ring.waiting.count
        while left > 0 {
            guard endTornLine(&outcome) else { return false }
            let bytes = UnsafeRawBufferPointer(rebasing: ring.waiting[..<left])
            switch target.write(bytes) {
            case .written(let count):
                if count > 0 { isInsideLine = bytes[count - 1] != UInt8(ascii: "\n") }
                ring.consume(count)
                left -= count
            case .full:
                outcome.isFull = true
                return false
            case .failed(let code):
                outcome.failure = code
                outcome.lostLines += giveUp(ring, bytes)
                return true
            }
        }
        return true
    }

    /// Begins a new line behind one that was cut off.
    private func endTornLine(_ outcome: inout Outcome) -> Bool {
        guard isTorn else { return true }
        let end = [UInt8(ascii: "\n")].withUnsafeBytes { target.write($0) }
        switch end {
        case .written(let count):
            isTorn = count == 0
            return true
        case .full:
            outcome.isFull = true
            return false
        case .failed:
            // The write that follows fails likewise and says so.
            return true
        }
    }

    /// Drops whole lines; returns how many.
    private func giveUp(_ ring: AccessLogRing, _ bytes: UnsafeRawBufferPointer) -> Int {
        let lines = bytes.count { $0 == UInt8(ascii: "\n") }
        isTorn = isTorn || isInsideLine
        isInsideLine = false
        ring.consume(bytes.count)
        return lines
    }

    /// Goes on with another target; returns the number of lines lost by that.
    ///
    /// A line that has been begun in the old target is not continued in the new one.
    func replaceTarget(_ newer: consuming LogTarget) -> Int {
        var lostLines = 0
        let ring = accessLog.rings[current]
        if isInsideLine, let end = ring.waiting.firstIndex(of: UInt8(ascii: "\n")) {
            ring.consume(end + 1)
            lostLines = 1
        }
        isInsideLine = false
        isTorn = false
        target = newer
        return lostLines
    }

    /// Drops everything that waits; returns the number of lines.
    func dropWaiting() -> Int {
        accessLog.rings.reduce(0) { sum, ring in
            let bytes = ring.waiting
            return bytes.isEmpty ? sum : sum + giveUp(ring, bytes)
        }
    }

    func wait(isFull: Bool, milliseconds: Int32) {
        target.wait(orFor: accessLog.wakeDescriptor, isFull: isFull, milliseconds: milliseconds)
    }
}
