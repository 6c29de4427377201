import WeirConfig

extension DestinationRule {
    /// What a rule says of localities that nothing comes of, as the gateway's own is not known.
    func localityDiagnostics(_ resource: Resource, _ options: CompilerOptions) -> [Diagnostic] {
        guard options.locality == nil, !options.isAnalysis else { return [] }
        return localitySettings.filter { $0.setting.needsOwnLocality }.map { path, _ in
            Diagnostic(
                .fieldNotHonoured, .warning, resource: resource.id, path: path, location: resource.location,
                message: "The gateway's own locality is not known, so none is near or far. "
                    + "Start it with WEIR_LOCALITY=region/zone/subzone in its environment.")
        }
    }

    private var localitySettings: [(path: String, setting: TrafficPolicy.LocalityLoadBalancer)] {
        var policies = trafficPolicy.map { [("spec.trafficPolicy", $0)] } ?? []
        for (index, subset) in subsets.enumerated() {
            if let policy = subset.trafficPolicy { policies.append(("spec.subsets[\(index)].trafficPolicy", policy)) }
        }
        return policies.flatMap { path, policy in
            let blocks =
                [(path, policy.loadBalancer)]
                + policy.portLevelSettings.enumerated().map {
                    ("\(path).portLevelSettings[\($0.offset)]", $0.element.loadBalancer)
                }
            return blocks.compactMap { path, block in
                block?.localityLbSetting.map { ("\(path).loadBalancer.localityLbSetting", $0) }
            }
        }
    }
}

extension TrafficPolicy.LocalityLoadBalancer {
    fileprivate var needsOwnLocality: Bool {
        guard enabled != false else { return false }
        return !failover.isEmpty || distribute.contains { !$0.from.hasPrefix("*") }
    }
}
