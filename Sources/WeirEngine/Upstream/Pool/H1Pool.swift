/// Connections that carry one request at a time: idle ones wait here, the most recently used on top.
///
/// Owns every connection it opened until that connection ends. Loop thread only.
final class H1Pool: BoundPool {
    /// The most recently used last; kept alive by `all`.
    private var idle: [Unmanaged<H1ClientConnection>] = []
    /// Every live connection, in no order; keeps them alive.
    private var all: [ObjectIdentifier: H1ClientConnection] = [:]

    override init(_ endpoint: ConnectionPool, key: UInt64, _ binding: ConnectionBinding) {
        super.init(endpoint, key: key, binding)
        idle.reserveCapacity(8)
    }

    override var connectionCount: Int { all.count }
    override var idleCount: Int { idle.count }

    override func lease(for head: RequestHead, to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        lease(to: holder)
    }

    /// A connection for one request: an idle one, or a new one that may still be connecting.
    func lease(to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        if let connection = idle.popLast() {
            return connection._withUnsafeGuaranteedRef {
                $0.poolIndex = -1
                $0.lease(to: holder)
                return Borrowed($0)
            }
        }
        guard let connection = open() else { return nil }
        connection.lease(to: holder)
        return Borrowed(connection)
    }

    private func open() -> H1ClientConnection? {
        guard let socket = openSocket() else { return nil }
        let connection = H1ClientConnection(
            host: host, pool: self, descriptor: socket.descriptor, established: socket.isEstablished,
            transport: socket.transport, connectMilliseconds: endpoint.connectTimeoutMilliseconds)
        all[ObjectIdentifier(connection)] = connection
        return connection
    }

    /// A request found its pooled connection closed before it took a byte; a fresh one takes over.
    ///
    /// `false` when none opens.
    func replace(_ stale: H1ClientConnection, for holder: Borrowed<MessageSink>) -> Bool {
        // The stale one is closed next: its place is free, and needed where there is but one.
        host.upstreamCount -= 1
        defer { host.upstreamCount += 1 }
        guard let fresh = open() else { return false }
        fresh.lease(to: holder)
        stale.handOver(to: fresh)
        holder.leaseMoved(to: Borrowed(fresh))
        return true
    }

    /// A connection that can carry another request comes back.
    func returned(_ connection: H1ClientConnection) {
        guard hasRoomForIdle(beside: idle.count) else { return connection.close() }
        connection.poolIndex = idle.count
        idle.append(Unmanaged.passUnretained(connection))
        connection.park(milliseconds: idleMilliseconds)
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
        }
        all[ObjectIdentifier(connection)] = nil
        socketClosed(isEmpty: all.isEmpty)
    }

    override func closeIdle() -> Bool {
        guard let oldest = idle.first?.takeUnretainedValue() else { return false }
        oldest.close()
        return true
    }

    override func drain() {
        super.drain()
        while let connection = idle.popLast()?.takeUnretainedValue() {
            connection.poolIndex = -1
            connection.close()
        }
    }

    override func closeAll() {
        drain()
        for connection in all.values { connection.close() }
    }
}
