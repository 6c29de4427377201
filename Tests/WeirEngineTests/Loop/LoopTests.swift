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
        #expect(called == [[], [10, 20, 30], [25], []] && loop.timerCount == 2)
        alarms[1].everyMilliseconds = 0
        loop.advance(milliseconds: 3_600_000 - 31)
        #expect(alarms[0].calls.isEmpty)
        loop.advance(milliseconds: 1)
        #expect(alarms[0].calls.count == 1)
    }

    @Test func theLoopWakesUpForEachTimerAndForNoneThatWasRemoved() {
        let loop = Loop()
        let alarms = (0..<40).map { _ in Alarm(loop: loop) }
        for (index, alarm) in alarms.enumerated() { alarm.setDeadline(afterMilliseconds: (index * 7) % 20) }
        for alarm in alarms.prefix(20) { alarm.detach() }
        while alarms.suffix(20).contains(where: { $0.calls.isEmpty }) { loop.tick(wait: true) }
        #expect(alarms.prefix(20).allSatisfy { $0.calls.isEmpty })
        #expect(alarms.suffix(20).allSatisfy { $0.calls.count == 1 } && loop.timerCount == 0)
    }

    @Test func aTimerSetWhileOthersGoIsCalledToo() {
        let loop = Loop()
        let alarm = Alarm(loop: loop)
        alarm.everyMilliseconds = 1
        alarm.setDeadline(afterMilliseconds: 0)
        while alarm.calls.count < 3 { loop.tick(wait: true) }
        #expect(zip(alarm.calls, alarm.calls.dropFirst()).allSatisfy { $1 >= $0 + 1_000_000 })
    }

    @Test func theEarliestTimerIsFirstWhateverIsSetMovedAndRemoved() {
        let loop = Loop()
        let alarms = (0..<60).map { _ in Alarm(loop: loop) }
        var timers = LoopTimers()
        var expected: [Int: UInt64] = [:]
        var random = FastRandom(seed: 7)
        for _ in 0..<20_000 {
            let place = Int(random.below(UInt32(alarms.count)))
            switch random.below(4) {
            case 0:
                timers.remove(alarms[place])
                expected[place] = nil
            case 1:
                let moment = UInt64(random.below(1000))
                guard let due = timers.takeDue(moment)?.takeUnretainedValue() else {
                    #expect(expected.values.allSatisfy { $0 > moment })
                    continue
                }
                let taken = alarms.firstIndex { $0 === due } ?? -1
                #expect(expected[taken] == expected.values.min())
                expected[taken] = nil
            default:
                let moment = UInt64(random.below(1000))
                timers.set(alarms[place], moment)
                expected[place] = moment
            }
            #expect(timers.earliest == expected.values.min() && timers.count == expected.count)
        }
        for alarm in alarms { timers.remove(alarm) }
        #expect(timers.count == 0 && alarms.allSatisfy { $0.timerPlace == -1 })
    }
}
