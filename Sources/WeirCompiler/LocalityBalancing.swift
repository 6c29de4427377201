import WeirConfig
import WeirEngine

/// Which endpoints of a cluster come before others, by where they run (Istio: `localityLbSetting`, semantics 4.3).
///
/// Whoever fails over needs to know that endpoints fail: without `outlierDetection` only `distribute` counts.
struct LocalityBalancing {
    private enum Way {
        case anywhere
        /// Percentages of localities.
        case distribute([String: Int])
        case failOver(TrafficPolicy.LocalityLoadBalancer?)
    }
    /// Nearness by locality has five steps.
    private static let steps = 5

    private let way: Way
    private let own: Locality.Name
    private let isOwnKnown: Bool
    /// The gateway's labels, and those that follow from its locality.
    private let labels: [String: String]

    init(_ setting: TrafficPolicy.LocalityLoadBalancer?, failsOver: Bool, _ options: CompilerOptions) {
        own = Locality.Name(options.locality ?? "")
        isOwnKnown = options.locality != nil
        labels = Locality.labels(options.gatewayLabels ?? [:], locality: options.locality)
        if setting?.enabled == false {
            way = .anywhere
        } else if let distribute = setting?.distribute, !distribute.isEmpty {
            let own = own
            let entry = distribute.first { own.lies(in: Locality.Name($0.from)) }
            way = entry.map { .distribute($0.to) } ?? .anywhere
        } else {
            way = failsOver ? .failOver(setting) : .anywhere
        }
    }

    // MARK: Endpoints

    /// Says where an endpoint with these labels is, and how near; `settle` makes priorities of that.
    func place(_ endpoint: inout ClusterSpec.Endpoint, _ labels: [String: String]) {
        endpoint.locality = Locality.text(labels)
        guard case .failOver(let setting) = way else { return }
        let order = setting?.failoverPriority ?? []
        if order.isEmpty || setting?.failover.isEmpty == false {
            endpoint.priority = distance(labels, setting?.failover ?? [])
        }
        endpoint.priority += Self.steps * mismatch(labels, order)
    }

    /// Nearness in steps: 0 = the same subzone, … 3 = another region, 4 = one that is not the first to take over.
    private func distance(_ labels: [String: String], _ failover: [TrafficPolicy.Failover]) -> Int {
        guard isOwnKnown else { return 0 }
        var name = Locality.Name(labels: labels)
        // Kubernetes tells the zone of an endpoint, and no region: a cluster mostly lies in one.
        if name.region.isEmpty, !name.zone.isEmpty { name.region = own.region }
        guard name.region == own.region else {
            guard let next = failover.first(where: { $0.from == own.region }) else { return 3 }
            return name.region == next.to ? 3 : 4
        }
        guard name.zone == own.zone else { return 2 }
        return name.subzone == own.subzone ? 0 : 1
    }

    /// 0 = every label is as the gateway's, else the more the earlier the first one is that is not.
    ///
    /// `name=value` stands for a gateway with that label.
    private func mismatch(_ endpoint: [String: String], _ order: [String]) -> Int {
        for (index, entry) in order.enumerated() {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let wanted = parts.count == 2 ? parts[1] : labels[parts[0]]
            if (wanted ?? "") != (endpoint[parts[0]] ?? "") { return order.count - index }
        }
        return 0
    }

    // MARK: The cluster

    /// Leaves out no number among the priorities, or divides the localities' shares.
    func settle(_ spec: inout ClusterSpec) {
        switch way {
        case .anywhere: break
        case .failOver: Self.close(&spec)
        case .distribute(let shares): Self.distribute(shares, &spec)
        }
    }

    private static func close(_ spec: inout ClusterSpec) {
        let steps = Set(spec.endpoints.map(\.priority)).sorted()
        guard steps.last ?? 0 > 0 else { return }
        for index in spec.endpoints.indices {
            spec.endpoints[index].priority = steps.firstIndex(of: spec.endpoints[index].priority) ?? 0
        }
    }

    /// Endpoints in none of the localities get nothing; localities that one entry names share by their endpoints' weights.
    private static func distribute(_ shares: [String: Int], _ spec: inout ClusterSpec) {
        var weights: [String: UInt64] = [:]
        for endpoint in spec.endpoints { weights[endpoint.locality, default: 0] += UInt64(endpoint.weight) }
        for (pattern, percent) in shares {
            let pattern = Locality.Name(pattern)
            let named = weights.filter { Locality.Name($0.key).lies(in: pattern) }
            let total = named.values.reduce(0, +)
            // In hundredths of a percent.
            for (locality, weight) in named {
                spec.localityShares[locality] = UInt32(
                    max(Double(percent) * 100 * Double(weight) / Double(total), 1))
            }
        }
        spec.endpoints.removeAll { spec.localityShares[$0.locality] == nil }
    }
}

extension Locality {
    /// `region/zone/subzone`, of which the last parts may be missing.
    struct Name: Equatable {
        var region: String
        var zone: String
        var subzone: String

        init(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            region = parts[0]
            zone = parts.count > 1 ? parts[1] : ""
            subzone = parts.count > 2 ? parts[2] : ""
        }

        init(labels: [String: String]) {
            region = labels[Locality.regionLabel] ?? ""
            zone = labels[Locality.zoneLabel] ?? ""
            subzone = labels[Locality.subzoneLabel] ?? ""
        }

        /// Whether it is part of another, where `*`, or nothing below a region, stands for all there are.
        func lies(in pattern: Name) -> Bool {
            (pattern.region == "*" || pattern.region == region)
                && (pattern.zone == "*" || pattern.zone.isEmpty || pattern.zone == zone)
                && (pattern.subzone == "*" || pattern.subzone.isEmpty || pattern.subzone == subzone)
        }
    }

    /// Where an endpoint with these labels runs, `region/zone/subzone`; empty = that is not known.
    static func text(_ labels: [String: String]) -> String {
        let name = Name(labels: labels)
        var parts = [name.region, name.zone, name.subzone]
        while parts.last == "" { parts.removeLast() }
        return parts.joined(separator: "/")
    }
}
