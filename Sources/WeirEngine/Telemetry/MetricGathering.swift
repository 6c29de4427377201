/// The numbers of all workers, merged by what metrics call things, and the names to print them with.
package final class GatheredMetrics: @unchecked Sendable {
    // Sendable: changed under its gathering's lock alone, and not at all once it was passed on.

    /// Keys hold a service instead of a cluster, and the first workload of equal labels.
    private(set) var series: MetricTable
    /// The share of requests whose endpoint has a sidecar, under the same keys.
    private(set) var withSidecar: MetricTable
    /// The workers' plain counts.
    package private(set) var stats = EngineStats()
    private(set) var names = DestinationNames.Tables()

    init(workers: Int) {
        // What workers hold finds room here.
        let limit = workers * (MetricTable.workerLimit + MetricTable.spareSeries + 1)
        series = MetricTable(limit: limit)
        withSidecar = MetricTable(limit: limit)
    }

    /// `names` are later than the copy, so that they have what it counts by.
    func add(_ copy: MetricCopy, _ names: DestinationNames.Tables) {
        self.names = names
        let flags = copy.flagSets.map { series.flagNumber($0) }
        for number in 0..<copy.count {
            let one = copy[number]
            let key = one.key
            let merged = MetricKey(
                cluster: key.cluster == 0 ? 0 : names.service(cluster: key.cluster - 1),
                workload: Int(names.labelsOfWorkload[key.workload]), status: key.status, call: key.call,
                flags: flags[key.flags])
            series.series(for: merged).add(one)
            if names.workloads[key.workload].hasSidecar { withSidecar.series(for: merged).add(one) }
        }
    }

    func add(_ other: EngineStats) { stats.add(other) }
}

/// One question to all workers: each is asked in turn for its series, some at a time, so that none pauses for long.
final class MetricGathering: Sendable {
    /// Series a worker copies between two wake-ups: half a megabyte.
    static let seriesPerReply = 1024

    private let mailboxes: [Mailbox<WorkerMessage>]
    private let metrics: Guarded<GatheredMetrics>
    private let names: DestinationNames
    private let execute: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let done: @Sendable (GatheredMetrics) -> Void

    init(
        mailboxes: [Mailbox<WorkerMessage>], names: DestinationNames,
        execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        done: @escaping @Sendable (GatheredMetrics) -> Void
    ) {
        self.mailboxes = mailboxes
        self.names = names
        metrics = Guarded(GatheredMetrics(workers: mailboxes.count))
        self.execute = execute
        self.done = done
    }

    func start() { ask(0, from: 0) }

    private func ask(_ worker: Int, from first: Int) {
        mailboxes[worker].post(.series(self, worker: worker, from: first))
    }

    /// On the worker's thread: passes its reply on to where it is merged.
    func reply(_ copy: MetricCopy, _ stats: EngineStats?, worker: Int) {
        execute { self.take(copy, stats, worker: worker) }
    }

    private func take(_ copy: MetricCopy, _ stats: EngineStats?, worker: Int) {
        let metrics = metrics.withLock { metrics in
            metrics.add(copy, names.tables)
            if let stats { metrics.add(stats) }
            return metrics
        }
        if !copy.isLast {
            ask(worker, from: copy.first + copy.count)
        } else if worker + 1 < mailboxes.count {
            ask(worker + 1, from: 0)
        } else {
            done(metrics)
        }
    }
}
