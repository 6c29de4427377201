/// The limits of a cluster as one worker keeps to them: what it has taken of what all workers may have together, and the requests
/// that wait for a connection.
///
/// A connection keeps its permit until it has closed. The permit then goes to whoever waits longest, in this worker or another; it
/// is free only when nobody waits. So no worker starves, and what came later overtakes nobody. Loop thread only; its worker keeps
/// it, by the cluster's id, for as long as it lives.
final class CircuitBreaker {
    /// A connection that a request has left serves those that wait for this endpoint in this worker, as long as nobody has
    /// waited so much longer that it is worth another connection.
    static let patienceMilliseconds = 5
    /// As above, for connections that carry many requests: they end one by one before the connection can close.
    static let sharedPatienceMilliseconds = 50

    let clusterID: Int32
    let shared: ClusterShared
    private let counters: LimitCounters
    /// Owns this.
    private unowned let host: ServerHost
    private let worker: Int
    private(set) var limits: ClusterLimits
    /// Those of the worker's cluster now; cleared before it goes.
    private var cluster: Borrowed<Cluster>?
    /// Retains what is in it.
    private var queue = PendingQueue(.cluster)
    /// Connections of this worker that wait for a request.
    private var idle = 0
    /// The worker is known to wait, or was until another sent it a permit.
    private var isAnnounced = false

    init(host: ServerHost, plan: ClusterPlan, shared: ClusterShared) {
        precondition(host.workerIndex < shared.workers, "a worker that its cluster does not know of")
        self.host = host
        self.shared = shared
        counters = shared.limits
        worker = host.workerIndex
        clusterID = plan.id
        limits = plan.spec.limits
    }

    /// The worker's cluster, or a newer plan of it.
    func adopt(_ newer: ClusterLimits, of cluster: Cluster) {
        self.cluster = Borrowed(cluster)
        limits = newer
        while counters.connections.now > limits.connections, cluster.closeIdle() {}
        // Connections that count from now on may be what another waits for.
        connectionWanted()
        // There may be room now.
        if !queue.isEmpty { announce() }
    }

    /// The worker's cluster goes; its connections, and those who wait, go on to their ends.
    func clusterLeft() { cluster = nil }

    // MARK: Requests

    /// Whether one request more may be on a connection; it is until `requestOver`.
    func admitRequest() -> Bool { take(counters.requests, upTo: limits.requests, .request) }

    func requestOver() { counters.requests.give() }

    /// Whether one request more may wait for a connection; it does until `pendingOver`.
    func admitPending() -> Bool { take(counters.pending, upTo: limits.pending, .pending) }

    func pendingOver() { counters.pending.give() }

    /// Whether one request more may be tried again; it is until `retryOver`.
    func admitRetry() -> Bool {
        let requests = limits.retryBudget == nil ? 0 : counters.requestsUnderWay
        return take(counters.retries, upTo: limits.retries(beside: requests), .retry)
    }

    func retryOver() { counters.retries.give() }

    private func take(_ count: SharedCount, upTo limit: Int, _ kind: LimitOverflows.Kind) -> Bool {
        if count.take(upTo: limit) { return true }
        counters.overflows.count(kind)
        return false
    }

    /// A connection that carries this was there before there was a limit.
    func note(connections: Int, requests: Int) {
        counters.connections.add(connections)
        counters.requests.add(requests)
    }

    /// Requests that wait for a connection are bounded: whether one is established is worth knowing at once.
    var limitsPending: Bool { limits.pending != .max }

    // MARK: Connections

    private func takeConnection() -> Bool { counters.connections.take(upTo: limits.connections) }

    /// A permit to open a connection, given back by `connectionOver`; without one, the request has to `wait`.
    func admitConnection() -> Bool {
        guard queue.isEmpty else { return false }
        if takeConnection() { return true }
        // One that leads to another endpoint, or to this one in another way.
        return closeIdle() && takeConnection()
    }

    /// As above, for a connection whose bytes pass through: it does not wait.
    func admitStream() -> Bool {
        if admitConnection() { return true }
        counters.overflows.count(.connection)
        return false
    }

    private func closeIdle() -> Bool { idle > 0 && cluster?.with { $0.closeIdle() } ?? false }

    /// A connection has closed, or could not be opened: its permit is for whoever waits longest.
    func connectionOver() {
        while true {
            if counters.connections.now <= limits.connections, passOn() { return }
            counters.connections.give()
            // Whoever began to wait since the look above may have found all permits taken.
            guard isAnybodyWaiting, takeConnection() else { return }
        }
    }

    /// Hands a permit to whoever waits longest; `false` when nobody waits.
    private func passOn() -> Bool {
        while let other = counters.waiting.longest(besides: worker) {
            if let own = queue.since, own <= other.since { break }
            // Unless yet another worker has sent it one meanwhile.
            guard counters.waiting.end(other.worker) else { continue }
            host.passConnection(of: self, to: other.worker)
            return true
        }
        guard !queue.isEmpty else { return false }
        // Not at once: whoever closes connections does not expect others to open.
        host.passConnection(of: self, to: worker)
        return true
    }

    private var isAnybodyWaiting: Bool { !queue.isEmpty || counters.waiting.longest(besides: worker) != nil }

    // MARK: Connections without a request

    /// A connection begins or ends to wait for a request; `false` when it should not wait: it is wanted elsewhere.
    @discardableResult
    func idleChanged(by step: Int) -> Bool {
        idle += step
        counters.waiting.setIdle(idle, worker)
        // Whoever began to wait before it was said that there is one to spare has not found it.
        return step < 0 || counters.waiting.longest(besides: worker) == nil
    }

    /// What becomes of a connection that a request has left.
    enum Next {
        case park
        /// It goes on with this one.
        case serve(PendingStream)
        /// It is in the way of another.
        case close
    }

    func next(at pool: BoundPool) -> Next {
        guard counters.connections.now <= limits.connections else { return .close }
        let other = longestWait(besides: pool)
        guard let first = pool.waiting.first?.takeUnretainedValue() else { return other == nil ? .park : .close }
        guard let other, other < first.since, first.since - other > UInt64(Self.patienceMilliseconds) * 1_000_000 else {
            return .serve(first)
        }
        return .close
    }

    /// When the longest wait began of those that a connection of this pool cannot end; `nil` without any.
    private func longestWait(besides pool: BoundPool) -> UInt64? {
        var longest = counters.waiting.longest(besides: worker)?.since
        if let first = queue.first, first._withUnsafeGuaranteedRef({ $0.pool !== pool }) {
            let own = first._withUnsafeGuaranteedRef { $0.since }
            longest = min(longest ?? own, own)
        }
        return longest
    }

    /// Whether a connection that carries many requests should end, for the sake of those that it cannot serve.
    func wantsEnd(of pool: BoundPool) -> Bool {
        guard counters.connections.now >= limits.connections, let longest = longestWait(besides: pool) else {
            return false
        }
        return host.loop.now > longest + UInt64(Self.sharedPatienceMilliseconds) * 1_000_000
    }

    // MARK: Waiting

    /// A request waits at a pool, with a permit to do so, which it keeps.
    func wait(at pool: BoundPool, _ sink: Borrowed<MessageSink>) -> PendingStream {
        let stream = PendingStream(pool, self, sink: sink)
        counters.overflows.count(.connection)
        _ = Unmanaged.passRetained(stream)
        counters.queued.add()
        queue.append(stream)
        pool.waiting.append(stream)
        if queue.count == 1 { announce() }
        return stream
    }

    /// A request waits no more; its permit to wait is the caller's.
    func take(_ stream: PendingStream) {
        queue.remove(stream)
        counters.queued.give()
        stream.pool.waiting.remove(stream)
        // The caller may still be using what only this reference keeps alive.
        host.loop.releaseLater(stream)
        Unmanaged.passUnretained(stream).release()
        if let since = queue.since { return counters.waiting.note(since: since, worker) }
        guard isAnnounced else { return }
        isAnnounced = false
        // If another worker was first, its permit is on the way and finds nobody.
        _ = counters.waiting.end(worker)
    }

    /// A request is not wanted any more.
    func leave(_ stream: PendingStream) {
        take(stream)
        pendingOver()
        stream.pool.waiterLeft()
    }

    /// Makes known that this worker waits, and looks once more for a permit that nobody would bring.
    private func announce() {
        guard let since = queue.since else { return }
        isAnnounced = true
        counters.waiting.begin(since: since, worker)
        if takeConnection() { return host.passConnection(of: self, to: worker) }
        if let holder = counters.waiting.holder(besides: worker) { host.askForConnection(of: self, worker: holder) }
    }

    /// A permit has come for one of those that wait.
    func granted() {
        while let first = queue.first?.takeUnretainedValue() {
            guard first.pool.open(for: first, self) else { continue }
            return announce()
        }
        connectionOver()
    }

    /// Another worker waits, and has seen that this one has a connection to spare.
    func connectionWanted() {
        guard counters.waiting.longest(besides: worker) != nil, !closeIdle(), idle == 0 else { return }
        // It is in use again, or went to another who asked: who waits has asked nobody else. This comes to an end, as no further
        // connection begins to wait for a request while it is known that somebody waits.
        if let holder = counters.waiting.holder(besides: worker) { host.askForConnection(of: self, worker: holder) }
    }

    /// The worker ends: whoever still waits is told.
    func closeAll() {
        while let first = queue.first?.takeUnretainedValue() {
            take(first)
            pendingOver()
            first.fail(ProxyError(source: .internal, cause: .cancelled))
        }
    }
}
