import Glibc

/// What the rest of the process asks of a worker.
enum WorkerMessage: Sendable {
    /// Serve this generation from now on. `slots[i]` is the listener slot of the snapshot's i-th listener, -1 when it has none.
    case adopt(Snapshot, slots: [Int], ticket: AdoptionTicket)
    /// Serve this snapshot from now on: only these clusters' plans differ from the one before.
    case adoptEndpoints(Snapshot, clusters: [Int32])
    /// Accept on this socket, which the worker owns from now on; a slot may have several.
    case listen(socket: Int32, slot: Int, permits: ListenerPermits? = nil)
    /// Take what is queued, then close the listener. Connections it accepted stay.
    case unlisten(slot: Int)
    case stats(StatsCollector)
    /// A permit for a connection of this cluster, whose limit has kept requests of the worker waiting.
    case connectionPermit(cluster: Int32)
    /// Another worker waits for a connection of this cluster, and this one seems to have one to spare.
    case connectionWanted(cluster: Int32)
    /// Copy the metrics' series from this number on.
    case series(MetricGathering, worker: Int, from: Int)
    /// Tell what the endpoints from this place on are doing.
    case endpoints(EndpointGathering, worker: Int, from: EndpointPosition)
    /// Stop accepting, close what is idle, say `Connection: close` on the rest; report when the last connection has gone.
    ///
    /// What is queued at the slots `handedOver` is another process's.
    case drain(DrainTicket, handedOver: Set<Int> = [])
    /// Close everything and end the thread.
    case stop
}

/// One thread of the data plane: a loop, listeners, connections, clusters, one configuration.
///
/// Nothing in it is shared.
///
/// Not final: tests put in-memory codecs below it.
class Worker: ServerHost, AcceptorOwner {
    /// Exchanges kept for reuse.
    static let keptExchanges = 1024

    let index: Int
    private let serverName: ServerName
    /// `nil` without an access log.
    let accessLogger: AccessLogger?
    private let retired: RetiredSnapshots
    /// Proxies in front of the gateway that are trusted to name the client.
    var trustedHops = 0
    private var acceptors: [Int: [Acceptor]] = [:]
    /// By slot; absent where connections are not counted.
    private var permits: [Int: ListenerPermits] = [:]
    private(set) var refusedCount = 0
    /// Where the search for an idle upstream connection went on last.
    private var roomCursor = 0
    private let mailbox: Mailbox<WorkerMessage>
    private var inbox: MailboxReader<WorkerMessage>?
    /// The mailboxes of all workers, in the order of their numbers.
    var peers: [Mailbox<WorkerMessage>] = []
    /// By cluster id; kept when the cluster goes, as its connections and those who wait for one may stay.
    private var breakers: [Int32: CircuitBreaker] = [:]

    private(set) var current: PinnedSnapshot?
    /// The same, for requests.
    private var borrowedCurrent: Borrowed<PinnedSnapshot>?
    /// Earlier generations that exchanges still use.
    private(set) var older: [PinnedSnapshot] = []
    /// By slot: the listener's plan in the current generation.
    private var listenerPlans: UnsafeMutablePointer<Unmanaged<ListenerPlan>?>
    private var listenerCapacity = 0
    /// By cluster id: made on first pick.
    ///
    /// Each entry is retained.
    private(set) var clusters: UnsafeMutablePointer<Unmanaged<Cluster>?>
    private(set) var clusterCapacity = 0
    private var exchanges = Freelist<Unmanaged<Exchange>>(limit: Worker.keptExchanges)
    private(set) var activeExchanges = 0
    private var drainTicket: DrainTicket?
    private(set) var metrics = MetricTable()
    /// Handshakes with clients since the start: those that succeeded, those of them that went on with an earlier session, and
    /// those that failed.
    var tlsHandshakes = 0
    var tlsResumptions = 0
    var tlsFailures = 0
    /// Names that clients have asked for lately, so that connections with the same one share it.
    var serverNames = RecentNames()
    let localTexts = LocalAddressTexts()
    /// Failures that routes have made up.
    var faults = FaultCounts()
    /// The copies of requests under way.
    var mirrors = Mirrors()
    /// Copies say so in their host, as those of older releases of Istio.
    var marksMirrors = false
    /// Connections that lacked their PROXY protocol header.
    var proxyHeaderFailures = 0
    /// Counts the configurations adopted: what a connection has found in one is good while it stays the same.
    private(set) var listenerEpoch = 0
    /// Made when a route first needs it.
    private(set) lazy var headerValues = HeaderValues()

    init(
        index: Int, mailbox: Mailbox<WorkerMessage>, serverName: ServerName, retired: RetiredSnapshots,
        accessLog: AccessLog? = nil
    ) {
        self.index = index
        accessLogger = accessLog.map { AccessLogger($0, worker: index) }
        self.serverName = serverName
        self.retired = retired
        self.mailbox = mailbox
        listenerPlans = .allocate(capacity: 1)
        clusters = .allocate(capacity: 1)
        super.init(loop: Loop())
        inbox = MailboxReader(loop: loop, mailbox: mailbox) { [unowned self] in take($0) }
    }

    deinit {
        while let exchange = exchanges.take() { exchange.release() }
        mirrors.releaseKept()
        clusters.deallocate()
        listenerPlans.deallocate()
    }

    override var workerIndex: Int { index }

    override func circuitBreaker(for plan: ClusterPlan) -> CircuitBreaker? {
        if let known = breakers[plan.id] { return known }
        guard let shared = plan.shared, plan.spec.limits.isActive else { return nil }
        let made = CircuitBreaker(host: self, plan: plan, shared: shared)
        breakers[plan.id] = made
        return made
    }

    override func passConnection(of breaker: CircuitBreaker, to worker: Int) {
        (worker == index ? mailbox : peers[worker]).post(.connectionPermit(cluster: breaker.clusterID))
    }

    override func askForConnection(of breaker: CircuitBreaker, worker: Int) {
        peers[worker].post(.connectionWanted(cluster: breaker.clusterID))
    }

    /// Runs until a stop message.
    func run() {
        loop.run()
        for acceptor in acceptors.values.joined() { acceptor.close() }
        acceptors = [:]
        closeAllConnections()
        for breaker in breakers.values { breaker.closeAll() }
        abandonMirrored()
        for id in 0..<clusterCapacity { clusters[id]?.takeUnretainedValue().closeAll() }
        // Lets go what the closing above has put aside.
        inbox = nil
        if let current { retire(current) }
        current = nil
        borrowedCurrent = nil
        loop.abandonClosing()
        loop.tick(wait: false)
        releaseOwned()
    }

    /// Lets go of what refers back to this worker.
    private func releaseOwned() {
        while let exchange = exchanges.take() { exchange.release() }
        mirrors.releaseKept()
        for id in 0..<clusterCapacity {
            clusters[id]?.release()
            clusters[id] = nil
        }
    }

    // MARK: Messages

    private func take(_ message: WorkerMessage) {
        switch message {
        case .adopt(let snapshot, let slots, let ticket):
            adopt(snapshot, slots)
            ticket.adopted()
        case .adoptEndpoints(let snapshot, let clusters):
            adopt(snapshot, clusters)
        case .listen(let socket, let slot, let permits):
            self.permits[slot] = permits
            acceptors[slot, default: []].append(Acceptor(loop: loop, socket: socket, slot: slot, owner: self))
        case .unlisten(let slot):
            for acceptor in acceptors.removeValue(forKey: slot) ?? [] { acceptor.close() }
            permits[slot] = nil
        case .stats(let collector):
            collector.add(stats)
        case .connectionPermit(let id):
            breakers[id]?.granted()
        case .connectionWanted(let id):
            breakers[id]?.connectionWanted()
        case .series(let gathering, let worker, let first):
            let copy = metrics.copy(from: first, most: MetricGathering.seriesPerReply)
            // The plain counts go with the last of the series.
            gathering.reply(copy, copy.isLast ? stats : nil, worker: worker)
        case .endpoints(let gathering, let worker, let position):
            let (parts, next) = endpointLoads(from: position, most: EndpointGathering.endpointsPerReply)
            gathering.reply(parts, next: next, worker: worker)
        case .drain(let ticket, let handedOver):
            drain(ticket, handedOver)
        case .stop:
            loop.stop()
        }
    }

    // MARK: Connections

    func accepted(_ descriptor: Int32, from peer: SocketAddress, slot: Int) {
        let permits = permits[slot]
        guard permits?.take() ?? true else {
            refusedCount += 1
            return Socket.close(descriptor)
        }
        Socket.setNoDelay(descriptor)
        var downstream = DownstreamInfo(peer: peer, listener: slot, scheme: .http)
        downstream.connectionID = UInt64(acceptedCount) &* 1024 &+ UInt64(index)
        if expectsProxyHeader(slot) { return awaitProxyHeader(descriptor, downstream, permits) }
        begin(descriptor, downstream, permits)
    }

    /// A connection's first byte is its client's.
    func begin(_ descriptor: Int32, _ downstream: DownstreamInfo, _ permits: ListenerPermits?) {
        if speaksTLS(downstream.listener) { return greet(descriptor, downstream, permits) }
        if let stream = streamPlan(downstream.listener) { return serve(stream, descriptor, downstream, permits) }
        var downstream = downstream
        let connection = HandledConnection<H1ServerConnection>(loop: loop, accepted: descriptor)
        connection.permits = permits
        fillAddresses(&downstream, connection)
        // The host's list keeps it until it closes.
        let server = H1ServerConnection(host: self, connection: connection, downstream: downstream)
        if isDraining { server.drain() }
    }

    override func beginExchange(on stream: Borrowed<ServerStream>) -> Borrowed<MessageSink> {
        activeExchanges += 1
        // Its reference is nobody's while the request lasts; `recycle` finds it again.
        let exchange = exchanges.take() ?? Unmanaged.passRetained(Exchange(worker: self))
        return exchange._withUnsafeGuaranteedRef {
            $0.begin(on: stream)
            return Borrowed($0)
        }
    }

    /// The exchange is over; its callers may still be using it.
    func recycle(_ exchange: Exchange) {
        activeExchanges -= 1
        let reference = Unmanaged.passUnretained(exchange)
        if exchanges.put(reference) { return }
        loop.releaseLater(exchange)
        reference.release()
    }

    /// One request is over: the place where it is counted and logged.
    ///
    /// Everything passed is borrowed.
    func requestEnded(
        _ record: RequestRecord, _ stream: Borrowed<ServerStream>, _ endpoint: Borrowed<Endpoint>?,
        _ capture: borrowing LogCapture
    ) {
        metrics.count(record, now: loop.now)
        guard accessLogger != nil else { return }
        logRequest(record, stream.requestHead, stream.downstream, endpoint, capture)
    }

    /// Where a connection is counted whose bytes pass through; valid as long as the worker.
    func streamSeries(_ record: RequestRecord) -> MetricSeries { metrics.stream(record) }

    /// Such a connection is over.
    func streamEnded(
        _ record: RequestRecord, _ downstream: DownstreamInfo, _ endpoint: Borrowed<Endpoint>?,
        _ capture: borrowing LogCapture
    ) {
        withUnsafePointer(to: downstream) { logRequest(record, nil, $0, endpoint, capture) }
    }

    override func requestRefused(
        _ error: H1Error, _ downstream: DownstreamInfo, overHTTP2: Bool, headBytes: Int, bodyBytes: Int
    ) {
        var record = RequestRecord(refused: error, at: loop.now)
        record.cameOverHTTP2 = overHTTP2
        // A stream that is reset has no status.
        if headBytes == 0, overHTTP2 { record.status = 0 }
        record.responseHeadBytes = UInt64(headBytes)
        record.responseBodyBytes = UInt64(bodyBytes)
        metrics.count(record, now: loop.now)
        withUnsafePointer(to: downstream) { logRequest(record, nil, $0, nil, LogCapture()) }
    }

    private func logRequest(
        _ record: RequestRecord, _ head: RequestHead?, _ downstream: UnsafePointer<DownstreamInfo>,
        _ endpoint: Borrowed<Endpoint>?, _ capture: borrowing LogCapture
    ) {
        guard let accessLogger else { return }
        var subject = LogSubject(
            record: record, peer: downstream.pointee.remote, local: downstream.pointee.local,
            connectionID: downstream.pointee.connectionID, scheme: downstream.pointee.scheme, endedAt: loop.now,
            wallOffset: wallClockOffset(), head: head)
        subject.layer = downstream.pointee.layer
        subject.failure = capture.failureText
        subject.direct = downstream.pointee.direct
        if let endpoint {
            subject.upstream = endpoint.with { $0.pool.addressText }
            subject.clusterName = endpoint.with { $0.pool.clusterName }
        } else {
            subject.clusterName = clusterName(record.clusterID)
        }
        accessLogger.write(subject, capture)
    }

    /// The name of a cluster that had no endpoint; empty for -1.
    func clusterName(_ id: Int32) -> UnsafeRawBufferPointer {
        guard id >= 0, Int(id) < clusterCapacity, let entry = clusters[Int(id)] else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return entry.takeUnretainedValue().plan.name
    }

    override func connectionClosed() {
        guard connectionCount == 0, loop.closingCount == 0, let drainTicket else { return }
        self.drainTicket = nil
        drainTicket.workerDrained()
    }

    private func drain(_ ticket: DrainTicket, _ handedOver: Set<Int>) {
        for acceptor in acceptors.values.joined() {
            if handedOver.contains(acceptor.slot) { acceptor.leave() } else { acceptor.close() }
        }
        acceptors = [:]
        beginDrain()
        drainTicket = ticket
        // What is still sending its last bytes counts as well.
        loop.lastClosed = { [unowned self] in connectionClosed() }
        connectionClosed()
    }

    override func stampResponse(_ head: ResponseHead) {
        serverName.stamp(&head.block, isLocal: true)
        head.block.append(.date, "date", copying: dateBytes())
    }

    /// The headers of a proxied answer that are the gateway's, whatever a route says (semantics 6.2).
    func stampProxied(_ head: ResponseHead) {
        serverName.stamp(&head.block, isLocal: false)
        if head.block.firstIndex(of: .date) < 0 { head.block.append(.date, "date", copying: dateBytes()) }
    }

    /// The one that a route may change.
    func stampTime(_ head: ResponseHead, upstreamMilliseconds: UInt64) {
        head.block.remove(.xEnvoyUpstreamServiceTime)
        head.block.append(
            .xEnvoyUpstreamServiceTime, "x-envoy-upstream-service-time", number: upstreamMilliseconds)
    }

    // MARK: Configuration

    private func adopt(_ snapshot: Snapshot, _ slots: [Int]) {
        let former = replaceCurrent(by: snapshot)
        adoptListeners(snapshot, slots)
        leaveLostServers()
        adoptClusters(snapshot)
        leave(former)
    }

    /// Takes over other endpoints; costs what changed.
    private func adopt(_ snapshot: Snapshot, _ changed: [Int32]) {
        // The listeners' plans stay where they are: the new snapshot keeps the same ones.
        let former = replaceCurrent(by: snapshot)
        for id in changed where Int(id) < clusterCapacity {
            // A cluster that was not needed yet finds its plan in the snapshot.
            guard let entry = clusters[Int(id)], let plan = snapshot.cluster(id: id) else { continue }
            entry.takeUnretainedValue().adopt(plan.takeUnretainedValue())
        }
        leave(former)
    }

    private func replaceCurrent(by snapshot: Snapshot) -> PinnedSnapshot? {
        let former = current
        let pinned = PinnedSnapshot(snapshot)
        current = pinned
        borrowedCurrent = Borrowed(pinned)
        return former
    }

    private func leave(_ former: PinnedSnapshot?) {
        guard let former else { return }
        former.isCurrent = false
        if former.pins == 0 { retire(former) } else { older.append(former) }
    }

    private func adoptListeners(_ snapshot: Snapshot, _ slots: [Int]) {
        let needed = (slots.max() ?? -1) + 1
        let capacity = max(needed, listenerCapacity)
        let table = UnsafeMutablePointer<Unmanaged<ListenerPlan>?>.allocate(capacity: max(capacity, 1))
        table.initialize(repeating: nil, count: capacity)
        for (listener, slot) in slots.enumerated() where slot >= 0 {
            // Borrowed from the snapshot, which `current` keeps.
            table[slot] = Unmanaged.passUnretained(snapshot.listeners[listener])
        }
        listenerPlans.deallocate()
        listenerPlans = table
        listenerCapacity = capacity
        listenerEpoch += 1
    }

    private func adoptClusters(_ snapshot: Snapshot) {
        for id in 0..<clusterCapacity {
            guard let entry = clusters[id] else { continue }
            let cluster = entry.takeUnretainedValue()
            if let plan = snapshot.cluster(id: Int32(id)) {
                cluster.adopt(plan.takeUnretainedValue())
            } else {
                cluster.drain()
                clusters[id] = nil
                entry.release()
            }
        }
        guard snapshot.clusterCapacity > clusterCapacity else { return }
        let table = UnsafeMutablePointer<Unmanaged<Cluster>?>.allocate(capacity: snapshot.clusterCapacity)
        table.initialize(repeating: nil, count: snapshot.clusterCapacity)
        for id in 0..<clusterCapacity { table[id] = clusters[id] }
        clusters.deallocate()
        clusters = table
        clusterCapacity = snapshot.clusterCapacity
    }

    /// The plan behind a listener slot; `nil` once the listener has left the configuration.
    func listenerPlan(_ slot: Int) -> Unmanaged<ListenerPlan>? {
        slot < listenerCapacity ? listenerPlans[slot] : nil
    }

    /// The cluster with this id, made on first use; `nil` when the generation does not have it.
    ///
    /// Borrowed until the next generation is adopted.
    func cluster(_ id: Int32, _ pinned: Borrowed<PinnedSnapshot>) -> Unmanaged<Cluster>? {
        let index = Int(id)
        guard index >= 0, index < clusterCapacity else { return nil }
        if let entry = clusters[index] { return entry }
        // The newest plan: a request routed by an older generation must not leave a cluster of that one's endpoints behind.
        guard let plan = current?.snapshot.cluster(id: id) ?? pinned.with({ $0.snapshot.cluster(id: id) }) else {
            return nil
        }
        let entry = Unmanaged.passRetained(Cluster(host: self, plan: plan.takeUnretainedValue()))
        clusters[index] = entry
        return entry
    }

    /// The cluster with this id as the current generation has it.
    func currentCluster(_ id: Int32) -> Unmanaged<Cluster>? {
        guard let borrowedCurrent else { return nil }
        return cluster(id, borrowedCurrent)
    }

    /// Makes room where there is none: an idle connection of any cluster closes for the sake of one that is needed.
    override func hasRoomForUpstream() -> Bool {
        if super.hasRoomForUpstream() { return true }
        // With every connection serving a request, the one that asks has none: then there is nothing to look for.
        guard upstreamCount >= activeExchanges else { return false }
        for _ in 0..<clusterCapacity {
            roomCursor = roomCursor + 1 < clusterCapacity ? roomCursor + 1 : 0
            if clusters[roomCursor]?.takeUnretainedValue().closeIdle() == true { return true }
        }
        return false
    }

    /// The current generation, held until `unpin`.
    ///
    /// `nil` before the first one.
    func pinCurrent() -> Borrowed<PinnedSnapshot>? {
        borrowedCurrent?.with { $0.pins += 1 }
        return borrowedCurrent
    }

    func unpin(_ borrowed: Borrowed<PinnedSnapshot>) {
        let isUnused = borrowed.with { pinned in
            pinned.pins -= 1
            precondition(pinned.pins >= 0, "a generation let go more often than held")
            return pinned.pins == 0 && !pinned.isCurrent
        }
        guard isUnused else { return }
        let pinned = borrowed.object
        older.removeAll { $0 === pinned }
        retire(pinned)
    }

    /// Sends the snapshot back: freeing a large one must not stall this thread.
    private func retire(_ pinned: PinnedSnapshot) { retired.put(pinned.snapshot) }
}
