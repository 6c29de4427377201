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
        for (index, setting) in portLevelSettings.enumerated() {
            findings.checkPort(setting.port, path["portLevelSettings"][index]["port"]["number"])
        }
    }
}
