/// The moments one exchange waits for, on one lazy timer.
///
/// Made when an exchange first has something to wait for, and kept with it for its later requests. Loop thread only.
final class ExchangeTimer: LoopSource {
    /// It owns this timer.
    private let exchange: Borrowed<Exchange>
    /// When the route's timeout passes, in monotonic nanoseconds; 0 = it has none.
    private var timeout: UInt64 = 0
    /// When the wait before a retry passes, likewise.
    private var retry: UInt64 = 0
    /// When the try under way has taken as long as a try may, likewise.
    private var attempt: UInt64 = 0
    /// When a tunnel may have been silent for too long, likewise.
    private var idle: UInt64 = 0

    init(_ exchange: Exchange, loop: Loop) {
        self.exchange = Borrowed(exchange)
        super.init(loop: loop)
    }

    func setTimeout(_ moment: UInt64) {
        timeout = moment
        setDeadline(noLaterThan: moment)
    }

    func setRetry(_ moment: UInt64) {
        retry = moment
        setDeadline(noLaterThan: moment)
    }

    func setTry(_ moment: UInt64) {
        attempt = moment
        setDeadline(noLaterThan: moment)
    }

    /// The try is over, or its answer has begun; the timer may find nothing to do at its moment.
    func clearTry() { attempt = 0 }

    func setIdle(_ moment: UInt64) {
        idle = moment
        setDeadline(noLaterThan: moment)
    }

    /// The request is over, or has become a tunnel.
    func clear() {
        timeout = 0
        retry = 0
        attempt = 0
        idle = 0
        clearDeadline()
    }

    private func setEarliest() {
        // A tunnel has neither a timeout nor further tries.
        var earliest = idle == 0 ? UInt64.max : idle
        if timeout != 0 { earliest = min(earliest, timeout) }
        if retry != 0 { earliest = min(earliest, retry) }
        if attempt != 0 { earliest = min(earliest, attempt) }
        if earliest != .max { setDeadline(earliest) }
    }

    override func deadlinePassed() {
        if hasPassed(idle) {
            idle = 0
            return exchange.with { $0.tunnelSilent() }
        }
        if hasPassed(timeout) {
            clear()
            return exchange.with { $0.timeoutPassed() }
        }
        let (waitHasPassed, tryHasTimedOut) = (hasPassed(retry), hasPassed(attempt))
        if waitHasPassed { retry = 0 }
        if tryHasTimedOut { attempt = 0 }
        setEarliest()
        // There is no wait beside a try.
        if waitHasPassed { return exchange.with { $0.waitPassed() } }
        if tryHasTimedOut { exchange.with { $0.tryTimedOut() } }
    }

    private func hasPassed(_ moment: UInt64) -> Bool { moment != 0 && moment <= loop.now }
}
