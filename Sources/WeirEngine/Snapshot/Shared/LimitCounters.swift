/// What the workers hold of a cluster's limits all together, and which of them wait for a connection.
///
/// The limits themselves belong to the plans, of which a worker has the one of its generation; the counts belong to the cluster.
/// Any thread.
final class LimitCounters: @unchecked Sendable {
    // Sendable: what the pointer leads to is atomic, and freed by deinit alone.

    private static let counts = 5
    private let memory: UnsafeMutableRawPointer
    /// Connections, from before their socket is opened until it is closed.
    let connections: SharedCount
    /// Requests that wait for a connection, one that is being opened included.
    let pending: SharedCount
    /// Those of them that have no connection yet, and so are none of `requests`.
    let queued: SharedCount
    /// Requests on a connection.
    let requests: SharedCount
    /// Requests that are being tried again, the wait before it included.
    let retries: SharedCount
    /// Who waits for a connection, and who could spare one.
    let waiting: WaitingWorkers
    /// How often each limit was met.
    let overflows: LimitOverflows

    init(workers: Int) {
        precondition(workers > 0, "a cluster for nobody")
        let line = SharedCount.lineBytes
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Self.counts * line + line + WaitingWorkers.byteCount(workers: workers), alignment: line)
        self.memory = memory
        connections = SharedCount(line: memory)
        pending = SharedCount(line: memory + line)
        requests = SharedCount(line: memory + 2 * line)
        retries = SharedCount(line: memory + 3 * line)
        queued = SharedCount(line: memory + 4 * line)
        overflows = LimitOverflows(line: memory + Self.counts * line)
        waiting = WaitingWorkers(workers: workers, memory: memory + Self.counts * line + line)
    }

    deinit { memory.deallocate() }

    /// Requests on a connection or waiting for one, each counted once.
    var requestsUnderWay: Int { requests.now + queued.now }
}
