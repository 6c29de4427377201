/// Connections that carry many requests at a time.
///
/// A request goes over one that has room; another is opened only when none has, connections that are still being opened
/// included. Loop thread only.
final class H2Pool: BoundPool {
    /// Streams kept for reuse.
    static let keptStreams = 256
    /// How often a request that no endpoint has looked at is moved to another connection before it counts as failed.
    static let maxMoves = 3

    /// Every live connection, in no order; keeps them alive.
    private(set) var all: [ObjectIdentifier: H2ClientConnection] = [:]
    /// Those with room for a request, the one to use next last; kept alive by `all`.
    private(set) var open: [Unmanaged<H2ClientConnection>] = []
    /// Requests that may wait for a connection that is being opened: as many as the last one took at once.
    private(set) var expectedStreams = H2ClientConnection.streamsBeforeSettings
    private var streams = Freelist<Unmanaged<H2ClientStream>>(limit: H2Pool.keptStreams)

    deinit {
        while let stream = streams.take() { stream.release() }
    }

    override var connectionCount: Int { all.count }
    override var idleCount: Int { all.values.count { $0.isIdle } }

    override func lease(for head: RequestHead, to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        if isLimited { return leaseLimited(to: holder) }
        guard let stream = stream(for: holder) else { return nil }
        return stream._withUnsafeGuaranteedRef { Borrowed($0) }
    }

    /// A stream on a connection with room; each is the caller's to use until it is given back by `recycle`.
    private func stream(for holder: Borrowed<MessageSink>) -> Unmanaged<H2ClientStream>? {
        guard let connection = open.last ?? openConnection() else { return nil }
        return stream(for: holder, on: connection)
    }

    /// `permits`: those of the request.
    func stream(
        for holder: Borrowed<MessageSink>, on connection: Unmanaged<H2ClientConnection>,
        _ permits: ConnectionPermits = []
    ) -> Unmanaged<H2ClientStream> {
        // Its reference is nobody's while it is used; `recycle` finds it again.
        let stream = streams.take() ?? Unmanaged.passRetained(H2ClientStream())
        connection._withUnsafeGuaranteedRef { connection in
            stream._withUnsafeGuaranteedRef {
                $0.lease(to: holder, on: connection)
                $0.permits = permits
            }
            connection.enter(stream)
        }
        return stream
    }

    func openConnection() -> Unmanaged<H2ClientConnection>? {
        guard let socket = openSocket() else { return nil }
        let connection = H2ClientConnection(
            pool: self, descriptor: socket.descriptor, transport: socket.transport,
            connectMilliseconds: endpoint.connectTimeoutMilliseconds)
        all[ObjectIdentifier(connection)] = connection
        connection.roomChanged()
        return Unmanaged.passUnretained(connection)
    }

    /// Moves a request that no endpoint has looked at to another connection; `false` when there is none.
    func move(_ former: H2ClientStream, of holder: Borrowed<MessageSink>) -> Bool {
        if isLimited, let breaker = endpoint.breaker { return moveLimited(former, of: holder, breaker) }
        guard let stream = stream(for: holder) else { return false }
        // First: a connection that refuses the request at once tells its new holder of the end.
        holder.leaseMoved(to: stream._withUnsafeGuaranteedRef { Borrowed($0) })
        stream._withUnsafeGuaranteedRef { $0.take(over: former) }
        return true
    }

    /// A stream is over, on the wire and for its sink.
    func recycle(_ stream: H2ClientStream) {
        let reference = Unmanaged.passUnretained(stream)
        if streams.put(reference) { return }
        host.loop.releaseLater(stream)
        reference.release()
    }

    // MARK: From the connections

    /// An endpoint has said how many requests it takes on a connection.
    func settled(maxStreams: Int) { expectedStreams = min(max(maxStreams, 1), HTTP2Plan.mostStreams) }

    /// Whether a connection has room for a request is another now than it was.
    func roomChanged(of connection: H2ClientConnection, hasRoom: Bool) {
        let index = connection.poolIndex
        guard hasRoom != (index >= 0) else { return }
        if hasRoom {
            connection.poolIndex = open.count
            open.append(Unmanaged.passUnretained(connection))
        } else {
            connection.poolIndex = -1
            // Order matters little; the last one fills the gap.
            if let last = open.popLast(), last.toOpaque() != Unmanaged.passUnretained(connection).toOpaque() {
                open[index] = last
                last._withUnsafeGuaranteedRef { $0.poolIndex = index }
            }
        }
    }

    /// A connection has closed.
    func ended(_ connection: H2ClientConnection) {
        roomChanged(of: connection, hasRoom: false)
        if connection.isCountedIdle { noteBusy(connection) }
        all[ObjectIdentifier(connection)] = nil
        socketClosed(isEmpty: all.isEmpty)
        // Last: the place that has become free may be taken at once.
        if !connection.permits.isEmpty { giveBack(.connection, of: &connection.permits) }
    }

    /// A request has come to a connection.
    func entered(_ connection: H2ClientConnection) {
        if connection.isCountedIdle { noteBusy(connection) }
    }

    /// A request has left a connection, or the endpoint takes more of them than was known.
    func left(_ connection: H2ClientConnection) {
        if isLimited, let breaker = endpoint.breaker { return leftLimited(connection, breaker) }
        // Opened for one that was moved when this drained already.
        if isDraining, connection.isIdle { connection.close() }
    }

    override func open(for waiting: PendingStream, _ breaker: CircuitBreaker) -> Bool {
        openLimited(for: waiting, breaker)
    }

    override func count(for breaker: CircuitBreaker) { countAll(for: breaker) }

    override func closeIdle() -> Bool {
        guard let idle = all.values.first(where: { $0.isIdle }) else { return false }
        idle.close()
        return true
    }

    override func drain() {
        super.drain()
        for connection in Array(all.values) { connection.drain() }
    }

    override func closeAll() {
        super.drain()
        for connection in Array(all.values) { connection.close() }
    }
}
