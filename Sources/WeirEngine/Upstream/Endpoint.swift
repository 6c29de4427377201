/// One address of a cluster, alive in one worker: its connections and how many requests it is serving.
final class Endpoint {
    let pool: ConnectionPool
    var weight: UInt32
    /// Number of its workload, for metrics.
    var workload: Int32
    /// As in `ClusterSpec.Endpoint`.
    private(set) var priority = 0
    /// Requests of this worker in flight.
    private(set) var active = 0
    /// Requests that it failed and that may be tried elsewhere; until then they borrow it for what is logged of them.
    private var failed = 0
    /// Its health, where workers share it; `HealthCell` and plan are kept by the next one and the pool.
    private var health: (cell: Unmanaged<HealthCell>, plan: UnsafePointer<OutlierPlan>)?
    private(set) var cell: HealthCell?
    /// Itself, while there are requests that outlive its place in the cluster.
    private var last: Endpoint?

    init(pool: ConnectionPool, weight: UInt32 = 1, workload: Int32 = 0) {
        self.pool = pool
        self.weight = weight
        self.workload = workload
    }

    /// The endpoint as a newer plan has it, which its pool has adopted before.
    func adopt(_ plan: ClusterPlan, at index: Int) {
        weight = plan.endpoints[index].weight
        workload = plan.endpoints[index].workload
        priority = plan.spec.endpoints[index].priority
        cell = plan.health == nil ? nil : plan.cells[index]
        health = nil
        if let cell, let outlier = plan.outlier { health = (Unmanaged.passUnretained(cell), outlier) }
    }

    // MARK: Health

    /// A try was answered; a status of gRPC counts where the call is one (`isGRPC`).
    ///
    /// An answer that breaks off then is a failure as well.
    @inline(__always)  // one test on every answer
    func noteAnswer(_ head: ResponseHead, isGRPC: Bool) {
        if health != nil { count(head, isGRPC: isGRPC) }
    }

    /// A try has failed, or could not begin, for this reason.
    func noteFailure(_ error: ProxyError) {
        guard health != nil, error.source == .upstream else { return }
        switch error.cause {
        // Not the endpoint's fault.
        case .overflow, .cancelled, .headTooLarge: break
        case .connectFailure, .connectTimeout: noteFailure(.unconnected)
        default: noteFailure(.connected)
        }
    }

    /// A try was given up that had been sent, or was to be sent, over this stream.
    func noteTimeout(of upstream: Borrowed<ClientStream>) {
        guard health != nil else { return }
        switch upstream.with({ $0.reach }) {
        // It is the cluster that lacks a connection.
        case .queued: break
        case .connecting: noteFailure(.unconnected)
        case .connected: noteFailure(.connected)
        }
    }

    /// A try has brought no answer.
    func noteFailure(_ failure: LocalFailure) {
        guard let health else { return }
        health.cell._withUnsafeGuaranteedRef { cell in
            guard health.plan.pointee.splitsLocalFailures else {
                return cell.failed(isGatewayError: true, health.plan.pointee, now: pool.host.loop.now)
            }
            // What happens on a connection that stands is the first failure after a success.
            if failure == .connected { cell.connected() }
            cell.failedLocally(health.plan.pointee, now: pool.host.loop.now)
        }
    }

    /// A connection stands that passes bytes and no requests through.
    func noteConnected() {
        guard let health else { return }
        health.cell._withUnsafeGuaranteedRef { cell in
            cell.connected()
            if !health.plan.pointee.splitsLocalFailures { cell.succeeded() }
        }
    }

    private func count(_ head: ResponseHead, isGRPC: Bool) {
        guard let health else { return }
        let grpcStatus = isGRPC ? head.grpcStatus : -1
        let status = grpcStatus >= 0 ? GRPCStatus.http(code: grpcStatus) : head.status
        health.cell._withUnsafeGuaranteedRef { cell in
            cell.connected()
            guard health.plan.pointee.isError(status) else { return cell.succeeded() }
            cell.failed(
                isGatewayError: (502...504).contains(status), health.plan.pointee, now: pool.host.loop.now)
        }
    }

    // MARK: Requests

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

/// How a try failed that brought no answer.
enum LocalFailure {
    /// No connection could be had, or was there in time.
    case unconnected
    case connected
}

/// The endpoints of a cluster in the order of its plan, or some of them; owns them.
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
