import Glibc
import WeirEngine

/// Repeats a loop until the numbers mean something.
enum Stopwatch {
    private static let samples = 9
    private static let sampleNanoseconds = 30_000_000.0

    struct Result {
        /// Of one repetition, median of the samples: CPU time of this thread, so that other programs do not count.
        var nanoseconds: Double
        /// Distance between the fastest and the slowest sample, over the median.
        var spread: Double
        /// Of one repetition, or `nil` when nobody counts.
        var allocations: Double?
    }

    static func measure(_ loop: HotLoop) -> Result {
        let repetitions = repetitionsOfASample(loop)
        let before = allocationsSoFar()
        let times = (0..<samples).map { _ in time(loop, repetitions) / Double(repetitions) }.sorted()
        let median = times[samples / 2]
        var result = Result(nanoseconds: median, spread: (times[samples - 1] - times[0]) / median)
        if let before, let after = allocationsSoFar() {
            result.allocations = Double(after - before) / Double(samples * repetitions)
        }
        return result
    }

    /// Also warms up what the loop uses.
    private static func repetitionsOfASample(_ loop: HotLoop) -> Int {
        var repetitions = 10_000
        while true {
            let elapsed = time(loop, repetitions)
            if elapsed > sampleNanoseconds / 4 {
                return max(Int(Double(repetitions) * sampleNanoseconds / elapsed), 1)
            }
            repetitions *= 4
        }
    }

    private static func time(_ loop: HotLoop, _ repetitions: Int) -> Double {
        let begin = threadNanoseconds()
        let sum = loop.run(repetitions)
        let elapsed = threadNanoseconds() - begin
        precondition(sum != .max, "no sum of results gets there")
        return Double(elapsed)
    }

    private static func threadNanoseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return now.tv_sec * 1_000_000_000 + now.tv_nsec
    }

    /// Whether allocations are counted; traps when a library is preloaded that misses one.
    static func countsAllocations() -> Bool {
        guard let before = allocationsSoFar() else { return false }
        // The optimizer drops a malloc whose block nobody uses, but not this.
        var block: UnsafeMutableRawPointer?
        let status = posix_memalign(&block, 64, 64)
        defer { free(block) }
        precondition(status == 0 && allocationsSoFar() == before + 1, "the preloaded library counts wrongly")
        return true
    }

    /// What the preloaded library has counted, or `nil` without it.
    private static func allocationsSoFar() -> UInt? {
        guard let symbol = dlsym(nil, "weir_malloc_count") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) () -> UInt).self)()
    }
}
