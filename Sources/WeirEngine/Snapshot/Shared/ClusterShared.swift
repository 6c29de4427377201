/// What all workers share of one cluster: one object for its id, made on the control side and kept from one generation to the
/// next, so that counts and states outlive a reload.
///
/// A cluster whose policy needs nothing of the kind has none (see `ClusterSpec.sharesState`).
package final class ClusterShared: Sendable {
    /// Worker threads of the engine, each with its own slot in what is shared.
    let workers: Int
    /// What the workers hold of the cluster's limits.
    let limits: LimitCounters

    package init(workers: Int) {
        self.workers = workers
        limits = LimitCounters(workers: workers)
    }
}

extension ClusterSpec {
    /// Whether workers must know of each other to serve this cluster.
    package var sharesState: Bool { limits.isActive }
}
