import Logging
import WeirEngine

/// The way out: readiness fails, accepting goes on for the delay, connections end, at the latest at the deadline.
///
/// Control thread only. A second request ends everything at once.
final class Shutdown {
    private enum Phase {
        case running
        /// Still accepting, so that those who route to us have time to notice.
        case delaying(ControlWatch)
        case draining(DrainHandle, deadline: ControlWatch)
        case ended
    }

    private let options: ServerOptions
    private let engine: Engine
    private let status: ServerStatus
    private let loop: ControlLoop
    private let log: Logger
    private var phase = Phase.running

    init(options: ServerOptions, engine: Engine, status: ServerStatus, loop: ControlLoop, log: Logger) {
        self.options = options
        self.engine = engine
        self.status = status
        self.loop = loop
        self.log = log
    }

    /// Begins, or cuts short what was begun.
    func request(_ reason: String) {
        switch phase {
        case .running: begin(reason)
        case .delaying(let watch):
            watch.cancel()
            log.notice("shutting down at once", metadata: ["reason": "\(reason)"])
            end()
        case .draining(let drain, let deadline):
            deadline.cancel()
            log.notice("shutting down at once", metadata: ["reason": "\(reason)"])
            drain.giveUp()
        case .ended: break
        }
    }

    /// A successor serves at the listeners of these slots: drains at once, as there is nobody who has yet to notice.
    ///
    /// Readiness fails only where the successor does not answer for it.
    func handOver(_ slots: Set<Int>, failsReadiness: Bool) {
        switch phase {
        case .running: break
        case .delaying(let watch): watch.cancel()
        case .draining, .ended: return
        }
        log.notice("shutting down", metadata: ["reason": "taken over", "deadline": "\(options.drainSeconds)s"])
        if failsReadiness { status.startedDraining() }
        drain(handedOver: slots)
    }

    /// Nothing happens afterwards, whatever is requested.
    func stop() {
        switch phase {
        case .running, .ended: break
        case .delaying(let watch), .draining(_, let watch): watch.cancel()
        }
        phase = .ended
    }

    private func begin(_ reason: String) {
        log.notice(
            "shutting down",
            metadata: [
                "reason": "\(reason)", "delay": "\(options.drainDelaySeconds)s", "deadline": "\(options.drainSeconds)s",
            ])
        status.startedDraining()
        guard options.drainDelaySeconds > 0 else { return drain() }
        phase = .delaying(loop.schedule(after: options.drainDelaySeconds) { [unowned self] in drain() })
    }

    private func drain(handedOver slots: Set<Int> = []) {
        let me = ControlBound(self)
        let handle = loop.handle
        let drain = engine.beginDrain(handedOver: slots) { handle.post { me.value.drained() } }
        let deadline = loop.schedule(after: options.drainSeconds) { [unowned self] in
            log.warning("the drain deadline has passed; cutting what is left")
            drain.giveUp()
        }
        phase = .draining(drain, deadline: deadline)
    }

    private func drained() {
        guard case .draining(_, let deadline) = phase else { return }
        deadline.cancel()
        end()
    }

    private func end() {
        phase = .ended
        loop.handle.stop()
    }
}
