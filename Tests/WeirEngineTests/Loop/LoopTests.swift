import Testing

@testable import WeirEngine

/// Writes down when it was called.
private final class Alarm: LoopSource {
    var calls: [UInt64] = []
    /// Set anew at each call, this much later; 0 = never.
    var everyMilliseconds = 0

    override func deadlinePassed() {
        calls.append(loop.now)
        if everyMilliseconds > 0 { setDeadline(afterMilliseconds: everyMilliseconds) }
    }
}

@Suite struct LoopTests {
    @Test func heldTimeMovesOnlyWhenItIsMoved() {
        let loop = Loop()
        loop.holdTime()
        let start = loop.now
        let alarm = Alarm(loop: loop)
        alarm.setDeadline(afterMilliseconds: 1)
        for _ in 0..<3 { loop.tick(wait: false) }
        #expect(loop.now == start && alarm.calls.isEmpty)
        loop.advance(milliseconds: 1)
        #expect(loop.now == start + 1_000_000 && alarm.calls == [loop.now])
    }

    @Test func timersOnTheWayAreCalledAtTheirMoments() {
        let loop = Loop()
        loop.holdTime()
        let start = loop.now
        let alarms = [Alarm(loop: loop), Alarm(loop: loop), Alarm(loop: loop), Alarm(loop: loop)]
        alarms[0].setDeadline(afterMilliseconds: 3_600_000)
        alarms[1].setDeadline(afterMilliseconds: 10)
        alarms[1].everyMilliseconds = 10
        // Moved later than it was armed for; forgotten.
        alarms[2].setDeadline(afterMilliseconds: 5)
        alarms[2].setDeadline(afterMilliseconds: 25)
        alarms[3].setDeadline(afterMilliseconds: 5)
        alarms[3].clearDeadline()
        loop.advance(milliseconds: 30)
        let called = alarms.map { $0.calls.map { ($0 - start) / 1_000_000 } }
        #expect(called == [[], [10, 20, 30], [25], []])
        alarms[1].everyMilliseconds = 0
        loop.advance(milliseconds: 3_600_000 - 31)
        #expect(alarms[0].calls.isEmpty)
        loop.advance(milliseconds: 1)
        #expect(alarms[0].calls.count == 1)
    }
}
