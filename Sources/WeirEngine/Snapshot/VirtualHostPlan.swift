/// One route as the compiler states it.
package struct RouteSpec: Sendable {
    /// One entry of `route:`.
    package struct Destination: Sendable {
        /// An interned cluster, or -1: no such host, subset or port, answered with 503 NC.
        package var clusterID: Int32
        package var weight: UInt32
        /// `outbound|<port>|<subset>|<fqdn>`, also when there is no such cluster.
        package var clusterName: String
        /// `nil`: it does nothing but take requests.
        package var actions: DestinationActions?

        package init(clusterID: Int32, weight: UInt32, clusterName: String, actions: DestinationActions? = nil) {
            self.clusterID = clusterID
            self.weight = weight
            self.clusterName = clusterName
            self.actions = actions
        }
    }

    /// All must hold; none = every request.
    package var conditions: [MatchCondition]
    package var destinations: [Destination]
    package var origin: RouteOrigin
    /// What a request's key is made of where its cluster goes by keys; of all destinations, in order (semantics 4.2).
    package var hashPolicies: [HashPolicy] = []
    /// Of a whole request, retries and waits included; 0 = no limit.
    package var timeoutMilliseconds = 0
    package var retry = RetrySpec.none
    /// `nil`: it does nothing but send requests on.
    package var actions: RouteActions?
    /// Who gets copies of its requests.
    package var mirrors: [MirrorSpec] = []

    package init(
        conditions: [MatchCondition], destinations: [Destination], origin: RouteOrigin, actions: RouteActions? = nil
    ) {
        self.conditions = conditions
        self.destinations = destinations
        self.origin = origin
        self.actions = actions
    }
}

/// Where a route was written: for logs and dumps, never read to route.
package struct RouteOrigin: Sendable, Hashable {
    /// `VirtualService ns/name`.
    package var resource: String
    package var file: String
    package var line: Int
    /// Istio's route name (semantics 3.4), or empty.
    package var name: String
    /// The resource that delegates to this one, where that is so.
    package var root: String?

    package init(resource: String, file: String, line: Int, name: String = "", root: String? = nil) {
        self.resource = resource
        self.file = file
        self.line = line
        self.name = name
        self.root = root
    }
}

/// What a route does.
enum RouteAction: UInt8 {
    case forward
}

/// A route's action on the hot path.
///
/// Trivial.
struct RoutePlan {
    var action: RouteAction
    var firstDestination: Int32
    var destinationCount: Int32
    /// Sum of the weights of its destinations.
    var totalWeight: UInt64
    /// Its name for the access log, in the host's arena.
    var name: UnsafeRawBufferPointer
    /// Number of its hash policies in the host's table, or -1: most routes have none.
    var hashing: Int32
    /// 0 = no limit.
    var timeoutMilliseconds: UInt32
    var retry: RetryPlan
    /// `nil` for a plain route.
    var policies: UnsafePointer<RoutePolicies>?
    /// Whether a condition names the path of ACME's challenges, which are answered even where all else is redirected.
    var namesChallenges: Bool
}

/// A weighted destination on the hot path.
///
/// Trivial.
struct DestinationPlan {
    /// -1: no such cluster.
    var clusterID: Int32
    /// Sum of the weights up to and with this one.
    var cumulativeWeight: UInt64
    /// What it adds to its route, if anything.
    var policies: UnsafePointer<DestinationPolicies>?
}

/// The routes of a virtual host, flat.
///
/// One object serves every host and generation that have the same routes.
package final class VirtualHostPlan: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    /// Up to so many destinations a scan beats halving.
    private static let scannedDestinations = 4

    private let table: RouteTable
    private let routes: UnsafePointer<RoutePlan>
    private let destinations: UnsafePointer<DestinationPlan>
    /// The routes' names, one behind the other.
    private let names: UnsafePointer<UInt8>
    private let hashing: HashPolicyTable
    /// The routes' retriable status codes, likewise.
    private let codes: UnsafePointer<UInt16>
    private let policyMemory: PlanMemory
    /// As stated, for logs and dumps.
    package let specs: [RouteSpec]

    package convenience init(routes specs: [RouteSpec]) {
        self.init(routes: specs, indexAbove: RouteTable.scannedRoutes)
    }

    init(routes specs: [RouteSpec], indexAbove: Int) {
        self.specs = specs
        table = RouteTable(specs.map(\.conditions), indexAbove: indexAbove)
        var flat: [DestinationPlan] = []
        let names = UnsafeMutablePointer<UInt8>.copy(of: specs.flatMap { Array($0.origin.name.utf8) })
        var namesUsed = 0
        var hashed: [[HashPolicy]] = []
        let codes = UnsafeMutablePointer<UInt16>.copy(of: specs.flatMap(\.retry.codes))
        var codesUsed = 0
        var policies = RoutePolicyBuilder()
        let plans = UnsafeMutablePointer<RoutePlan>.allocate(capacity: max(specs.count, 1))
        for (index, spec) in specs.enumerated() {
            let first = flat.count
            var total: UInt64 = 0
            // A lone destination takes everything whatever its weight; among several, weight 0 means never.
            for destination in spec.destinations where destination.weight > 0 || spec.destinations.count == 1 {
                total += UInt64(max(destination.weight, 1))
                flat.append(
                    DestinationPlan(
                        clusterID: destination.clusterID, cumulativeWeight: total,
                        policies: policies.policies(of: destination, routeName: spec.origin.name)))
            }
            let name = UnsafeRawBufferPointer(start: names + namesUsed, count: spec.origin.name.utf8.count)
            namesUsed += name.count
            let retryCodes = UnsafeBufferPointer<UInt16>(start: codes + codesUsed, count: spec.retry.codes.count)
            codesUsed += retryCodes.count
            (plans + index).initialize(
                to: RoutePlan(
                    action: .forward, firstDestination: Int32(first), destinationCount: Int32(flat.count - first),
                    totalWeight: total, name: name, hashing: spec.hashPolicies.isEmpty ? -1 : Int32(hashed.count),
                    timeoutMilliseconds: UInt32(clamping: spec.timeoutMilliseconds),
                    retry: RetryPlan(spec.retry, codes: retryCodes), policies: policies.policies(of: spec),
                    namesChallenges: ACMEChallenge.isNamed(by: spec.conditions)))
            if !spec.hashPolicies.isEmpty { hashed.append(spec.hashPolicies) }
        }
        self.codes = UnsafePointer(codes)
        policyMemory = policies.finish()
        self.names = UnsafePointer(names)
        hashing = HashPolicyTable(hashed)
        routes = UnsafePointer(plans)
        destinations = UnsafePointer(UnsafeMutablePointer.copy(of: flat))
    }

    deinit {
        UnsafeMutablePointer(mutating: routes).deallocate()
        UnsafeMutablePointer(mutating: destinations).deallocate()
        UnsafeMutablePointer(mutating: names).deallocate()
        UnsafeMutablePointer(mutating: codes).deallocate()
    }

    package var routeCount: Int32 { table.count }

    /// The first route behind `after` whose conditions all hold, or -1; start with -1, pass a route over by passing it.
    func next(after: Int32, _ request: UnsafePointer<RouteQuery>) -> Int32 {
        table.next(after: after, request)
    }

    /// The same answer, found by trying every route.
    func linearNext(after: Int32, _ request: UnsafePointer<RouteQuery>) -> Int32 {
        table.linearNext(after: after, request)
    }

    /// `route` must be one that `next` returned.
    func plan(of route: Int32) -> RoutePlan { routes[Int(route)] }

    /// Likewise; valid while the host lives.
    func pointer(to route: Int32) -> UnsafePointer<RoutePlan> { routes + Int(route) }

    /// Draws a destination by weight; `nil` when there is none.
    ///
    /// `random` is uniform over all 64 bits and not looked at when there is one destination. Valid while the plan lives.
    func pick(route: Int32, random: UInt64) -> UnsafePointer<DestinationPlan>? {
        let plan = routes[Int(route)]
        let first = destinations + Int(plan.firstDestination)
        let count = Int(plan.destinationCount)
        if count <= 1 { return count == 1 ? first : nil }
        // The high half of the product is uniform over 0..<total.
        let point = random.multipliedFullWidth(by: plan.totalWeight).high
        var low = 0
        if count <= Self.scannedDestinations {
            while first[low].cumulativeWeight <= point { low += 1 }
            return first + low
        }
        var high = count - 1
        while low < high {
            let middle = (low + high) / 2
            if first[middle].cumulativeWeight <= point { low = middle + 1 } else { high = middle }
        }
        return first + low
    }

    /// What a route does besides sending requests on; `nil` for a plain one.
    ///
    /// Valid while the plan lives.
    func policies(of route: Int32) -> UnsafePointer<RoutePolicies>? { routes[Int(route)].policies }

    /// Whether a route names the path of ACME's challenges.
    func namesChallenges(_ route: Int32) -> Bool { routes[Int(route)].namesChallenges }

    /// A route's name, or nothing; valid while the plan lives.
    func name(of route: Int32) -> UnsafeRawBufferPointer { routes[Int(route)].name }

    /// What the keys of a route's requests are made of; valid while the plan lives.
    func hashPolicies(of route: Int32) -> HashPolicies {
        let number = routes[Int(route)].hashing
        return number < 0 ? HashPolicies(start: nil, count: 0) : hashing[number]
    }

    /// Where a route was written.
    package func origin(of route: Int32) -> RouteOrigin { specs[Int(route)].origin }
}
