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
        validateSelector(at: path, metadata, into: &findings)
    }

    private func validateSelector(at path: FieldPath, _ metadata: Metadata, into findings: inout Findings) {
        guard let workloadSelector else { return }
        findings.checkSelector(workloadSelector, path["workloadSelector"], labels: "matchLabels")
        if exportTo.contains(where: { $0 != "." && $0 != metadata.namespace }) {
            let message = "A rule with a workloadSelector stays in its namespace. Write exportTo: [\".\"]."
            findings.error(path["exportTo"], message)
        }
    }
}

extension Findings {
    /// `workloadSelector`, whose labels are named differently by different kinds.
    mutating func checkSelector(_ selector: [String: String], _ path: FieldPath, labels: String) {
        if selector.isEmpty { warning(path, "The selector has no labels, so it selects everything. Write \(labels).") }
        checkLabels(selector, path[labels])
    }
}

extension TrafficPolicy {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if isEmpty { findings.error(path, "trafficPolicy is empty. Remove it, or write a policy.") }
        loadBalancer?.validate(at: path["loadBalancer"], hasOutlierDetection: outlierDetection != nil, into: &findings)
        connectionPool?.validate(at: path["connectionPool"], into: &findings)
        outlierDetection?.validate(at: path["outlierDetection"], into: &findings)
        tls?.validate(at: path["tls"], into: &findings)
        for (index, policy) in portLevelSettings.enumerated() {
            policy.validate(at: path["portLevelSettings"][index], into: &findings)
        }
        tunnel?.validate(at: path["tunnel"], into: &findings)
        if tunnel != nil, proxyProtocol != nil {
            findings.error(path["proxyProtocol"], "tunnel and proxyProtocol exclude each other. Keep one of them.")
        }
        if let percent = retryBudget?.percent {
            findings.checkPercent(Percent(percent), path["retryBudget"]["percent"])
        }
    }

    private var isEmpty: Bool {
        loadBalancer == nil && connectionPool == nil && outlierDetection == nil && tls == nil
            && portLevelSettings.isEmpty && tunnel == nil && proxyProtocol == nil && retryBudget == nil
    }
}

extension TrafficPolicy.PortTrafficPolicy {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        findings.checkPort(port, path["port"]["number"])
        if loadBalancer == nil, connectionPool == nil, outlierDetection == nil, tls == nil {
            findings.error(path, "The port's policy is empty. Remove it, or write one.")
        }
        loadBalancer?.validate(at: path["loadBalancer"], hasOutlierDetection: outlierDetection != nil, into: &findings)
        connectionPool?.validate(at: path["connectionPool"], into: &findings)
        outlierDetection?.validate(at: path["outlierDetection"], into: &findings)
        tls?.validate(at: path["tls"], into: &findings)
    }
}

extension TrafficPolicy.Tunnel {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if !["", "CONNECT", "POST"].contains(self.protocol) {
            findings.error(path["protocol"], "\(self.protocol) is no way to tunnel. Write CONNECT or POST.")
        }
        if !NameSyntax.isDomain(targetHost), !IPAddressSyntax.isAddress(targetHost) {
            let host = targetHost.isEmpty ? "An empty text" : targetHost
            findings.error(path["targetHost"], "\(host) is no host. Write a domain name or an address.")
        }
        findings.checkPort(targetPort, path["targetPort"])
    }
}
