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
    /// When a tunnel may have been silent for too long, likewise.
    private var idle: UInt64 = 0

    init(_ exchange: Exchange, loop: Loop) {
        self.exchange = Borrowed(exchange)
        super.init(loop: loop)
    }

    func setTimeout(_ moment: UInt64) {
        timeout = moment
        setEarliest()
    }

    func setRetry(_ moment: UInt64) {
        retry = moment
        setEarliest()
    }

    func setIdle(_ moment: UInt64) {
        idle = moment
        setEarliest()
    }

    /// The request is over, or has become a tunnel.
    func clear() {
        timeout = 0
        retry = 0
        idle = 0
        clearDeadline()
    }

    private func setEarliest() {
        let earliest = timeout == 0 ? retry : retry == 0 ? timeout : min(timeout, retry)
        // A tunnel has neither a timeout nor further tries.
        if earliest != 0 || idle != 0 { setDeadline(earliest != 0 ? earliest : idle) }
    }

    override func deadlinePassed() {
        if idle != 0 {
            idle = 0
            return exchange.with { $0.tunnelSilent() }
        }
        if timeout != 0, timeout <= loop.now {
            clear()
            return exchange.with { $0.timeoutPassed() }
        }
        retry = 0
        setEarliest()
        exchange.with { $0.waitPassed() }
    }
}
