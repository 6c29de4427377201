/// Everything that makes up a cluster's plan; two equal specs make interchangeable plans.
package struct ClusterSpec: Sendable, Hashable {
    package struct Endpoint: Sendable, Hashable {
        package var target: EndpointTarget
        package var port: UInt16
        /// At least 1.
        package var weight: UInt32
        /// Number of its workload (see `DestinationNames`); 0 = unknown.
        package var workload: Int32

        package init(_ target: EndpointTarget, port: UInt16, weight: UInt32 = 1, workload: Int32 = 0) {
            self.target = target
            self.port = port
            self.weight = weight
            self.workload = workload
        }
    }

    /// Identity: `outbound|<port>|<subset>|<fqdn>`.
    package var name: String
    package var endpoints: [Endpoint] = []
    package var balancer = BalancerPolicy.leastRequest
    package var connectTimeoutMilliseconds = 10_000
    /// 0 = idle connections are kept for ever (Istio: `tcp.idleTimeout: 0s`).
    package var idleTimeoutMilliseconds = 3_600_000

    /// Name and port of its one endpoint, whose address may change: connections that stand are used on, new ones go to the
    /// new address (Envoy's LOGICAL_DNS).
    package var logicalName: String?

    /// How its endpoints are come by, for listings.
    package var discovery = EndpointDiscovery.listed
    /// `name.namespace` of the DestinationRule it was made with, for listings.
    package var destinationRule: String?

    package init(name: String) {
        self.name = name
    }

    /// Whether keys lead to the same endpoints.
    func isBalanced(as other: ClusterSpec) -> Bool {
        balancer == other.balancer
            && endpoints.elementsEqual(other.endpoints) {
                $0.target == $1.target && $0.port == $1.port && $0.weight == $1.weight
            }
    }
}

/// How an endpoint is chosen (Istio: `loadBalancer`).
package enum BalancerPolicy: Sendable, Hashable {
    case leastRequest
    case roundRobin
    case random
    /// Where the client was going, and that is the gateway: there is no endpoint to choose.
    case passthrough
    /// By a key of the request, over a ring of at least so many points.
    case ringHash(minimumSize: Int)
    /// By a key of the request, through a table of so many slots.
    case maglev(size: Int)
}

/// How a cluster's endpoints are come by.
package enum EndpointDiscovery: UInt8, Sendable, Hashable {
    case listed
    /// Every address of a name.
    case names
    /// The first address of a name.
    case firstAddress
}

/// One endpoint of a cluster on the hot path.
///
/// Trivial; borrows from its `ClusterPlan`.
struct EndpointPlan {
    let address: EndpointAddress
    let weight: UInt32
    let workload: Int32
    /// `ip:port` or the path, for logs.
    let text: UnsafePointer<UInt8>
    let textLength: UInt32

    var textBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: text, count: Int(textLength)) }
}

/// A destination and its endpoints as of one generation; the same object serves later ones while nothing changes.
package final class ClusterPlan: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    /// Stable over generations for one name.
    package let id: Int32
    package let spec: ClusterSpec
    let endpoints: UnsafePointer<EndpointPlan>
    let endpointCount: Int
    let balancer: BalancerPolicy
    let connectTimeoutMilliseconds: Int
    let idleTimeoutMilliseconds: Int
    /// Where requests with a key go; `nil` for a policy that looks at none.
    let affinity: AffinityTable?
    /// The name's bytes, for logs and metrics.
    let name: UnsafeRawBufferPointer
    private let arena: UnsafeMutablePointer<UInt8>

    /// What was built for the plan this one `replaces` is used again where it is the same.
    package init(id: Int32, spec: ClusterSpec, replacing former: ClusterPlan? = nil) {
        self.id = id
        self.spec = spec
        balancer = spec.balancer
        connectTimeoutMilliseconds = spec.connectTimeoutMilliseconds
        idleTimeoutMilliseconds = spec.idleTimeoutMilliseconds
        let served = spec.balancer == .passthrough ? [] : spec.endpoints

        // A unix endpoint's text is its path: one copy serves both.
        let texts = served.map { Self.text($0) }
        let size = texts.reduce(spec.name.utf8.count) { $0 + $1.utf8.count }
        let arena = UnsafeMutablePointer<UInt8>.allocate(capacity: max(size, 1))
        var used = 0
        func store(_ text: String) -> (start: UnsafePointer<UInt8>, count: Int) {
            let start = arena + used
            for byte in text.utf8 {
                (arena + used).initialize(to: byte)
                used += 1
            }
            return (UnsafePointer(start), (arena + used) - start)
        }
        let stored = store(spec.name)
        name = UnsafeRawBufferPointer(start: stored.start, count: stored.count)
        let plans = UnsafeMutablePointer<EndpointPlan>.allocate(capacity: max(texts.count, 1))
        for (index, endpoint) in served.enumerated() {
            let text = store(texts[index])
            (plans + index).initialize(
                to: EndpointPlan(
                    address: EndpointAddress(endpoint.target, port: endpoint.port, path: text.start),
                    weight: max(endpoint.weight, 1), workload: endpoint.workload, text: text.start,
                    textLength: UInt32(text.count)))
        }
        self.arena = arena
        endpoints = UnsafePointer(plans)
        endpointCount = texts.count
        if let former, former.spec.isBalanced(as: spec) {
            affinity = former.affinity
        } else {
            affinity = AffinityTable(
                spec.balancer,
                served.indices.map {
                    AffinityTable.Place(key: texts[$0], weight: max(served[$0].weight, 1), index: UInt32($0))
                })
        }
    }

    deinit {
        UnsafeMutablePointer(mutating: endpoints).deallocate()
        arena.deallocate()
    }

    private static func text(_ endpoint: ClusterSpec.Endpoint) -> String {
        if case .unix(let path) = endpoint.target { return path }
        return EndpointAddress(endpoint.target, port: endpoint.port).text
    }
}
