extension DestinationRule {
    func validate(at path: FieldPath, _ metadata: Metadata, into findings: inout Findings) {
        if host.isEmpty {
            findings.error(path["host"], "The rule has no host. Write the name of a service.")
        } else if !NameSyntax.isWildcardDomain(host), !IPAddressSyntax.isAddress(host) {
            let message = "\(host) is no host. Write a service's name; a wildcard replaces the first label only."
            findings.error(path["host"], message)
        }
        trafficPolicy?.validate(at: path["trafficPolicy"], into: &findings)
        var names = Set<String>()
        for (index, subset) in subsets.enumerated() {
            let place = path["subsets"][index]
            if !NameSyntax.isDNSLabel(subset.name) {
                let name = subset.name.isEmpty ? "An empty text" : subset.name
                findings.error(
                    place["name"], "\(name) is no subset's name. Use letters, digits and hyphens, at most 63.")
            } else if !names.insert(subset.name).inserted {
                findings.error(place["name"], "Two subsets are named \(subset.name). Give each its own name.")
            }
            findings.checkLabels(subset.labels, place["labels"])
            subset.trafficPolicy?.validate(at: place["trafficPolicy"], into: &findings)
        }
        findings.checkExportTo(exportTo, at: path["exportTo"], namespace: metadata.namespace)
    }
}

extension TrafficPolicy {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if isEmpty { findings.error(path, "trafficPolicy is empty. Remove it, or write a policy.") }
        if let connectionPool, connectionPool.tcp == nil, connectionPool.http == nil {
            findings.error(path["connectionPool"], "connectionPool is empty. Remove it, or write tcp or http.")
        }
        for (index, setting) in portLevelSettings.enumerated() {
            findings.checkPort(setting.port, path["portLevelSettings"][index]["port"]["number"])
        }
    }
}

extension TrafficPolicy {
    private var isEmpty: Bool {
        loadBalancer == nil && connectionPool == nil && outlierDetection == nil && tls == nil
            && portLevelSettings.isEmpty && tunnel == nil && proxyProtocol == nil && retryBudget == nil
    }
}
