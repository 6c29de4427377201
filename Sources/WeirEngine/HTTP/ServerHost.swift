import CWeir
import Glibc

/// What server connections share on one loop: head pools, randomness, the date, who answers, drain.
///
/// The worker and the local servers each are one. Loop thread only.
class ServerHost {
    /// Heads kept for reuse.
    static let keptHeads = 256

    final let loop: Loop
    var random: FastRandom
    private var requestHeads = Freelist<RequestHead>(limit: ServerHost.keptHeads)
    private var responseHeads = Freelist<ResponseHead>(limit: ServerHost.keptHeads)
    /// Streams of HTTP/2 connections kept for reuse.
    private var streams = Freelist<Unmanaged<ServerStream>>(limit: ServerHost.keptHeads)
    /// How long a client's connection may be without a request.
    var idleMilliseconds = H1ServerLimits.idleMilliseconds
    /// HTTP/1.0 requests are served instead of answered 426.
    var acceptsHTTP10 = false
    private var date = HTTPDate()
    private var dateAt: UInt64 = 0
    private var unixSeconds = 0
    /// Nanoseconds since 1970 at the monotonic clock's zero; refreshed like the date.
    private var wallOffset: UInt64 = 0

    /// Answers say `Connection: close` and idle connections are closed.
    private(set) var isDraining = false
    private var connections: [any DrainableConnection] = []
    /// Served requests, whatever their answer.
    var requestCount = 0
    /// Accepted connections since the start.
    var acceptedCount = 0
    /// Connections to endpoints begun since the start, and those that failed to open.
    var connectCount = 0
    var connectFailureCount = 0

    /// Connections to endpoints, from their opening to the close of their descriptor.
    var upstreamCount = 0
    var maxUpstreams = Int.max
    /// Bytes of request bodies kept for further tries now, and further tries since the start.
    var replayBytes = 0
    var retryCount = 0
    /// Further tries that routes did without so as not to do twice what may have been done.
    var sparedRetryCount = 0
    /// Requests that got no connection because there were `maxUpstreams`.
    var overflowCount = 0
    /// Tunnels open now, and since the start.
    private(set) var activeTunnels = 0
    private(set) var tunnelCount = 0

    init(loop: Loop) {
        self.loop = loop
        var seed: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &seed) { raw in
            precondition(getrandom(raw.baseAddress!, raw.count, 0) == raw.count, "no randomness from the kernel")
        }
        random = FastRandom(seed: seed.0 ^ seed.1)
    }

    deinit {
        while let head = requestHeads.take() { head.free() }
        while let head = responseHeads.take() { head.free() }
        while let stream = streams.take() { stream.release() }
    }

    // MARK: For subclasses

    /// Which of several like it this one is.
    var workerIndex: Int { 0 }

    /// The sink for the next request on `stream`; it gets the events from the head on.
    func beginExchange(on stream: Borrowed<ServerStream>) -> Borrowed<MessageSink> {
        preconditionFailure("a host without an answer to requests")
    }

    /// A request could not be read and was answered by the codec; no exchange has seen it.
    func requestRefused(
        _ error: H1Error, _ downstream: DownstreamInfo, overHTTP2: Bool, headBytes: Int, bodyBytes: Int
    ) {}

    /// A connection has gone.
    func connectionClosed() {}

    /// The pool behind a new endpoint of a cluster.
    func makePool(to address: EndpointAddress, _ plan: ClusterPlan) -> ConnectionPool {
        ConnectionPool(host: self, address: address, plan: plan)
    }

    /// The limits of a cluster as this host keeps to them; `nil` where there never were any.
    func circuitBreaker(for plan: ClusterPlan) -> CircuitBreaker? { nil }

    /// Sends a worker, maybe this one, a permit for a connection that it waits for.
    func passConnection(of breaker: CircuitBreaker, to worker: Int) {}

    /// Asks another worker, which has a connection to spare, for its permit.
    func askForConnection(of breaker: CircuitBreaker, worker: Int) {}

    /// Whether one more connection to an endpoint may be opened.
    func hasRoomForUpstream() -> Bool { upstreamCount < maxUpstreams }

    /// Adds the headers every answer of our own carries.
    func stampResponse(_ head: ResponseHead) {
        head.block.append(.date, "date", copying: dateBytes())
    }

    // MARK: Tunnels

    func tunnelOpened() {
        activeTunnels += 1
        tunnelCount += 1
    }

    func tunnelClosed() { activeTunnels -= 1 }

    // MARK: Heads

    func takeRequestHead() -> RequestHead { requestHeads.take() ?? RequestHead() }

    func recycle(_ head: RequestHead) {
        head.reset()
        if !requestHeads.put(head) { head.free() }
    }

    func takeResponseHead() -> ResponseHead { responseHeads.take() ?? ResponseHead() }

    func recycle(_ head: ResponseHead) {
        head.reset()
        if !responseHeads.put(head) { head.free() }
    }

    // MARK: Streams of HTTP/2 connections

    /// A stream that has been put aside; its reference is the caller's.
    func takeStream() -> Unmanaged<ServerStream>? { streams.take() }

    /// Puts a stream aside; its callers may still be using it.
    func recycle(_ stream: Unmanaged<ServerStream>) {
        if streams.put(stream) { return }
        loop.releaseLater(stream.takeUnretainedValue())
        stream.release()
    }

    /// The current date as an IMF-fixdate; borrowed until the next call.
    func dateBytes() -> UnsafeRawBufferPointer {
        refreshWallClock()
        return date.bytes(unixSeconds: unixSeconds)
    }

    /// What the loop's clock lacks to nanoseconds since 1970.
    func wallClockOffset() -> UInt64 {
        refreshWallClock()
        return wallOffset
    }

    private func refreshWallClock() {
        let now = loop.now
        guard now - dateAt > 250_000_000 || unixSeconds == 0 else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var monotonic = timespec()
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        dateAt = now
        unixSeconds = time.tv_sec
        let wall = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        wallOffset = wall &- (UInt64(monotonic.tv_sec) * 1_000_000_000 + UInt64(monotonic.tv_nsec))
    }

    // MARK: Connections

    var connectionCount: Int { connections.count }

    func opened(_ connection: any DrainableConnection) {
        acceptedCount += 1
        connection.hostIndex = connections.count
        connections.append(connection)
    }

    /// A connection has found that its client speaks another protocol: `successor` takes its place.
    func handedOver(_ connection: any DrainableConnection, to successor: any DrainableConnection) {
        successor.hostIndex = connection.hostIndex
        connections[connection.hostIndex] = successor
        connection.hostIndex = -1
    }

    func closed(_ connection: any DrainableConnection) {
        if remove(connection) { connectionClosed() }
    }

    @discardableResult
    private func remove(_ connection: any DrainableConnection) -> Bool {
        let index = connection.hostIndex
        guard index >= 0 else { return false }
        connection.hostIndex = -1
        guard let last = connections.popLast() else { return false }
        if last !== connection {
            connections[index] = last
            last.hostIndex = index
        }
        return true
    }

    /// A connection goes on under another object, which is opened next: neither counts as a new one.
    func leave(_ connection: any DrainableConnection) {
        acceptedCount -= 1
        remove(connection)
    }

    /// From now on answers close their connections; idle ones close at once.
    func beginDrain() {
        isDraining = true
        for connection in connections { connection.drain() }
    }

    /// Lets go of the connections that lead nowhere any more.
    func drain(where isLost: (any DrainableConnection) -> Bool) {
        for connection in connections where isLost(connection) { connection.drain() }
    }

    /// Cuts every connection that is left.
    func closeAllConnections() {
        for connection in connections { connection.closeNow() }
    }
}

/// A server connection as its host sees it.
protocol DrainableConnection: AnyObject {
    /// Its place in the host's list; -1 outside. Only the host writes it.
    var hostIndex: Int { get set }
    /// What its client's connection is.
    var downstream: DownstreamInfo { get }
    /// Close when idle, or after the answer being made.
    func drain()
    func closeNow()
}
