/// What the workers are doing at one endpoint, summed.
package struct EndpointLoad: Sendable, Equatable {
    /// Requests being served now.
    package var activeRequests = 0
    /// Connections open now, idle ones included.
    package var connections = 0
    package var idleConnections = 0

    package init() {}

    mutating func add(_ other: EndpointLoad) {
        activeRequests += other.activeRequests
        connections += other.connections
        idleConnections += other.idleConnections
    }
}

/// The load of every endpoint that a worker has used.
package struct EndpointLoads: Sendable {
    private struct Key: Hashable {
        let cluster: Int32
        let address: String
    }
    private var loads: [Key: EndpointLoad] = [:]

    package init() {}

    /// Of the endpoint with this `ip:port` or path.
    package subscript(cluster id: Int, address text: String) -> EndpointLoad {
        loads[Key(cluster: Int32(truncatingIfNeeded: id), address: text)] ?? EndpointLoad()
    }

    mutating func add(_ part: ClusterLoads) {
        for (index, load) in part.loads.enumerated() {
            let text = String(decoding: part.plan.endpoints[part.first + index].textBytes, as: UTF8.self)
            loads[Key(cluster: part.plan.id, address: text), default: EndpointLoad()].add(load)
        }
    }
}

/// Some neighbouring endpoints of a cluster as one worker sees them.
struct ClusterLoads: Sendable {
    let plan: ClusterPlan
    /// Place of the first one in the plan.
    let first: Int
    let loads: [EndpointLoad]
}

/// Where a worker goes on listing.
struct EndpointPosition: Sendable {
    var cluster = 0
    var endpoint = 0
}

/// One question to all workers: each is asked in turn, some endpoints at a time, so that none pauses for long.
final class EndpointGathering: Sendable {
    /// Endpoints a worker lists between two wake-ups.
    static let endpointsPerReply = 1024

    private let mailboxes: [Mailbox<WorkerMessage>]
    private let loads = Guarded(EndpointLoads())
    private let execute: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let done: @Sendable (EndpointLoads) -> Void

    init(
        mailboxes: [Mailbox<WorkerMessage>], execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        done: @escaping @Sendable (EndpointLoads) -> Void
    ) {
        self.mailboxes = mailboxes
        self.execute = execute
        self.done = done
    }

    func start() { ask(0, from: EndpointPosition()) }

    private func ask(_ worker: Int, from position: EndpointPosition) {
        mailboxes[worker].post(.endpoints(self, worker: worker, from: position))
    }

    /// On the worker's thread; `next` is `nil` when it has listed all.
    func reply(_ parts: [ClusterLoads], next: EndpointPosition?, worker: Int) {
        execute { self.take(parts, next: next, worker: worker) }
    }

    private func take(_ parts: [ClusterLoads], next: EndpointPosition?, worker: Int) {
        loads.withLock { loads in
            for part in parts { loads.add(part) }
        }
        if let next {
            ask(worker, from: next)
        } else if worker + 1 < mailboxes.count {
            ask(worker + 1, from: EndpointPosition())
        } else {
            done(loads.withLock { $0 })
        }
    }
}
