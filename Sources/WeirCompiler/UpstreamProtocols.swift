import WeirConfig
import WeirEngine

extension ClusterSpec {
    /// Settles what is spoken with the endpoints: what the policy says, else what the port does (semantics 4.4, 5.1).
    mutating func speak(_ settings: TrafficPolicy.ConnectionPoolSettings.HTTP?, to port: RegisteredService.Port?) {
        if settings?.useClientProtocol == true {
            httpVersion = .asClient
        } else if settings?.h2UpgradePolicy == .upgrade || port?.speaks == .http2 {
            httpVersion = .http2
        }
        if let streams = settings?.maxConcurrentStreams { maxConcurrentStreams = streams }
        if let keepAlive = settings?.http2KeepAlive, let interval = keepAlive.intervalMilliseconds,
            let timeout = keepAlive.timeoutMilliseconds
        {
            pingIntervalMilliseconds = interval
            pingTimeoutMilliseconds = timeout
        }
    }
}

extension MergedRule {
    /// The `tls` block of a cluster, with where it is written.
    func block(
        _ settings: TrafficPolicy.ClientTLS, _ place: EffectivePolicy.Place, _ subset: DestinationRule.Subset?,
        _ service: RegisteredService
    ) -> ClientTLSBlock {
        var owner = policyOwner
        var path = "spec.trafficPolicy"
        var policy = trafficPolicy
        var line = 0
        if place.isInSubset, let subset {
            owner = subsetOwners[subset.name] ?? owner
            path = "spec.subsets[\(owner.placeOfSubset(subset.name))].trafficPolicy"
            policy = subset.trafficPolicy
            line = subset.line
        }
        if let entry = place.entry {
            path += ".portLevelSettings[\(entry)]"
            line = policy?.portLevelSettings[entry].line ?? line
        }
        return ClientTLSBlock(
            settings: settings, resource: owner, path: path + ".tls", line: line, serviceNames: service.subjectAltNames)
    }
}

extension Resource {
    fileprivate func placeOfSubset(_ name: String) -> Int {
        guard case .destinationRule(let rule) = spec else { return 0 }
        return rule.subsets.firstIndex { $0.name == name } ?? 0
    }
}
