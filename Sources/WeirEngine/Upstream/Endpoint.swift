/// One address of a cluster, alive in one worker: its connections and how many requests it is serving.
final class Endpoint {
    let pool: ConnectionPool
    var weight: UInt32
    /// Number of its workload, for metrics.
    var workload: Int32
    /// Requests of this worker in flight.
    private(set) var active = 0
    /// Requests that it failed and that may be tried elsewhere; until then they borrow it for what is logged of them.
    private var failed = 0
    /// Itself, while there are requests that outlive its place in the cluster.
    private var last: Endpoint?

    init(pool: ConnectionPool, weight: UInt32, workload: Int32) {
        self.pool = pool
        self.weight = weight
        self.workload = workload
    }

    /// A request goes to this endpoint; it may borrow it until `requestEnded`.
    func requestBegan() { active += 1 }

    func requestEnded() {
        active -= 1
        letGo()
    }

    /// A try has failed; the request goes on borrowing the endpoint until `failureForgotten`.
    func requestFailed() {
        active -= 1
        failed += 1
    }

    func failureForgotten() {
        failed -= 1
        letGo()
    }

    private func letGo() {
        guard active == 0, let last, failed == 0 else { return }
        // The caller may still be using what only this reference keeps alive.
        pool.host.loop.releaseLater(last)
        self.last = nil
    }

    deinit { precondition(active + failed == 0, "an endpoint died with requests under way") }

    /// The endpoint has left its cluster: idle connections close, busy ones end with their requests.
    func leave() {
        pool.drain()
        if active + failed > 0 { last = self }
    }
}

/// The endpoints of a cluster in the order of its plan; owns them.
///
/// Reading one counts no reference, as an array's element would.
struct EndpointList: ~Copyable {
    private let slots: UnsafeMutablePointer<Unmanaged<Endpoint>>
    let count: Int

    init(_ endpoints: [Endpoint]) {
        count = endpoints.count
        slots = .allocate(capacity: max(count, 1))
        for (index, endpoint) in endpoints.enumerated() {
            (slots + index).initialize(to: Unmanaged.passRetained(endpoint))
        }
    }

    deinit {
        for index in 0..<count { slots[index].release() }
        slots.deallocate()
    }

    /// Borrowed: valid until the list changes.
    subscript(index: Int) -> Unmanaged<Endpoint> {
        precondition(index >= 0 && index < count, "no such endpoint")
        return slots[index]
    }

    func active(_ index: Int) -> Int { self[index]._withUnsafeGuaranteedRef { $0.active } }

    /// As counted references, for cold paths.
    var all: [Endpoint] { (0..<count).map { slots[$0].takeUnretainedValue() } }
}

extension EndpointAddress: Hashable {
    func hash(into hasher: inout Hasher) {
        withSockAddr { address, length in
            hasher.combine(bytes: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
    }
}
