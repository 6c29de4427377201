/// Connections that carry one request at a time: idle ones wait here, the most recently used on top.
///
/// Owns every connection it opened until that connection ends. Loop thread only.
final class H1Pool: BoundPool {
    /// The most recently used last; kept alive by `all`.
    private(set) var idle: [Unmanaged<H1ClientConnection>] = []
    /// Every live connection, in no order; keeps them alive.
    private(set) var all: [ObjectIdentifier: H1ClientConnection] = [:]

    override init(_ endpoint: ConnectionPool, key: UInt64, _ binding: ConnectionBinding) {
        super.init(endpoint, key: key, binding)
        idle.reserveCapacity(8)
    }

    override var connectionCount: Int { all.count }
    override var idleCount: Int { idle.count }

    override func lease(for head: RequestHead, to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        isLimited ? leaseLimited(to: holder) : lease(to: holder)
    }

    /// A connection for one request: an idle one, or a new one that may still be connecting.
    func lease(to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        if let connection = takeIdle() {
            return connection._withUnsafeGuaranteedRef {
                $0.lease(to: holder)
                return Borrowed($0)
            }
        }
        guard let connection = open() else { return nil }
        connection.lease(to: holder)
        return Borrowed(connection)
    }

    /// The most recently used connection, which waits no more.
    func takeIdle() -> Unmanaged<H1ClientConnection>? {
        guard let connection = idle.popLast() else { return nil }
        connection._withUnsafeGuaranteedRef { $0.poolIndex = -1 }
        return connection
    }

    func open() -> H1ClientConnection? {
        guard let socket = openSocket() else { return nil }
        let connection = H1ClientConnection(
            host: host, pool: self, descriptor: socket.descriptor, established: socket.isEstablished,
            transport: socket.transport, connectMilliseconds: endpoint.connectTimeoutMilliseconds)
        all[ObjectIdentifier(connection)] = connection
        if connection.reach == .connected { established(connection) }
        return connection
    }

    /// A request found its pooled connection closed before it took a byte; a fresh one takes over.
    ///
    /// `false` when none opens.
    func replace(_ stale: H1ClientConnection, for holder: Borrowed<MessageSink>) -> Bool {
        // The stale one is closed next: its place is free, and needed where there is but one.
        host.upstreamCount -= 1
        defer { host.upstreamCount += 1 }
        // Else the endpoint would see one more than it may for a moment.
        if stale.permits.contains(.connection) { stale.closeSocket() }
        guard let fresh = open() else { return false }
        fresh.lease(to: holder)
        fresh.requestCount = 1
        swap(&fresh.permits, &stale.permits)
        stale.handOver(to: fresh)
        holder.leaseMoved(to: Borrowed(fresh))
        return true
    }

    /// A connection that can carry another request comes back.
    func returned(_ connection: H1ClientConnection) {
        if isLimited { return returnedLimited(connection) }
        park(connection)
    }

    /// A connection waits for its next request.
    func park(_ connection: H1ClientConnection) {
        guard hasRoomForIdle(beside: idle.count) else { return connection.close() }
        connection.poolIndex = idle.count
        idle.append(Unmanaged.passUnretained(connection))
        connection.park(milliseconds: idleMilliseconds, until: connection.expiresAt)
    }

    /// A connection has closed.
    func ended(_ connection: H1ClientConnection) {
        let index = connection.poolIndex
        if index >= 0 {
            connection.poolIndex = -1
            // Order matters little; the last one fills the gap.
            if let last = idle.popLast(), last.toOpaque() != Unmanaged.passUnretained(connection).toOpaque() {
                idle[index] = last
                last._withUnsafeGuaranteedRef { $0.poolIndex = index }
            }
            endpoint.breaker?.idleChanged(by: -1)
        }
        all[ObjectIdentifier(connection)] = nil
        socketClosed(isEmpty: all.isEmpty)
        // Last: the place that has become free may be taken at once.
        if !connection.permits.isEmpty { giveBack(.connection, of: &connection.permits) }
    }

    override func open(for waiting: PendingStream, _ breaker: CircuitBreaker) -> Bool {
        openLimited(for: waiting, breaker)
    }

    override func count(for breaker: CircuitBreaker) { countAll(for: breaker) }

    override func closeIdle() -> Bool {
        guard let oldest = idle.first?.takeUnretainedValue() else { return false }
        oldest.close()
        return true
    }

    override func drain() {
        super.drain()
        while let connection = idle.last?.takeUnretainedValue() { connection.close() }
    }

    override func closeAll() {
        drain()
        for connection in all.values { connection.close() }
    }
}
