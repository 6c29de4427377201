/// One generation of configuration, ready to serve: built off the workers, immutable, read by all of them.
///
/// A worker holds one strong reference and reads through borrowed plans; it returns the snapshot to the control thread
/// to be released.
package final class Snapshot: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    package let generation: UInt64
    package let listeners: [ListenerPlan]
    private let table: ClusterTable
    /// The table's.
    private let clusterSlots: UnsafePointer<Unmanaged<ClusterPlan>?>
    /// Cluster ids in use lie below it; it never shrinks from one generation to the next.
    package let clusterCapacity: Int
    private let listenerSlots: UnsafeMutablePointer<Unmanaged<ListenerPlan>>

    package init(generation: UInt64, listeners: [ListenerPlan], clusters: ClusterTable) {
        self.generation = generation
        self.listeners = listeners
        table = clusters
        clusterSlots = clusters.slots
        clusterCapacity = clusters.capacity
        listenerSlots = .copy(of: listeners.map { Unmanaged.passUnretained($0) })
    }

    package convenience init(
        generation: UInt64, listeners: [ListenerPlan], clusters: [ClusterPlan], clusterCapacity: Int
    ) {
        self.init(
            generation: generation, listeners: listeners, clusters: ClusterTable(clusters, capacity: clusterCapacity))
    }

    /// Serves nothing: what a worker starts with.
    package static let empty = Snapshot(generation: 0, listeners: [], clusters: [], clusterCapacity: 0)

    deinit { listenerSlots.deallocate() }

    /// In order of their ids.
    package var clusters: [ClusterPlan] { table.plans }

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

/// Clusters by id, shared by the generations that have the same ones.
package final class ClusterTable: @unchecked Sendable {
    // Sendable: immutable after init; what the pointer leads to is freed by deinit alone.

    /// In order of their ids.
    package let plans: [ClusterPlan]
    package let capacity: Int
    let slots: UnsafePointer<Unmanaged<ClusterPlan>?>

    /// `capacity` lies above all ids.
    package init(_ plans: [ClusterPlan], capacity: Int) {
        self.plans = plans
        self.capacity = capacity
        let slots = UnsafeMutablePointer<Unmanaged<ClusterPlan>?>.allocate(capacity: max(capacity, 1))
        slots.initialize(repeating: nil, count: max(capacity, 1))
        for plan in plans {
            precondition(plan.id >= 0 && Int(plan.id) < capacity, "cluster id out of range")
            slots[Int(plan.id)] = Unmanaged.passUnretained(plan)
        }
        self.slots = UnsafePointer(slots)
    }

    deinit { UnsafeMutablePointer(mutating: slots).deallocate() }
}
