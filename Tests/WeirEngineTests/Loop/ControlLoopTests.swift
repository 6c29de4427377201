import Glibc
import Testing

@testable import WeirEngine

@Suite struct ControlLoopTests {
    @Test func aLoopEndsWithoutTouchingWhatItFreed() {
        for _ in 0..<50 {
            let loop = ControlLoop()
            loop.handle.stop()
            loop.run()
        }
    }

    @Test func workIsDoneInTheOrderPostedAndTimersFireOnce() {
        let loop = ControlLoop()
        let done = Guarded<[Int]>([])
        let handle = loop.handle
        for number in 0..<100 { handle.post { done.withLock { $0.append(number) } } }
        var fired = 0
        let timer = loop.schedule(after: 0.01) {
            fired += 1
            handle.stop()
        }
        let cancelled = loop.schedule(after: 0.001) { fired += 100 }
        cancelled.cancel()
        loop.run()
        #expect(done.withLock { $0 } == Array(0..<100))
        #expect(fired == 1)
        timer.cancel()
    }

    @Test func aWatchMayCancelItselfWhileItIsCalled() {
        var pipes: [Int32] = [0, 0]
        precondition(pipe(&pipes) == 0)
        defer { for fd in pipes { close(fd) } }
        let loop = ControlLoop()
        var calls = 0
        var watch: ControlWatch?
        watch = loop.watch(fd: pipes[0]) {
            calls += 1
            watch?.cancel()
            watch = nil
            loop.handle.stop()
        }
        var byte: UInt8 = 1
        _ = write(pipes[1], &byte, 1)
        loop.run()
        #expect(calls == 1 && watch == nil)
    }
}
