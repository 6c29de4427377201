/// The service a cluster belongs to, as metrics name it.
package struct ServiceLabels: Sendable, Hashable {
    /// Full name.
    package var host: String
    /// Short name; the full one where the service was declared by a ServiceEntry.
    package var name: String
    package var namespace: String

    package init(host: String, name: String, namespace: String) {
        self.host = host
        self.name = name
        self.namespace = namespace
    }
}

/// What runs behind an endpoint, as metrics name it; empty = unknown.
package struct WorkloadLabels: Sendable, Hashable {
    package var workload = ""
    package var namespace = ""
    package var app = ""
    package var version = ""
    package var canonicalService = ""
    package var canonicalRevision = ""
    /// A sidecar reports its requests as well.
    package var hasSidecar = false

    package init() {}
}

/// The names behind the numbers that workers count requests by.
///
/// Written by the control thread, read when metrics are asked for. Nothing is ever forgotten: series outlive their clusters.
package final class DestinationNames: Sendable {
    /// All names, as of one moment.
    struct Tables: Sendable {
        /// By service number; 0 = unknown.
        var services = [ServiceLabels(host: "", name: "", namespace: "")]
        /// Service number by cluster id.
        var serviceOfCluster: [Int32] = []
        /// By workload number; 0 = unknown.
        var workloads = [WorkloadLabels()]
        /// By workload number: the first that has the same labels, sidecar or not.
        var labelsOfWorkload: [Int32] = [0]

        func service(cluster id: Int) -> Int {
            serviceOfCluster.indices.contains(id) ? Int(serviceOfCluster[id]) : 0
        }
    }

    private struct State {
        var tables = Tables()
        var serviceNumbers: [String: Int32] = [:]
        var workloadNumbers: [WorkloadLabels: Int32] = [WorkloadLabels(): 0]
    }

    private let state = Guarded(State())

    package init() {}

    /// The number of a workload: the same for equal labels, never given to others; 0 when there are too many.
    package func number(of workload: WorkloadLabels) -> Int32 {
        state.withLock { state in
            if let known = state.workloadNumbers[workload] { return known }
            guard state.tables.workloads.count < MetricKey.workloadLimit else { return 0 }
            let number = Int32(state.tables.workloads.count)
            var other = workload
            other.hasSidecar.toggle()
            state.tables.labelsOfWorkload.append(state.workloadNumbers[other] ?? number)
            state.tables.workloads.append(workload)
            state.workloadNumbers[workload] = number
            return number
        }
    }

    /// The cluster of this id belongs to this service.
    package func cluster(_ id: Int32, belongsTo service: ServiceLabels) {
        state.withLock { state in
            let number: Int32
            if let known = state.serviceNumbers[service.host] {
                number = known
                if state.tables.services[Int(known)] != service { state.tables.services[Int(known)] = service }
            } else {
                number = Int32(state.tables.services.count)
                state.tables.services.append(service)
                state.serviceNumbers[service.host] = number
            }
            let missing = Int(id) + 1 - state.tables.serviceOfCluster.count
            if missing > 0 { state.tables.serviceOfCluster += Array(repeating: 0, count: missing) }
            if state.tables.serviceOfCluster[Int(id)] != number { state.tables.serviceOfCluster[Int(id)] = number }
        }
    }

    var tables: Tables { state.withLock { $0.tables } }
}
