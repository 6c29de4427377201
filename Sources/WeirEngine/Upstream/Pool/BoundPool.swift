/// What connections are bound to: a request may use one only if it asks for the same.
struct ConnectionBinding {
    /// HTTP/2, as far as the cluster leaves the choice.
    var isHTTP2 = false
    /// The name asked for in TLS (SNI) and expected of the certificate, where that depends on the request.
    var serverName = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Whom the endpoint is told of in a PROXY protocol header; `nil` where it is told of nobody.
    var ends: ProxiedEnds?
}

/// The connections of one worker to one endpoint that are bound to the same things.
///
/// Loop thread only. Owned by the endpoint's pool, which it keeps while it has connections: they may outlast the
/// endpoint's place in the configuration.
class BoundPool {
    /// How long a connection that one client alone may use waits for its next request.
    static let boundIdleMilliseconds = 10_000

    final let host: ServerHost
    /// Outlives this; see `keeper`.
    private let owner: Unmanaged<ConnectionPool>
    final var endpoint: ConnectionPool { owner._withUnsafeGuaranteedRef { $0 } }
    /// Under which the endpoint's pool finds this one; 0 for the only one.
    final let key: UInt64
    /// What new connections are made with.
    final let plan: TransportPlan
    /// Lower case where it comes from a request.
    final let serverName: [UInt8]
    final let isHTTP2: Bool
    /// The one client's connection whose requests these are for; `nil` = everybody's.
    final let ends: ProxiedEnds?
    private let sessions = TLSSessionSlot()
    private var keeper: ConnectionPool?
    /// Nothing is leased any more: finish what runs, keep nothing.
    private(set) final var isDraining = false
    /// Requests that wait for a connection of this pool.
    final var waiting = PendingQueue(.pool)

    init(_ endpoint: ConnectionPool, key: UInt64, _ binding: ConnectionBinding) {
        host = endpoint.host
        owner = Unmanaged.passUnretained(endpoint)
        self.key = key
        plan = endpoint.transportPlan
        serverName = plan.tls?.spec.serverName.map { Array($0.utf8) } ?? Array(binding.serverName)
        isHTTP2 = binding.isHTTP2
        ends = binding.ends
    }

    /// How long a connection may wait for a request; 0 = for ever.
    ///
    /// The client that it is bound to may be gone, which nobody tells.
    final var idleMilliseconds: Int {
        let idle = owner._withUnsafeGuaranteedRef { $0.idleTimeoutMilliseconds }
        guard ends != nil else { return idle }
        return idle == 0 ? Self.boundIdleMilliseconds : min(idle, Self.boundIdleMilliseconds)
    }

    /// See `ConnectionPool.isLimited`.
    final var isLimited: Bool { owner._withUnsafeGuaranteedRef { $0.isLimited } }

    /// Whether one more connection may wait for a request beside so many.
    final func hasRoomForIdle(beside count: Int) -> Bool {
        !isDraining && owner._withUnsafeGuaranteedRef { $0.hasRoomForIdle(beside: count) }
    }

    /// Whether connections of these bindings are in here.
    final func serves(_ binding: ConnectionBinding) -> Bool {
        guard isHTTP2 == binding.isHTTP2, ends == binding.ends else { return false }
        guard plan.namesRequests else { return true }
        return serverName.withUnsafeBytes { $0.elementsEqual(binding.serverName) }
    }

    var connectionCount: Int { 0 }
    var idleCount: Int { 0 }

    /// See `ConnectionPool.lease`.
    func lease(for head: RequestHead, to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? { nil }
    /// Closes one connection that waits for a request; `false` when none does.
    func closeIdle() -> Bool { false }
    /// Closes what is idle; what is busy ends with its requests.
    func drain() { isDraining = true }
    /// Closes every connection, busy ones too.
    func closeAll() {}
    /// Opens a connection for a request that waits, with the permit of the caller, and gives it to the request.
    ///
    /// `false` when there is none: then the request has failed, and the permit stays the caller's.
    func open(for waiting: PendingStream, _ breaker: CircuitBreaker) -> Bool { false }
    /// The connections that are there count as far as the limits go.
    func count(for breaker: CircuitBreaker) {}

    // MARK: For subclasses

    /// Opens a socket to the endpoint; `nil` when the kernel refuses outright, or there are as many as there may be.
    final func openSocket() -> (descriptor: Int32, isEstablished: Bool, transport: Transport)? {
        guard host.hasRoomForUpstream() else {
            host.overflowCount += 1
            return nil
        }
        host.connectCount += 1
        switch endpoint.address.withSockAddr({ Socket.connect($0, $1) }) {
        case .success(let socket):
            host.upstreamCount += 1
            if keeper == nil { keeper = endpoint }
            if let keepAlive = endpoint.life.keepAlive { Socket.setKeepAlive(socket.descriptor, keepAlive) }
            return (socket.descriptor, socket.established || isEstablished(socket.descriptor), transport)
        case .failure(let error):
            endpoint.note(openError: error.code)
            host.connectFailureCount += 1
            return nil
        }
    }

    /// On a near network a connection is established before anybody can look; where few requests may wait for one it counts that
    /// none does.
    private func isEstablished(_ descriptor: Int32) -> Bool {
        guard isLimited, let breaker = endpoint.breaker, breaker.limitsPending else { return false }
        return Socket.isEstablished(descriptor)
    }

    private var transport: Transport {
        let tls = plan.tls.map { contexts in
            TLSClientLayer(
                contexts: contexts, worker: host.workerIndex, serverName: serverName,
                offering: isHTTP2 ? "\u{2}h2" : "\u{8}http/1.1", sessions: sessions, loop: host.loop)
        }
        return plan.transport(over: tls, ends)
    }

    /// A connection has closed; `isEmpty`: it was the last one.
    final func socketClosed(isEmpty: Bool) {
        host.upstreamCount -= 1
        guard isEmpty, let keeper else { return }
        // The caller may still be using what only this reference keeps alive.
        host.loop.releaseLater(keeper)
        self.keeper = nil
        keeper.emptied(self)
    }

    // MARK: Limits

    /// Gives back what a connection or a request on it holds of the cluster's limits, as far as it is among these.
    final func giveBack(_ given: ConnectionPermits, of permits: inout ConnectionPermits) {
        let over = permits.intersection(given)
        guard !over.isEmpty, let breaker = endpoint.breaker else { return }
        permits.subtract(over)
        if over.contains(.request) { breaker.requestOver() }
        if over.contains(.pending) { breaker.pendingOver() }
        if over.contains(.connection) { breaker.connectionOver() }
    }

    /// The endpoint cannot be reached: the first `count` of those that wait for it fail with the connection, as in Envoy.
    ///
    /// Otherwise each would take its turn with the permit, and keep it from other endpoints' requests, until it has failed too.
    /// Those that begin to wait meanwhile find out for themselves.
    final func failWaiting(_ count: Int, _ error: ProxyError) {
        guard count > 0, let breaker = endpoint.breaker else { return }
        for _ in 0..<count {
            // What one failure sets off may end the wait of others.
            guard let first = waiting.first?.takeUnretainedValue() else { break }
            breaker.take(first)
            breaker.pendingOver()
            first.fail(error)
        }
        waiterLeft()
    }

    /// A request that waited here has left, or failed.
    final func waiterLeft() {
        if connectionCount == 0 { endpoint.emptied(self) }
    }

    /// Why a request got no connection.
    final var openFailure: ProxyError {
        guard host.upstreamCount < host.maxUpstreams else { return ProxyError(source: .upstream, cause: .overflow) }
        return ProxyError(source: .upstream, cause: .connectFailure, code: endpoint.openError)
    }

    /// A connection could not be established.
    final func failed(_ transport: Transport) {
        host.connectFailureCount += 1
        endpoint.note(failure: transport.failureText)
    }
}

/// What a connection, or a request on it, holds of its cluster's limits.
struct ConnectionPermits: OptionSet {
    let rawValue: UInt8

    static let connection = ConnectionPermits(rawValue: 1 << 0)
    static let request = ConnectionPermits(rawValue: 1 << 1)
    /// The request waits for the connection.
    static let pending = ConnectionPermits(rawValue: 1 << 2)
}

/// What the connections of a cluster are made with.
struct TransportPlan {
    let httpVersion: UpstreamProtocol
    let tls: TLSClientContexts?
    /// Every connection begins with a header that names its client.
    var proxyHeader: ProxyHeaderVersion?

    /// What a connection is good for depends on the request it was opened for.
    var namesRequests: Bool { tls?.spec.namesRequests ?? false }
    /// Every request may use every connection.
    var isUniform: Bool { httpVersion != .asClient && !namesRequests && proxyHeader == nil }

    /// Whether connections made with the one serve under the other as well.
    func isInterchangeable(with other: TransportPlan) -> Bool {
        httpVersion == other.httpVersion && tls?.spec == other.tls?.spec && proxyHeader == other.proxyHeader
    }

    /// What a new connection is made with: `layer`, behind the header where there is one.
    func transport(over layer: TransportLayer?, _ ends: ProxiedEnds?) -> Transport {
        if let proxyHeader { return .layered(ProxyHeaderSender(ends ?? .unknown, proxyHeader, next: layer)) }
        return layer.map { .layered($0) } ?? .plain
    }
}
