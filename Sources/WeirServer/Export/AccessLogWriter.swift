import CWeir
import Glibc
package import Logging
import Synchronization
package import WeirEngine
import WeirSources

/// Carries the workers' lines to the access log's target, on a thread of its own.
///
/// No worker ever waits for it: what it cannot write in time the workers drop and count. `reopen` and `stop` belong to the
/// control thread, the counters to anyone.
package final class AccessLogWriter: Sendable {
    /// How long a line may wait in a ring that is not half full, in milliseconds.
    static let intervalMilliseconds: Int32 = 100
    /// How long the end of the process waits for what is queued, in seconds.
    static let flushSeconds = 2.0
    /// Seconds between two messages about a target that cannot be written.
    static let complaintSeconds = 60.0

    private let accessLog: AccessLog
    private let target: AccessLogTarget
    private let log: Logger
    private let wantsReopen = Atomic(false)
    private let wantsStop = Atomic(false)
    private let lost = Atomic(0)
    /// Readable when the thread has ended.
    private let ended: Int32

    /// Opens the target; fails where that fails.
    package init(_ accessLog: AccessLog, target: AccessLogTarget, log: Logger) throws(SocketError) {
        self.accessLog = accessLog
        self.target = target
        self.log = log
        ended = weir_eventfd()
        guard ended >= 0 else { throw SocketError(operation: "eventfd", code: errno) }
        let opened: LogTarget
        do throws(SocketError) {
            opened = try LogTarget(target)
        } catch {
            close(ended)
            throw error
        }
        start(opened)
    }

    deinit { close(ended) }

    /// Lines that were lost because the target could not be written.
    package var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Opens the target's name again, so that a file moved away is let go; the old one stays where that fails.
    package func reopen() {
        guard case .file = target else { return }
        wantsReopen.store(true, ordering: .releasing)
        wake()
    }

    /// Writes what is queued, for two seconds at most, and ends; the workers must have ended.
    package func stop() {
        wantsStop.store(true, ordering: .releasing)
        wake()
        var question = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
        // The thread keeps its own deadline; one that the kernel holds in a write is left behind.
        let limit = Int32((Self.flushSeconds + 0.5) * 1000)
        if poll(&question, 1, limit) == 0 { log.error("the access log cannot be written; what is queued is lost") }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(accessLog.wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    private func start(_ opened: consuming LogTarget) {
        let session = AccessLogSession(accessLog, opened)
        BackgroundThread.start { [self] in
            weir_name_thread("access-log")
            run(session)
            var one: UInt64 = 1
            _ = write(ended, &one, MemoryLayout<UInt64>.size)
        }
    }

    /// The thread's whole life.
    private func run(_ session: AccessLogSession) {
        var deadline: Double?
        var complainedAt: Double?
        var lostSince = 0
        while true {
            if wantsReopen.exchange(false, ordering: .acquiringAndReleasing) { reopen(session) }
            // Asked before writing, so that what came before the stop is seen.
            let isStopping = wantsStop.load(ordering: .acquiring)
            let outcome = session.writeWaiting()
            if let failure = outcome.failure {
                lost.add(outcome.lostLines, ordering: .relaxed)
                lostSince += outcome.lostLines
                if SystemClock.now - (complainedAt ?? -.infinity) >= Self.complaintSeconds {
                    log.error(
                        "the access log cannot be written: \(String(cString: strerror(failure)))",
                        metadata: ["target": "\(name)", "lines-lost": "\(lostSince)"])
                    complainedAt = SystemClock.now
                    lostSince = 0
                }
            }
            if isStopping {
                let limit = deadline ?? SystemClock.now + Self.flushSeconds
                deadline = limit
                if !outcome.isFull || SystemClock.now >= limit { return finish(session) }
            }
            session.wait(isFull: outcome.isFull, milliseconds: Self.intervalMilliseconds)
        }
    }

    private func finish(_ session: AccessLogSession) {
        let left = session.dropWaiting()
        guard left > 0 else { return }
        lost.add(left, ordering: .relaxed)
        log.error("the access log was not written to its end", metadata: ["lines-lost": "\(left)"])
    }

    private func reopen(_ session: AccessLogSession) {
        do throws(SocketError) {
            lost.add(session.replaceTarget(try LogTarget(target)), ordering: .relaxed)
            log.info("access log opened again", metadata: ["target": "\(name)"])
        } catch {
            log.error(
                "the access log cannot be opened again, the file that was open goes on: \(error)",
                metadata: ["target": "\(name)"])
        }
    }

    private var name: String {
        switch target {
        case .standardOutput: "standard output"
        case .file(let path): path
        }
    }
}
