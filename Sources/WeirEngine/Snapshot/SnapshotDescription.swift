/// A snapshot in plain values, for dumps and for tests.
package struct SnapshotDescription: Sendable, Hashable {
    package struct Listener: Sendable, Hashable {
        package var port: Int
        package var bind: String?
        package var hosts: [VirtualHost]
        /// Where connections go that are no HTTP.
        package var streams: [StreamRoute] = []
        /// On a port that speaks TLS each server is a listener here, with what it is.
        package var tls: SecuredServer?
    }

    package struct StreamRoute: Sendable, Hashable {
        /// Empty = every connection.
        package var serverNames: [String]
        package var destinations: [Destination]
        package var resource: String
        package var file: String
        package var line: Int
    }

    /// What a server of TLS is, without anything secret.
    package struct SecuredServer: Sendable, Hashable {
        /// Of its route table.
        package var name: String
        package var serverNames: [String]
        /// It has what it needs to open connections.
        package var isServing: Bool
        /// Connections are not decrypted here.
        package var isPassedThrough: Bool
        /// `none`, `optional` or `required`; with the rest, empty where there is no certificate.
        package var clientCertificates: String
        /// `1.2` and the like.
        package var leastVersion: String
        package var greatestVersion: String
        package var protocols: [String]
        /// SHA-256 of each certificate, in hexadecimal digits.
        package var fingerprints: [String]
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
        /// 0 = it is used first.
        package var priority = 0
        /// `region/zone/subzone`; empty = unknown.
        package var locality = ""
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
            listeners: listeners.flatMap { listener in
                listener.servers.isEmpty
                    ? [listener.describe(server: nil)] : listener.servers.map { $0.describe(listener) }
            },
            clusters: clusters.map { $0.describe() })
    }
}

extension ListenerPlan {
    fileprivate func describe(server: SnapshotDescription.SecuredServer?) -> SnapshotDescription.Listener {
        SnapshotDescription.Listener(
            port: port, bind: bind,
            hosts: hostsByPort.map {
                SnapshotDescription.VirtualHost(pattern: $0.pattern, routes: $0.plan.describe())
            }, streams: stream?.describe() ?? [], tls: server)
    }
}

extension StreamPlan {
    fileprivate func describe() -> [SnapshotDescription.StreamRoute] {
        routes.map { route in
            let isAlone = route.destinations.count == 1
            return SnapshotDescription.StreamRoute(
                serverNames: route.serverNames,
                destinations: route.destinations.map {
                    SnapshotDescription.Destination(
                        cluster: $0.clusterName, weight: isAlone ? 100 : Int($0.weight), isKnown: $0.clusterID >= 0,
                        actions: [])
                }, resource: route.origin.resource, file: route.origin.file, line: route.origin.line)
        }
    }
}

extension TLSServerPlan {
    fileprivate func describe(_ listener: ListenerPlan) -> SnapshotDescription.Listener {
        let spec = contexts?.spec
        let isPassedThrough = if case .passthrough = content { true } else { false }
        let server = SnapshotDescription.SecuredServer(
            name: name, serverNames: patterns, isServing: contexts != nil || isPassedThrough,
            isPassedThrough: isPassedThrough,
            clientCertificates: spec?.clientVerification.word ?? "", leastVersion: spec?.minVersion.word ?? "",
            greatestVersion: spec?.maxVersion.word ?? "", protocols: spec?.applicationProtocols.map(\.word) ?? [],
            fingerprints: contexts?.certificates.map(\.sha256) ?? [])
        return switch content {
        case .http(let table): table.describe(server: server)
        case .stream(let plan), .passthrough(let plan):
            SnapshotDescription.Listener(
                port: listener.port, bind: listener.bind, hosts: [], streams: plan.describe(), tls: server)
        }
    }
}

extension TLSServerSpec.ClientVerification {
    fileprivate var word: String {
        switch self {
        case .none: "none"
        case .optional: "optional"
        case .required: "required"
        }
    }
}

extension TLSServerSpec.ProtocolVersion {
    fileprivate var word: String {
        switch self {
        case .tls10: "1.0"
        case .tls11: "1.1"
        case .tls12: "1.2"
        case .tls13: "1.3"
        }
    }
}

extension TLSServerSpec.ApplicationProtocol {
    fileprivate var word: String {
        switch self {
        case .http2: "h2"
        case .http11: "http/1.1"
        }
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
                actions: (spec.actions?.texts ?? []) + spec.mirrors.map(\.text),
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
                    weight: Int(endpoints[$0].weight), priority: spec.endpoints[$0].priority,
                    locality: spec.endpoints[$0].locality)
            })
    }
}
