import WeirEngine

/// The body of `/config_dump`, made host by host and cluster by cluster as the client takes it.
///
/// Holds plain values, so a slow client keeps no snapshot alive.
final class ConfigDump: Sendable {
    private enum Position {
        case start
        case listener(Int)
        case host(listener: Int, host: Int)
        case cluster(Int)
        case done
    }

    private let description: SnapshotDescription
    private let position = Guarded(Position.start)

    init(_ description: SnapshotDescription) { self.description = description }

    /// The next piece, or `nil` at the end.
    func next() -> [UInt8]? {
        position.withLock { position in
            switch position {
            case .start:
                position = .listener(0)
                return Array("{\n\"generation\": \(description.generation),\n\"listeners\": [\n".utf8)
            case .listener(let index): return listener(index, &position)
            case .host(let index, let host): return self.host(host, of: index, &position)
            case .cluster(let index): return cluster(index, &position)
            case .done: return nil
            }
        }
    }

    private func listener(_ index: Int, _ position: inout Position) -> [UInt8] {
        guard index < description.listeners.count else {
            position = .cluster(0)
            return Array("],\n\"clusters\": [\n".utf8)
        }
        position = .host(listener: index, host: 0)
        let listener = description.listeners[index]
        let head = JSONText.pretty(ListenerHead(listener)).dropLast(2)
        return Array(index == 0 ? "".utf8 : ",\n".utf8) + head + Array(",\n\"hosts\": [\n".utf8)
    }

    private func host(_ index: Int, of listener: Int, _ position: inout Position) -> [UInt8] {
        let hosts = description.listeners[listener].hosts
        guard index < hosts.count else {
            position = .listener(listener + 1)
            return Array("]}".utf8)
        }
        position = .host(listener: listener, host: index + 1)
        return Array(index == 0 ? "".utf8 : ",\n".utf8) + JSONText.pretty(Host(hosts[index]))
    }

    private func cluster(_ index: Int, _ position: inout Position) -> [UInt8] {
        guard index < description.clusters.count else {
            position = .done
            return Array("]\n}\n".utf8)
        }
        position = .cluster(index + 1)
        return Array(index == 0 ? "".utf8 : ",\n".utf8) + JSONText.pretty(Cluster(description.clusters[index]))
    }
}

// The snapshot's description in the words of the dump.

private struct ListenerHead: Encodable {
    var port: Int
    var bind: String?
    /// A server of a port that speaks TLS.
    var tls: SecuredServer?
    var streams: [Stream]?

    init(_ listener: SnapshotDescription.Listener) {
        port = listener.port
        bind = listener.bind
        tls = listener.tls.map(SecuredServer.init)
        streams = listener.streams.isEmpty ? nil : listener.streams.map(Stream.init)
    }
}

private struct SecuredServer: Encodable {
    var name: String
    var serverNames: [String]
    /// Why no connection can be opened, if so.
    var problem: String?
    var passthrough: Bool?
    var clientCertificates: String?
    var versions: [String]?
    var protocols: [String]?
    var certificateFingerprints: [String]?

    init(_ server: SnapshotDescription.SecuredServer) {
        name = server.name
        serverNames = server.serverNames
        guard !server.isPassedThrough else {
            passthrough = true
            return
        }
        guard server.isServing else {
            problem = "no usable certificate"
            return
        }
        clientCertificates = server.clientCertificates
        versions = [server.leastVersion, server.greatestVersion]
        protocols = server.protocols
        certificateFingerprints = server.fingerprints
    }
}

private struct Stream: Encodable {
    var serverNames: [String]
    var destinations: [Route.Destination]
    var resource: String
    var file: String
    var line: Int

    init(_ stream: SnapshotDescription.StreamRoute) {
        serverNames = stream.serverNames
        destinations = stream.destinations.map {
            Route.Destination(cluster: $0.cluster, weight: $0.weight, missing: $0.isKnown ? nil : true)
        }
        resource = stream.resource
        file = stream.file
        line = stream.line
    }
}

private struct Host: Encodable {
    var host: String
    var routes: [Route]

    init(_ host: SnapshotDescription.VirtualHost) {
        self.host = host.pattern
        routes = host.routes.map(Route.init)
    }
}

private struct Route: Encodable {
    struct Destination: Encodable {
        var cluster: String
        var weight: Int
        /// There is no such cluster: requests get a 503.
        var missing: Bool?
        /// What it does to requests and answers besides the route's own.
        var actions: [String]?
    }

    var name: String?
    var match: [String]
    var destinations: [Destination]
    /// What the route does besides sending requests on.
    var actions: [String]?
    var resource: String
    var file: String
    var line: Int

    init(_ route: SnapshotDescription.Route) {
        name = route.name.isEmpty ? nil : route.name
        match = route.match
        destinations = route.destinations.map {
            Destination(
                cluster: $0.cluster, weight: $0.weight, missing: $0.isKnown ? nil : true,
                actions: $0.actions.isEmpty ? nil : $0.actions)
        }
        actions = route.actions.isEmpty ? nil : route.actions
        resource = route.resource
        file = route.file
        line = route.line
    }
}

private struct Cluster: Encodable {
    struct Endpoint: Encodable {
        var address: String
        var weight: Int
    }

    var name: String
    var balancer: String
    var connectTimeoutMilliseconds: Int
    var idleTimeoutMilliseconds: Int
    var endpoints: [Endpoint]

    init(_ cluster: SnapshotDescription.Cluster) {
        name = cluster.name
        balancer = cluster.balancer
        connectTimeoutMilliseconds = cluster.connectTimeoutMilliseconds
        idleTimeoutMilliseconds = cluster.idleTimeoutMilliseconds
        endpoints = cluster.endpoints.map { Endpoint(address: $0.address, weight: $0.weight) }
    }
}
