/// What an exchange has to remember so that a request can be sent again, and be given up in time.
///
/// A request that needs neither costs it nothing but `begin`.
struct Tries: ~Copyable {
    /// The route's policies; the pinned generation's, and forgotten with it.
    private(set) var route: UnsafePointer<RoutePlan>?
    var replay = ReplayBuffer()
    private var tried = TriedEndpoints()
    private var triedPriorities = TriedPriorities()
    private var headers = TryHeaders()
    /// Milliseconds the request may take; 0 = no limit.
    private(set) var timeout: UInt64 = 0
    /// Milliseconds that one try may take, likewise; not as many as `timeout`.
    private var tryTimeout: UInt64 = 0
    /// Monotonic nanoseconds when that is over; 0 before it began.
    private var timeoutAt: UInt64 = 0
    /// Bytes of the request were on their way to an upstream, on this try or an earlier one.
    private var hasSent = false
    /// Counts a further try of this request; its worker keeps it for as long as it lives.
    private var permit: Borrowed<CircuitBreaker>?
    private var timer: ExchangeTimer?
    /// The same, to be called without counting.
    private var clock: Borrowed<ExchangeTimer>?
    private var isTimed = false
    /// Monotonic nanoseconds when the last bytes passed through the tunnel.
    private var lastPassedAt: UInt64 = 0

    /// A request takes this route.
    mutating func begin(_ route: UnsafePointer<RoutePlan>, _ head: RequestHead) {
        self.route = route
        timeout = 0
        tryTimeout = 0
        timeoutAt = 0
        hasSent = false
        let limits = route.pointee.timeoutMilliseconds | route.pointee.retry.tryTimeoutMilliseconds
        guard limits != 0 || head.isGRPC || head.isGRPCWeb else { return }
        limit(head, route.pointee.timeoutMilliseconds, oneTry: UInt64(route.pointee.retry.tryTimeoutMilliseconds))
    }

    private mutating func limit(_ head: RequestHead, _ routeTimeout: UInt32, oneTry: UInt64) {
        timeout = RequestTimeout.effective(route: routeTimeout, head)
        if timeout == 0 || oneTry < timeout { tryTimeout = oneTry }
        guard isLimited else { return }
        headers = TryHeaders()
        headers.announce(timeout: limit(left: timeout), in: head)
    }

    private var isLimited: Bool { timeout != 0 || tryTimeout != 0 }

    /// Milliseconds that a try has which begins when so many are left to the request; 0 = no limit.
    private func limit(left: UInt64) -> UInt64 {
        tryTimeout == 0 ? left : timeout == 0 ? tryTimeout : min(tryTimeout, left)
    }

    /// The generation that routed the request is let go: there is no further try.
    mutating func forgetRoute() {
        route = nil
        stopTryClock()
        retryOver()
    }

    /// The request is held in front of its first try.
    ///
    /// `route`: `nil` when it leads to no cluster.
    mutating func hold(
        _ route: UnsafePointer<RoutePlan>?, milliseconds: UInt64, _ exchange: Exchange, _ loop: Loop
    ) {
        self.route = route
        let moment = RequestTimeout.deadline(after: milliseconds, now: loop.now)
        clock(exchange, loop).with { $0.setRetry(moment) }
    }

    // MARK: Decisions

    /// Whether the route wants another try after this.
    mutating func repeats(_ error: ProxyError) -> Bool {
        if error.wasSent { hasSent = true }
        return route?.pointee.retry.repeats(error) ?? false
    }

    mutating func repeats(_ head: ResponseHead) -> Bool {
        guard let route, route.pointee.retry.concerns(head) else { return false }
        hasSent = true
        return route.pointee.retry.repeats(head)
    }

    /// The route wants no second try of what must not be done twice, and may have been done.
    func sparesRepeating(_ head: RequestHead) -> Bool {
        hasSent && !head.method.isIdempotent && (route?.pointee.retry.sparesUnsafe ?? false)
    }

    /// Whether one more of the cluster's requests may be tried again; this one then counts until `retryOver`.
    mutating func admitRetry(_ breaker: CircuitBreaker) -> Bool {
        guard breaker.admitRetry() else { return false }
        permit = Borrowed(breaker)
        return true
    }

    /// The further try, if it was one, is over.
    mutating func retryOver() {
        guard let permit else { return }
        self.permit = nil
        permit.with { $0.retryOver() }
    }

    // MARK: Further tries

    /// An endpoint has failed the request for the first or a further time.
    mutating func note(_ endpoint: Borrowed<Endpoint>?, attempt: Int32) {
        if attempt == 1 {
            tried.reset()
            triedPriorities.reset()
        }
        endpoint?.with { endpoint in
            tried.add(endpoint)
            triedPriorities.add(endpoint.priority)
        }
    }

    /// An endpoint for a further try.
    mutating func pick(from cluster: Cluster, key: UInt64, _ random: inout FastRandom) -> Unmanaged<Endpoint>? {
        guard let route else { return cluster.pick(key: key, &random) }
        // With no other left, the search begins anew.
        if triedPriorities.excluded != 0, !cluster.serves(without: triedPriorities.excluded) { triedPriorities.reset() }
        let excluded = route.pointee.retry.leavesTriedPriorities ? triedPriorities.excluded : 0
        guard route.pointee.retry.avoidsTried else { return cluster.pick(key: key, excluded: excluded, &random) }
        return cluster.pick(key: key, avoiding: tried, excluded: excluded, &random)
    }

    /// Makes the head that of a further try.
    mutating func prepare(_ head: RequestHead, attempt: Int32, now: UInt64) {
        // `begin` has not needed them without a timeout.
        if attempt == 2, !isLimited { headers = TryHeaders() }
        headers.number(attempt, in: head)
        guard isLimited else { return }
        let left = timeoutAt == 0 ? timeout : timeoutAt > now ? (timeoutAt - now) / 1_000_000 : 0
        // Zero would be no limit at all.
        headers.announce(timeout: max(limit(left: left), 1), in: head)
    }

    // MARK: Times

    /// The request has arrived whole: from now on its timeout runs.
    mutating func requestEnded(_ exchange: Exchange, _ loop: Loop) {
        guard timeout != 0 else { return }
        let moment = RequestTimeout.deadline(after: timeout, now: loop.now)
        timeoutAt = moment
        clock(exchange, loop).with { $0.setTimeout(moment) }
    }

    /// One try may take so long only.
    var limitsTries: Bool { tryTimeout != 0 }

    /// The request is whole, and there is a connection for it: from now on the try's own time runs.
    mutating func tryBegan(_ exchange: Exchange, _ loop: Loop) {
        let moment = RequestTimeout.deadline(after: tryTimeout, now: loop.now)
        clock(exchange, loop).with { $0.setTry(moment) }
    }

    /// The try is over, its answer has begun, or it has to wait for another connection.
    func stopTryClock() { if tryTimeout != 0 { timer?.clearTry() } }

    /// Waits before the next try; `retry` counts from 1.
    mutating func wait(before retry: Int32, _ exchange: Exchange, _ worker: Worker) {
        guard let route else { return }
        let wait = route.pointee.retry.backOff(before: retry, random: &worker.random)
        let moment = worker.loop.now + wait * 1_000_000
        clock(exchange, worker.loop).with { $0.setRetry(moment) }
    }

    // MARK: Tunnels

    /// The upstream has agreed: the route's timeout is met, and from now on only silence is timed.
    mutating func tunnelBegan(_ exchange: Exchange, _ loop: Loop) {
        timeout = 0
        tryTimeout = 0
        timer?.clear()
        lastPassedAt = loop.now
        listenForSilence(exchange, loop)
    }

    mutating func passed(at now: UInt64) { lastPassedAt = now }

    /// The moment has come that `setIdle` named; `false` when there were bytes meanwhile.
    mutating func isSilent(_ exchange: Exchange, _ loop: Loop) -> Bool {
        guard lastPassedAt + Self.silence > loop.now else { return true }
        listenForSilence(exchange, loop)
        return false
    }

    private mutating func listenForSilence(_ exchange: Exchange, _ loop: Loop) {
        let moment = lastPassedAt + Self.silence
        clock(exchange, loop).with { $0.setIdle(moment) }
    }

    private static var silence: UInt64 { UInt64(TunnelLimits.idleMilliseconds) * 1_000_000 }

    private mutating func clock(_ exchange: Exchange, _ loop: Loop) -> Borrowed<ExchangeTimer> {
        isTimed = true
        if let clock { return clock }
        let made = ExchangeTimer(exchange, loop: loop)
        timer = made
        let borrowed = Borrowed(made)
        clock = borrowed
        return borrowed
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
