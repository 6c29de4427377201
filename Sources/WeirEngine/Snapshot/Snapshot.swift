/// One generation of configuration, ready to serve: built off the workers, immutable, read by all of them.
///
/// A worker holds one strong reference and reads through borrowed plans; it returns the snapshot to the control thread
/// to be released.
package final class Snapshot: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    package let generation: UInt64
    package let listeners: [ListenerPlan]
    /// In order of their ids.
    package let clusters: [ClusterPlan]
    /// Cluster ids in use lie below it. Never shrinks from one generation to the next.
    package let clusterCapacity: Int
    private let clusterSlots: UnsafeMutablePointer<Unmanaged<ClusterPlan>?>
    private let listenerSlots: UnsafeMutablePointer<Unmanaged<ListenerPlan>>

    package init(generation: UInt64, listeners: [ListenerPlan], clusters: [ClusterPlan], clusterCapacity: Int) {
        self.generation = generation
        self.listeners = listeners
        self.clusters = clusters
        self.clusterCapacity = clusterCapacity
        listenerSlots = .copy(of: listeners.map { Unmanaged.passUnretained($0) })
        clusterSlots = .allocate(capacity: max(clusterCapacity, 1))
        clusterSlots.initialize(repeating: nil, count: max(clusterCapacity, 1))
        for cluster in clusters {
            precondition(cluster.id >= 0 && Int(cluster.id) < clusterCapacity, "cluster id out of range")
            clusterSlots[Int(cluster.id)] = Unmanaged.passUnretained(cluster)
        }
    }

    /// Serves nothing: what a worker starts with.
    package static let empty = Snapshot(generation: 0, listeners: [], clusters: [], clusterCapacity: 0)

    deinit {
        clusterSlots.deallocate()
        listenerSlots.deallocate()
    }

    /// The plan of a cluster, or `nil` when this generation has none of this id; valid while the snapshot lives.
    func cluster(id: Int32) -> Unmanaged<ClusterPlan>? {
        guard id >= 0, Int(id) < clusterCapacity else { return nil }
        return clusterSlots[Int(id)]
    }

    /// The listener at a place in `listeners`; valid while the snapshot lives.
    func listener(at index: Int) -> Unmanaged<ListenerPlan> {
        listenerSlots[index]
    }

    /// Place of the listener with this declared port and address, or `nil`.
    package func listenerIndex(port: Int, bind: String?) -> Int? {
        listeners.firstIndex { $0.port == port && $0.bind == bind }
    }
}
