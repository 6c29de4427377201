/// What an exchange has to remember so that a request can be sent again, and be given up in time.
///
/// A request that needs neither costs it nothing but `begin`.
struct Tries: ~Copyable {
    /// The route's policies; the pinned generation's, and forgotten with it.
    private(set) var route: UnsafePointer<RoutePlan>?
    var replay = ReplayBuffer()
    private var tried = TriedEndpoints()
    private var headers = TryHeaders()
    /// Milliseconds the request may take; 0 = no limit.
    private var timeout: UInt64 = 0
    /// Monotonic nanoseconds when that is over; 0 before it began.
    private var timeoutAt: UInt64 = 0
    private var timer: ExchangeTimer?
    private var isTimed = false
    /// Monotonic nanoseconds when the last bytes passed through the tunnel.
    private var lastPassedAt: UInt64 = 0

    /// A request takes this route.
    mutating func begin(_ route: UnsafePointer<RoutePlan>, _ head: RequestHead) {
        self.route = route
        timeout = 0
        timeoutAt = 0
        let routeTimeout = route.pointee.timeoutMilliseconds
        guard routeTimeout != 0 || head.isGRPC || head.isGRPCWeb else { return }
        timeout = RequestTimeout.effective(route: routeTimeout, head)
        guard timeout != 0 else { return }
        headers = TryHeaders()
        headers.announce(timeout: timeout, in: head)
    }

    /// The generation that routed the request is let go.
    mutating func forgetRoute() { route = nil }

    // MARK: Decisions

    /// Whether the route wants another try after this.
    func repeats(_ error: ProxyError) -> Bool { route?.pointee.retry.repeats(error) ?? false }

    func repeats(_ head: ResponseHead) -> Bool {
        guard let route, route.pointee.retry.concerns(head) else { return false }
        return route.pointee.retry.repeats(head)
    }

    // MARK: Further tries

    /// An endpoint has failed the request for the first or a further time.
    mutating func note(_ endpoint: Borrowed<Endpoint>?, attempt: Int32) {
        if attempt == 1 { tried.reset() }
        endpoint?.with { tried.add($0) }
    }

    /// An endpoint for a further try.
    func pick(from cluster: Cluster, key: UInt64, _ random: inout FastRandom) -> Unmanaged<Endpoint>? {
        guard let route, route.pointee.retry.avoidsTried else { return cluster.pick(key: key, &random) }
        return cluster.pick(key: key, avoiding: tried, &random)
    }

    /// Makes the head that of a further try.
    mutating func prepare(_ head: RequestHead, attempt: Int32, now: UInt64) {
        // `begin` has not needed them without a timeout.
        if attempt == 2, timeout == 0 { headers = TryHeaders() }
        headers.number(attempt, in: head)
        guard timeout != 0 else { return }
        let left = timeoutAt == 0 ? timeout : timeoutAt > now ? (timeoutAt - now) / 1_000_000 : 0
        // Zero would be no limit at all.
        headers.announce(timeout: max(left, 1), in: head)
    }

    // MARK: Times

    /// The request has arrived whole: from now on its timeout runs.
    mutating func requestEnded(_ exchange: Exchange, _ loop: Loop) {
        guard timeout != 0 else { return }
        timeoutAt = RequestTimeout.deadline(after: timeout, now: loop.now)
        timer(exchange, loop).setTimeout(timeoutAt)
    }

    /// Waits before the next try; `retry` counts from 1.
    mutating func wait(before retry: Int32, _ exchange: Exchange, _ worker: Worker) {
        guard let route else { return }
        let wait = route.pointee.retry.backOff(before: retry, random: &worker.random)
        timer(exchange, worker.loop).setRetry(worker.loop.now + wait * 1_000_000)
    }

    // MARK: Tunnels

    /// The upstream has agreed: the route's timeout is met, and from now on only silence is timed.
    mutating func tunnelBegan(_ exchange: Exchange, _ loop: Loop) {
        timeout = 0
        timer?.clear()
        lastPassedAt = loop.now
        timer(exchange, loop).setIdle(lastPassedAt + Self.silence)
    }

    mutating func passed(at now: UInt64) { lastPassedAt = now }

    /// The moment has come that `setIdle` named; `false` when there were bytes meanwhile.
    mutating func isSilent(_ exchange: Exchange, _ loop: Loop) -> Bool {
        guard lastPassedAt + Self.silence > loop.now else { return true }
        timer(exchange, loop).setIdle(lastPassedAt + Self.silence)
        return false
    }

    private static var silence: UInt64 { UInt64(TunnelLimits.idleMilliseconds) * 1_000_000 }

    private mutating func timer(_ exchange: Exchange, _ loop: Loop) -> ExchangeTimer {
        isTimed = true
        if let timer { return timer }
        let made = ExchangeTimer(exchange, loop: loop)
        timer = made
        return made
    }

    /// The request is over.
    mutating func end(_ host: ServerHost) {
        if isTimed {
            isTimed = false
            timer?.clear()
        }
        if !replay.isEmpty { replay.drop(host) }
    }
}
