import WeirConfig

/// DestinationRules of one host, namespace and visibility, merged (semantics 4.1).
struct MergedRule {
    let resource: Resource
    /// Normalized.
    let exportTo: [String]
    /// The clients it is for; `nil` = all.
    let selector: [String: String]?
    var trafficPolicy: TrafficPolicy?
    var subsets: [DestinationRule.Subset]
    /// Where the policy is written, and each subset: the rules of a host may be several.
    var policyOwner: Resource
    var subsetOwners: [String: Resource] = [:]

    func subset(named name: String) -> DestinationRule.Subset? { subsets.first { $0.name == name } }
}

/// All DestinationRules, found by the service they apply to.
struct DestinationRules {
    private struct Namespace {
        /// By full host; several only when their `exportTo` or their clients differ.
        var exact: [String: [MergedRule]] = [:]
        /// Keyed from the dot on.
        var suffixes: [String: [MergedRule]] = [:]
        var star: [MergedRule] = []
    }

    private var namespaces: [String: Namespace] = [:]
    private let options: CompilerOptions
    /// Rules that are for others than the gateway.
    private(set) var diagnostics: [Diagnostic] = []

    /// `rules` in Istio's order: the first of a subset's name counts, and the first traffic policy.
    init(_ rules: [Resource], options: CompilerOptions) {
        self.options = options
        var selected: [Resource] = []
        var others: [Resource] = []
        for resource in rules {
            guard case .destinationRule(let rule) = resource.spec else { continue }
            if let problem = problem(rule, resource) {
                diagnostics.append(problem)
                continue
            }
            diagnostics += rule.localityDiagnostics(resource, options)
            if Self.selector(of: rule) != nil {
                selected.append(resource)
            } else {
                others.append(resource)
            }
        }
        // Those for some clients come before those for all, whatever their age.
        for resource in selected + others { add(resource) }
    }

    private static func selector(of rule: DestinationRule) -> [String: String]? {
        rule.workloadSelector.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Why the gateway never uses a rule, if so.
    private func problem(_ rule: DestinationRule, _ resource: Resource) -> Diagnostic? {
        let namespace = resource.id.namespace
        func report(_ path: String, _ severity: Diagnostic.Severity, _ message: String) -> Diagnostic {
            Diagnostic(
                .notBoundToGateway, severity, resource: resource.id, path: path, location: resource.location,
                message: message)
        }
        if let selector = Self.selector(of: rule) {
            guard namespace == options.gatewayNamespace, options.carries(selector) else {
                let isUnknown = options.gatewayLabels == nil && namespace == options.gatewayNamespace
                return report(
                    "spec.workloadSelector", isUnknown ? .warning : .info,
                    "The rule is for clients with certain labels in namespace \(namespace), and "
                        + (isUnknown
                            ? "the gateway's labels are not known, so it is not used. Start with --gateway-selector KEY=VALUE for each."
                            : "the gateway is none of them, so it is not used here."))
            }
        }
        guard namespace == options.gatewayNamespace || options.isVisible(exportTo: rule.exportTo, namespace: namespace)
        else {
            return report(
                "spec.exportTo", .info,
                "The rule is not exported to the gateway's namespace \(options.gatewayNamespace), so it is not used here."
            )
        }
        return nil
    }

    private mutating func add(_ resource: Resource) {
        guard case .destinationRule(let rule) = resource.spec else { return }
        let namespace = resource.id.namespace
        let host = options.qualified(rule.host, namespace: namespace)
        let merged = MergedRule(
            resource: resource, exportTo: ExportList.normalized(rule.exportTo, of: namespace),
            selector: Self.selector(of: rule), trafficPolicy: rule.trafficPolicy, subsets: rule.subsets,
            policyOwner: resource,
            subsetOwners: Dictionary(rule.subsets.map { ($0.name, resource) }) { first, _ in first })
        if host == "*" {
            Self.merge(merged, into: &namespaces[namespace, default: Namespace()].star)
        } else if host.hasPrefix("*.") {
            let suffix = String(host.dropFirst())
            Self.merge(merged, into: &namespaces[namespace, default: Namespace()].suffixes[suffix, default: []])
        } else {
            Self.merge(merged, into: &namespaces[namespace, default: Namespace()].exact[host, default: []])
        }
    }

    /// A rule for all clients adds to those for some, and stands for itself too.
    private static func merge(_ rule: MergedRule, into rules: inout [MergedRule]) {
        var isNew = true
        for place in rules.indices where rules[place].exportTo == rule.exportTo {
            if rules[place].selector == rule.selector {
                isNew = false
            } else if rule.selector != nil {
                continue
            }
            for subset in rule.subsets where rules[place].subset(named: subset.name) == nil {
                rules[place].subsets.append(subset)
                rules[place].subsetOwners[subset.name] = rule.resource
            }
            if rules[place].trafficPolicy == nil {
                rules[place].trafficPolicy = rule.trafficPolicy
                rules[place].policyOwner = rule.resource
            }
        }
        if isNew { rules.append(rule) }
    }

    /// The rule for a service: the gateway's namespace, else the service's, else the root namespace; levels never merge.
    func rule(for host: String, namespace: String) -> MergedRule? {
        let own = options.gatewayNamespace
        // Mesh-wide rules would otherwise count as the gateway's own when it lives among them.
        let isRoot = own == options.rootNamespace
        if let rule = find(host, in: own, where: { !isRoot || $0.exportTo == [own] }) { return rule }
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
