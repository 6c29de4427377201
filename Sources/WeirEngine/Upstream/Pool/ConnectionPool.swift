/// The connections of one worker to one endpoint.
///
/// Where every request may use every connection they are in one pool; otherwise each kind of them, by protocol and the name
/// that is asked for, has its own. Loop thread only.
///
/// Not final: tests lease streams in memory.
class ConnectionPool {
    /// Idle connections kept for one endpoint and worker; one that comes back beyond is closed.
    static let maxIdle = 1024
    /// Pools without a connection that are kept for one endpoint and worker, for the sake of their TLS sessions.
    static let maxEmptyPools = 64

    final let host: ServerHost
    final private(set) var address: EndpointAddress
    /// Timeouts, and the memory a unix path in `address` is borrowed from.
    private var plan: ClusterPlan
    /// The cluster's name for the access log; valid until a newer plan is adopted.
    final private(set) var clusterName: UnsafeRawBufferPointer
    private var text: LogAddressText
    /// How long a connection waits for its next request; 0 = for ever.
    ///
    /// Here, as each request asks for it.
    final private(set) var idleTimeoutMilliseconds: Int
    /// `nil` where the cluster has no limits.
    final private(set) var breaker: CircuitBreaker?
    /// There are limits to keep to, of the cluster or of each connection.
    final private(set) var isLimited: Bool
    /// The last request that was refused would have been one too many.
    final private(set) var isFull = false
    /// Why the kernel refused the last connection outright.
    final private(set) var openError: Int32 = 0
    /// Why TLS could not be agreed on last; empty when it was not that.
    final private(set) var failureText: [UInt8] = []
    /// The one pool of plain requests, which is in `pools`; `nil` where a request has to say what it wants.
    private var only: Unmanaged<H1Pool>?
    /// By `BoundPool.key`.
    private var pools: [UInt64: BoundPool] = [:]
    /// Of former settings, until their last connection has closed.
    private var former: [BoundPool] = []
    /// So that nobody outside can choose names whose keys collide.
    private let seed: UInt64

    init(host: ServerHost, address: EndpointAddress, plan: ClusterPlan) {
        self.host = host
        self.address = address
        self.plan = plan
        clusterName = plan.name
        idleTimeoutMilliseconds = plan.idleTimeoutMilliseconds
        isLimited = plan.life.isLimited
        text = LogAddressText(address)
        seed = host.random.next()
        makeOnly()
    }

    /// The endpoint's address for the access log; valid until a newer plan is adopted.
    final var addressText: LogAddress { text.address }
    final var transportPlan: TransportPlan { plan.transport }
    final var transportProblem: [UInt8]? { plan.transportProblem }
    final var http2: HTTP2Plan { plan.http2 }
    final var connectTimeoutMilliseconds: Int { plan.connectTimeoutMilliseconds }
    final var life: ConnectionLife { plan.life }

    /// From now on the cluster's limits are kept to; what there is counts.
    final func join(_ breaker: CircuitBreaker) {
        guard self.breaker == nil else { return }
        self.breaker = breaker
        isLimited = true
        for pool in Array(pools.values) + former { pool.count(for: breaker) }
    }

    private func makeOnly() {
        guard plan.transport.isUniform, plan.transport.httpVersion == .http1, plan.transportProblem == nil else {
            only = nil
            return
        }
        let pool = H1Pool(self, key: 0, ConnectionBinding())
        pools[0] = pool
        only = Unmanaged.passUnretained(pool)
    }

    /// A newer plan has the same endpoint: connections stay, timeouts change for what comes.
    ///
    /// Connections that are made otherwise from now on finish what they carry.
    func adopt(_ newer: ClusterPlan, _ address: EndpointAddress) {
        // That of a logical endpoint changes (see `ClusterSpec.logicalName`). The former plan holds the former path.
        if address != self.address { text = LogAddressText(address) }
        self.address = address
        let isSame =
            plan.transport.isInterchangeable(with: newer.transport) && plan.transportProblem == newer.transportProblem
        plan = newer
        clusterName = newer.name
        idleTimeoutMilliseconds = newer.idleTimeoutMilliseconds
        isLimited = newer.life.isLimited || breaker != nil
        guard !isSame else { return }
        let outdated = pools.values
        pools = [:]
        for pool in outdated {
            // Before it drains: it says when its last connection has gone.
            former.append(pool)
            pool.drain()
            if pool.connectionCount == 0 { emptied(pool) }
        }
        makeOnly()
    }

    var connectionCount: Int { reduce { $0.connectionCount } }
    var idleCount: Int { reduce { $0.idleCount } }

    /// Kinds of connections that are told apart now.
    var poolCount: Int { pools.count }

    private func reduce(_ count: (BoundPool) -> Int) -> Int {
        pools.values.reduce(0) { $0 + count($1) } + former.reduce(0) { $0 + count($1) }
    }

    // MARK: Leasing

    /// A stream for one request, over a connection that may still be connecting.
    ///
    /// Where the cluster has as many connections as it may, the stream waits for one. Fails when the kernel refuses outright (out
    /// of descriptors or ports, no route), the worker has as many connections as it may, or a limit of the cluster is met
    /// (`isFull`).
    /// The head must stay as it is until the stream has sent it.
    func lease(for head: RequestHead, to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        if let only, !isLimited { return only._withUnsafeGuaranteedRef { $0.lease(to: holder) } }
        isFull = false
        if let only { return only._withUnsafeGuaranteedRef { $0.leaseLimited(to: holder) } }
        if let problem = plan.transportProblem {
            openError = ProxyError.transportFailed
            failureText = problem
            return nil
        }
        let pool = pool(for: head, holder)
        if let stream = pool.lease(for: head, to: holder) { return stream }
        if pool.connectionCount == 0 { emptied(pool) }
        return nil
    }

    private func pool(for head: RequestHead, _ holder: Borrowed<MessageSink>) -> BoundPool {
        let transport = plan.transport
        var binding = ConnectionBinding()
        switch transport.httpVersion {
        case .http1: break
        case .http2: binding.isHTTP2 = true
        case .asClient: binding.isHTTP2 = head.version == .http2
        }
        var clientHash: UInt64 = 0
        if transport.proxyHeader != nil {
            let ends = holder.with { $0.proxiedEnds } ?? .unknown
            binding.ends = ends
            clientHash = ends.hash(seed: seed)
        }
        guard transport.namesRequests else { return pool(for: binding, hash: clientHash) }
        return ServerNames.withRequested(head) { name in
            binding.serverName = name
            return pool(for: binding, hash: XXHash64.hash(name, seed: seed) ^ clientHash)
        }
    }

    private func pool(for binding: ConnectionBinding, hash: UInt64) -> BoundPool {
        var key = hash &* 2 &+ (binding.isHTTP2 ? 1 : 0)
        // Two names of one hash: the second goes beside the first.
        while let known = pools[key] {
            if known.serves(binding) { return known }
            key &+= 2
        }
        let made = binding.isHTTP2 ? H2Pool(self, key: key, binding) : H1Pool(self, key: key, binding)
        pools[key] = made
        return made
    }

    // MARK: For the pools

    final func note(openError code: Int32) {
        openError = code
        failureText = []
    }

    final func note(failure text: [UInt8]) { failureText = text }

    /// A request is refused for a limit of the cluster.
    final func noteFull() { isFull = true }

    /// Whether one more connection may wait for a request beside these of its pool; all pools have equal shares.
    final func hasRoomForIdle(beside count: Int) -> Bool {
        count < (only == nil ? Self.maxIdle / max(pools.count, 1) : Self.maxIdle)
    }

    /// The last connection of a pool has closed.
    final func emptied(_ pool: BoundPool) {
        // It opens another for those that wait.
        guard pool.waiting.isEmpty else { return }
        former.removeAll { $0 === pool }
        // What one client alone may use is of no use to the next; other empty pools keep their TLS sessions.
        guard pool.key != 0, pools[pool.key] === pool, pools.count > Self.maxEmptyPools || pool.ends != nil else {
            return
        }
        host.loop.releaseLater(pool)
        pools[pool.key] = nil
    }

    /// Closes one connection that waits for a request; `false` when none does.
    func closeIdle() -> Bool { pools.values.contains { $0.closeIdle() } }

    /// Closes what is idle; what is busy ends with its request.
    func drain() {
        for pool in Array(pools.values) { pool.drain() }
    }

    /// Closes every connection, busy ones too.
    func closeAll() {
        for pool in Array(pools.values) + former { pool.closeAll() }
    }
}
