import WeirConfig

/// DestinationRules of one host, namespace and visibility, merged (semantics 4.1).
struct MergedRule {
    let resource: Resource
    let exportTo: [String]
    var trafficPolicy: TrafficPolicy?
    var subsets: [DestinationRule.Subset]

    func subset(named name: String) -> DestinationRule.Subset? { subsets.first { $0.name == name } }
}

/// All DestinationRules, found by the service they apply to.
struct DestinationRules {
    private struct Namespace {
        /// By full host; several only when their `exportTo` differ.
        var exact: [String: [MergedRule]] = [:]
        /// Keyed from the dot on.
        var suffixes: [String: [MergedRule]] = [:]
        var star: [MergedRule] = []
    }

    private var namespaces: [String: Namespace] = [:]
    private let options: CompilerOptions

    /// `rules` in Istio's order: the first of a subset's name counts, and the first traffic policy.
    init(_ rules: [Resource], options: CompilerOptions) {
        self.options = options
        for resource in rules {
            guard case .destinationRule(let rule) = resource.spec else { continue }
            let namespace = resource.id.namespace
            let host = options.qualified(rule.host, namespace: namespace)
            let merged = MergedRule(
                resource: resource, exportTo: rule.exportTo.sorted(), trafficPolicy: rule.trafficPolicy,
                subsets: rule.subsets)
            if host == "*" {
                Self.merge(merged, into: &namespaces[namespace, default: Namespace()].star)
            } else if host.hasPrefix("*.") {
                let suffix = String(host.dropFirst())
                Self.merge(merged, into: &namespaces[namespace, default: Namespace()].suffixes[suffix, default: []])
            } else {
                Self.merge(merged, into: &namespaces[namespace, default: Namespace()].exact[host, default: []])
            }
        }
    }

    private static func merge(_ rule: MergedRule, into rules: inout [MergedRule]) {
        guard let place = rules.firstIndex(where: { $0.exportTo == rule.exportTo }) else {
            rules.append(rule)
            return
        }
        for subset in rule.subsets where rules[place].subset(named: subset.name) == nil {
            rules[place].subsets.append(subset)
        }
        if rules[place].trafficPolicy == nil { rules[place].trafficPolicy = rule.trafficPolicy }
    }

    /// The rule for a service: the gateway's namespace, else the service's, else the root namespace; levels never merge.
    func rule(for host: String, namespace: String) -> MergedRule? {
        let own = options.gatewayNamespace
        // Mesh-wide rules would otherwise count as the gateway's own when it lives among them.
        let isRoot = own == options.rootNamespace
        if let rule = find(host, in: own, where: { !isRoot || $0.exportTo == ["."] }) { return rule }
        for level in [namespace, options.rootNamespace] {
            let rule = find(host, in: level) { options.isVisible(exportTo: $0.exportTo, namespace: level) }
            if let rule { return rule }
        }
        return nil
    }

    private func find(_ host: String, in namespace: String, where isUsable: (MergedRule) -> Bool) -> MergedRule? {
        guard let rules = namespaces[namespace] else { return nil }
        if let rule = rules.exact[host]?.first(where: isUsable) { return rule }
        if !rules.suffixes.isEmpty {
            var rest = host[...]
            while let dot = rest.dropFirst().firstIndex(of: ".") {
                rest = rest[dot...]
                if let rule = rules.suffixes[String(rest)]?.first(where: isUsable) { return rule }
            }
        }
        return rules.star.first(where: isUsable)
    }
}

/// The blocks in force for one cluster.
struct EffectivePolicy: Equatable {
    var loadBalancer: TrafficPolicy.LoadBalancer?
    var connectionPool: TrafficPolicy.ConnectionPoolSettings?

    /// Reduces the rule's policy to the port, then lays the subset's over it, block by block (semantics 4.2).
    init(_ policy: TrafficPolicy?, subset: TrafficPolicy?, port: Int) {
        (loadBalancer, connectionPool) = (policy?.loadBalancer, policy?.connectionPool)
        if let entry = Self.entry(policy, port) {
            // What a port's entry leaves out falls to the defaults, not to the policy around it.
            (loadBalancer, connectionPool) = (entry.loadBalancer, entry.connectionPool)
        }
        if let entry = Self.entry(subset, port) {
            (loadBalancer, connectionPool) = (entry.loadBalancer, entry.connectionPool)
        } else {
            loadBalancer = subset?.loadBalancer ?? loadBalancer
            connectionPool = subset?.connectionPool ?? connectionPool
        }
    }

    private static func entry(_ policy: TrafficPolicy?, _ port: Int) -> TrafficPolicy.PortTrafficPolicy? {
        policy?.portLevelSettings.first { $0.port == port }
    }
}
