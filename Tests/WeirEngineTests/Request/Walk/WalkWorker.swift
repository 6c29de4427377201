@testable import WeirEngine

/// A worker whose endpoints are the walk's.
final class WalkWorker: Worker {
    private let mail: Mailbox<WorkerMessage>
    var leasing: (RequestHead, Borrowed<MessageSink>) -> Borrowed<ClientStream>? = { _, _ in nil }

    private init(mail: Mailbox<WorkerMessage>) {
        self.mail = mail
        super.init(
            index: 0, mailbox: mail, serverName: ServerName("weir"), retired: RetiredSnapshots(notify: {}))
    }

    static func make() -> WalkWorker { WalkWorker(mail: Mailbox()) }

    override func makePool(to address: EndpointAddress, _ plan: ClusterPlan) -> ConnectionPool {
        let pool = WalkPool(host: self, address: address, plan: plan)
        pool.worker = self
        return pool
    }

    /// Posts the generation and lets the worker take it.
    func adopt(_ snapshot: Snapshot) {
        mail.post(.adopt(snapshot, slots: [0], ticket: AdoptionTicket(workers: 1, done: {})))
        loop.tick(wait: true)
    }

    /// What the worker reports of itself.
    func report() -> EngineStats {
        let answer = Guarded(EngineStats())
        mail.post(.stats(StatsCollector(workers: 1) { stats in answer.withLock { $0 = stats } }))
        loop.tick(wait: true)
        return answer.withLock { $0 }
    }

    /// As the endpoints of the present generation count them.
    var activeRequests: Int {
        guard let cluster = currentCluster(0) else { return 0 }
        return cluster._withUnsafeGuaranteedRef { cluster in
            cluster.loads(from: 0, most: 100).loads.reduce(0) { $0 + $1.activeRequests }
        }
    }
}

private final class WalkPool: ConnectionPool {
    /// Its owner's owner.
    unowned var worker: WalkWorker?

    override func lease(for head: RequestHead, to sink: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        worker.flatMap { $0.leasing(head, sink) }
    }
}
