/// A snapshot in plain values, for dumps and for tests.
package struct SnapshotDescription: Sendable, Hashable {
    package struct Listener: Sendable, Hashable {
        package var port: Int
        package var bind: String?
        package var hosts: [VirtualHost]
    }

    package struct VirtualHost: Sendable, Hashable {
        package var pattern: String
        package var routes: [Route]
    }

    package struct Route: Sendable, Hashable {
        /// Istio's route name, or empty.
        package var name: String
        /// One text a condition; empty = every request.
        package var match: [String]
        package var destinations: [Destination]
        /// What it does besides sending requests on, one text a thing.
        package var actions: [String]
        package var resource: String
        package var file: String
        package var line: Int
    }

    package struct Destination: Sendable, Hashable {
        package var cluster: String
        package var weight: Int
        /// There is such a cluster.
        package var isKnown: Bool
        /// What it adds to its route's.
        package var actions: [String]
    }

    package struct Cluster: Sendable, Hashable {
        package var id: Int
        package var name: String
        package var balancer: String
        package var connectTimeoutMilliseconds: Int
        package var idleTimeoutMilliseconds: Int
        package var endpoints: [Endpoint]
    }

    package struct Endpoint: Sendable, Hashable {
        /// `ip:port` or the path of a unix socket.
        package var address: String
        package var weight: Int
    }

    package var generation: UInt64
    package var listeners: [Listener]
    package var clusters: [Cluster]
}

extension Snapshot {
    /// The whole snapshot in plain values; any thread but a worker.
    package func describe() -> SnapshotDescription {
        SnapshotDescription(
            generation: generation,
            listeners: listeners.map { listener in
                SnapshotDescription.Listener(
                    port: listener.port, bind: listener.bind,
                    hosts: listener.hostsByPort.map {
                        SnapshotDescription.VirtualHost(pattern: $0.pattern, routes: $0.plan.describe())
                    })
            },
            clusters: clusters.map { $0.describe() })
    }
}

extension VirtualHostPlan {
    fileprivate func describe() -> [SnapshotDescription.Route] {
        specs.map { spec in
            // A lone destination takes everything, whatever weight was written.
            let isAlone = spec.destinations.count == 1
            return SnapshotDescription.Route(
                name: spec.origin.name,
                match: spec.conditions.map(\.description),
                destinations: spec.destinations.map {
                    SnapshotDescription.Destination(
                        cluster: $0.clusterName, weight: isAlone ? 100 : Int($0.weight),
                        isKnown: $0.clusterID >= 0, actions: $0.actions?.texts ?? [])
                },
                actions: spec.actions?.texts ?? [],
                resource: spec.origin.resource, file: spec.origin.file, line: spec.origin.line)
        }
    }
}

extension ClusterPlan {
    /// In plain values; any thread but a worker.
    package func describe() -> SnapshotDescription.Cluster {
        let policy =
            switch balancer {
            case .leastRequest: "LEAST_REQUEST"
            case .roundRobin: "ROUND_ROBIN"
            case .random: "RANDOM"
            case .passthrough: "PASSTHROUGH"
            case .ringHash: "RING_HASH"
            case .maglev: "MAGLEV"
            }
        return SnapshotDescription.Cluster(
            id: Int(id), name: spec.name, balancer: policy,
            connectTimeoutMilliseconds: connectTimeoutMilliseconds, idleTimeoutMilliseconds: idleTimeoutMilliseconds,
            endpoints: (0..<endpointCount).map {
                SnapshotDescription.Endpoint(
                    address: String(decoding: endpoints[$0].textBytes, as: UTF8.self),
                    weight: Int(endpoints[$0].weight))
            })
    }
}
