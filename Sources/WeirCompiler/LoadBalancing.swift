import WeirConfig
import WeirEngine

extension BalancerPolicy {
    /// The algorithm of a `loadBalancer` block; LEAST_REQUEST without one.
    init(_ block: TrafficPolicy.LoadBalancer?) {
        if let hash = block?.consistentHash {
            switch hash.algorithm {
            case .ringHash(let size): self = .ringHash(minimumSize: size)
            case .maglev(let size): self = .maglev(size: size)
            }
            return
        }
        switch block?.simple {
        case .leastRequest, nil: self = .leastRequest
        case .roundRobin: self = .roundRobin
        case .random: self = .random
        case .passthrough: self = .passthrough
        }
    }
}

extension HashPolicy {
    /// What a `consistentHash` block says to look at; `nil` when it names nothing.
    init?(_ hash: TrafficPolicy.ConsistentHash?) {
        switch hash?.key {
        case .httpHeader(let name): self = .header(name)
        case .httpCookie(let cookie): self = .cookie(Cookie(cookie))
        case .sourceIP: self = .sourceAddress
        case .httpQueryParameter(let name): self = .query(name)
        case nil: return nil
        }
    }
}

extension HashPolicy.Cookie {
    fileprivate init(_ cookie: TrafficPolicy.ConsistentHash.Cookie) {
        self.init(
            name: cookie.name, maxAgeSeconds: cookie.ttlMilliseconds.map { $0 / 1000 }, path: cookie.path ?? "",
            attributes: cookie.attributes.map { HashPolicy.Attribute(name: $0.name, value: $0.value) })
    }
}

/// The hash policies of a route, gathered from its destinations.
struct RouteHashing {
    private(set) var policies: [HashPolicy] = []
    /// The only destination goes by keys, so a further try is not steered away from endpoints tried before.
    private(set) var repeatsEndpoints = false

    /// `resolved`: what the route's destinations, in order, led to.
    init(_ resolved: ArraySlice<ResolvedDestination>, weights: [Int?]) {
        guard resolved.contains(where: { $0.hash != nil }) else { return }
        let isAlone = resolved.count == 1
        repeatsEndpoints = isAlone
        // A destination of weight 0 is none, unless it is the only one.
        policies = zip(resolved, weights).compactMap { destination, weight in
            isAlone || (weight ?? 0) > 0 ? HashPolicy(destination.hash) : nil
        }
    }
}

extension RouteSpec {
    mutating func take(_ hashing: RouteHashing) {
        hashPolicies = hashing.policies
    }
}
