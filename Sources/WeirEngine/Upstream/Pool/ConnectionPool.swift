import Glibc

/// The connections of one worker to one endpoint: idle ones wait here, the most recently used on top.
///
/// Owns every connection it opened until that connection ends. Loop thread only.
///
/// Not final: a protocol that carries several requests on one connection leases streams in its own way.
class ConnectionPool {
    /// Idle connections kept for one endpoint and worker; one that comes back beyond is closed.
    static let maxIdle = 1024

    final let host: ServerHost
    private(set) var address: EndpointAddress
    /// Timeouts, and the memory a unix path in `address` is borrowed from.
    private var plan: ClusterPlan
    /// The cluster's name for the access log; valid until a newer plan is adopted.
    private(set) var clusterName: UnsafeRawBufferPointer
    private var text: LogAddressText
    /// Why the kernel refused the last connection outright.
    private(set) var openError: Int32 = 0
    /// The most recently used last; kept alive by `all`.
    private var idle: [Unmanaged<H1ClientConnection>] = []
    /// Every live connection, in no order; keeps them alive.
    private var all: [ObjectIdentifier: H1ClientConnection] = [:]
    /// The endpoint is gone from the configuration: finish what runs, keep nothing.
    private var isDraining = false

    init(host: ServerHost, address: EndpointAddress, plan: ClusterPlan) {
        self.host = host
        self.address = address
        self.plan = plan
        clusterName = plan.name
        text = LogAddressText(address)
        idle.reserveCapacity(8)
    }

    /// The endpoint's address for the access log; valid until a newer plan is adopted.
    var addressText: LogAddress { text.address }

    /// A newer plan has the same endpoint: connections stay, timeouts change for what comes.
    func adopt(_ newer: ClusterPlan, _ address: EndpointAddress) {
        // That of a logical endpoint changes (see `ClusterSpec.logicalName`). The former plan holds the former path.
        if address != self.address { text = LogAddressText(address) }
        self.address = address
        plan = newer
        clusterName = newer.name
    }

    var connectionCount: Int { all.count }
    var idleCount: Int { idle.count }

    /// A connection for one request: an idle one, or a new one that may still be connecting.
    ///
    /// Fails when the kernel refuses outright (out of descriptors or ports, no route), or the worker has as many as it may.
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
        guard host.hasRoomForUpstream() else {
            host.overflowCount += 1
            return nil
        }
        host.connectCount += 1
        let opened: (descriptor: Int32, established: Bool)
        switch address.withSockAddr({ Socket.connect($0, $1) }) {
        case .success(let socket): opened = socket
        case .failure(let error):
            openError = error.code
            host.connectFailureCount += 1
            return nil
        }
        let connection = H1ClientConnection(
            host: host, pool: self, descriptor: opened.descriptor, established: opened.established,
            connectMilliseconds: plan.connectTimeoutMilliseconds)
        all[ObjectIdentifier(connection)] = connection
        host.upstreamCount += 1
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
        guard !isDraining, idle.count < Self.maxIdle else { return connection.close() }
        connection.poolIndex = idle.count
        idle.append(Unmanaged.passUnretained(connection))
        connection.park(milliseconds: plan.idleTimeoutMilliseconds)
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
        host.upstreamCount -= 1
    }

    /// Closes one connection that waits for a request; `false` when none does.
    func closeIdle() -> Bool {
        guard let oldest = idle.first?.takeUnretainedValue() else { return false }
        oldest.close()
        return true
    }

    /// Closes what is idle; what is busy ends with its request.
    func drain() {
        isDraining = true
        while let connection = idle.popLast()?.takeUnretainedValue() {
            connection.poolIndex = -1
            connection.close()
        }
    }

    /// Closes every connection, busy ones too.
    func closeAll() {
        drain()
        for connection in all.values { connection.close() }
    }
}
