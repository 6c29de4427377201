/// Everything that makes up a cluster's plan; two equal specs make interchangeable plans.
package struct ClusterSpec: Sendable, Hashable {
    package struct Endpoint: Sendable, Hashable {
        package var target: EndpointTarget
        package var port: UInt16
        /// At least 1.
        package var weight: UInt32
        /// Number of its workload (see `DestinationNames`); 0 = unknown.
        package var workload: Int32
        /// 0 = it is used first; the priorities of a cluster's endpoints leave no number out.
        package var priority = 0
        /// `region/zone/subzone`; empty = unknown.
        package var locality = ""

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
    /// When an endpoint that fails is taken out; `nil` = never.
    package var outlier: OutlierSpec?
    /// With a smaller share of healthy endpoints than this, in percent, health is not heeded; 0 = it always is.
    package var panicPercent = 0
    /// How new endpoints begin; `nil` = with their full share.
    package var warmup: WarmupSpec?
    /// Shares of localities, where these count and not the endpoints' weights alone; empty = nowhere.
    package var localityShares: [String: UInt32] = [:]
    package var connectTimeoutMilliseconds = 10_000
    /// 0 = idle connections are kept for ever (Istio: `tcp.idleTimeout: 0s`).
    package var idleTimeoutMilliseconds = 3_600_000
    /// What all workers together may use of it.
    package var limits = ClusterLimits()
    package var life = ConnectionLife()

    /// What is spoken with the endpoints.
    package var httpVersion = UpstreamProtocol.http1
    /// `nil` = connections are not secured.
    package var tls: TLSClientSpec?
    /// Each connection begins with a PROXY protocol header that names its client; `nil` = none does.
    package var proxyHeader: ProxyHeaderVersion?
    /// Why no connection can be made as the configuration asks; requests are answered with an error that says so.
    package var transportProblem: String?
    /// Requests at a time on one HTTP/2 connection, as far as the endpoint takes them.
    package var maxConcurrentStreams = HTTP2Plan.mostStreams
    /// How often a quiet HTTP/2 connection is asked whether it is there, and for how long an answer is waited for; 0 = never.
    package var pingIntervalMilliseconds = 0
    package var pingTimeoutMilliseconds = 0

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

/// What is spoken with a cluster's endpoints.
package enum UpstreamProtocol: UInt8, Sendable, Hashable {
    case http1
    case http2
    /// What the client speaks (Istio: `useClientProtocol`).
    case asClient
}

/// How HTTP/2 connections to endpoints are used.
package struct HTTP2Plan: Sendable {
    /// Requests at a time on one connection where the configuration says nothing.
    package static let mostStreams = 1024

    let maxConcurrentStreams: Int
    /// See `ClusterSpec.pingIntervalMilliseconds`.
    let pingIntervalMilliseconds: Int
    let pingTimeoutMilliseconds: Int
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

    /// Requests go by what is made of them.
    var usesKeys: Bool {
        switch self {
        case .ringHash, .maglev: true
        case .leastRequest, .roundRobin, .random, .passthrough: false
        }
    }

    /// New endpoints may begin with less than their share.
    var warmsUp: Bool { self == .leastRequest || self == .roundRobin }
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
    let life: ConnectionLife
    let transport: TransportPlan
    /// See `ClusterSpec.transportProblem`.
    let transportProblem: [UInt8]?
    let http2: HTTP2Plan
    /// What the workers share of the cluster; `nil` where its policy needs nothing of the kind.
    let shared: ClusterShared?
    /// Where requests with a key go; `nil` for a policy that looks at none.
    let affinity: AffinityTable?
    /// What workers share of the endpoints' health; `nil` where it is not looked at.
    package let health: HealthTable?
    /// By endpoint; as empty as `health` is `nil`.
    let cells: [HealthCell]
    /// See `ClusterSpec.outlier`; freed with the plan.
    let outlier: UnsafePointer<OutlierPlan>?
    let warmup: WarmupSpec?
    /// The name's bytes, for logs and metrics.
    let name: UnsafeRawBufferPointer
    private let arena: UnsafeMutablePointer<UInt8>

    /// What was built for the plan this one `replaces` is used again where it is the same.
    ///
    /// `tls` is made of the spec's, where it has one. `shared` is the id's; without it the former plan's goes on. `now`: monotonic
    /// nanoseconds.
    package init(
        id: Int32, spec: ClusterSpec, replacing former: ClusterPlan? = nil, tls: TLSClientContexts? = nil,
        shared: ClusterShared? = nil, now: UInt64 = Loop.monotonicTime()
    ) {
        precondition(spec.tls == tls?.spec, "a cluster with the TLS of another")
        self.id = id
        self.spec = spec
        transport = TransportPlan(httpVersion: spec.httpVersion, tls: tls, proxyHeader: spec.proxyHeader)
        transportProblem = spec.transportProblem.map { Array($0.utf8) }
        http2 = HTTP2Plan(
            maxConcurrentStreams: spec.maxConcurrentStreams, pingIntervalMilliseconds: spec.pingIntervalMilliseconds,
            pingTimeoutMilliseconds: spec.pingTimeoutMilliseconds)
        self.shared = spec.sharesState ? shared ?? former?.shared : nil
        precondition(!spec.sharesState || self.shared != nil, "a cluster without what its workers share")
        balancer = spec.balancer
        connectTimeoutMilliseconds = spec.connectTimeoutMilliseconds
        idleTimeoutMilliseconds = spec.idleTimeoutMilliseconds
        life = spec.life
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
        warmup = spec.balancer.warmsUp ? spec.warmup : nil
        if spec.outlier != nil || warmup != nil {
            let table = former?.health ?? HealthTable()
            health = table
            cells = table.adopt(served, spec.outlier, now: now)
        } else {
            health = nil
            cells = []
        }
        outlier = spec.outlier.map { UnsafePointer(UnsafeMutablePointer.copy(of: [OutlierPlan($0)])) }
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
        if let outlier { UnsafeMutablePointer(mutating: outlier).deallocate() }
        arena.deallocate()
    }

    /// Endpoints are not all alike: some are used before others, or not always, or less.
    var isSelective: Bool {
        health != nil || !spec.localityShares.isEmpty || spec.endpoints.contains { $0.priority > 0 }
    }

    private static func text(_ endpoint: ClusterSpec.Endpoint) -> String {
        if case .unix(let path) = endpoint.target { return path }
        return EndpointAddress(endpoint.target, port: endpoint.port).text
    }
}
