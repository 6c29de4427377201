/// Where an endpoint runs, as the labels that subsets may name (semantics 4.2).
enum Locality {
    private static let override = "istio-locality"
    static let regionLabel = "topology.kubernetes.io/region"
    static let zoneLabel = "topology.kubernetes.io/zone"
    static let subzoneLabel = "topology.istio.io/subzone"

    /// `labels` and those that follow from a locality `region/zone/subzone`, which replace written ones.
    ///
    /// The label `istio-locality`, whose parts may be parted by dots, stands in for a locality that is not given.
    static func labels(_ labels: [String: String], locality: String?) -> [String: String] {
        let written = labels[override].map { $0.contains("/") ? $0 : $0.replacing(".", with: "/") }
        guard let locality = locality.flatMap({ $0.isEmpty ? nil : $0 }) ?? written else { return labels }
        let parts = locality.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        let names = [regionLabel, zoneLabel, subzoneLabel]
        var labels = labels
        for (name, part) in zip(names, parts) where !part.isEmpty { labels[name] = String(part) }
        return labels
    }

    /// The labels of a Pod's endpoint, from the Pod's own and what its EndpointSlice says.
    static func labels(_ labels: [String: String], zone: String?, node: String?) -> [String: String] {
        var labels = labels
        if let zone { labels[zoneLabel] = zone }
        if let node { labels["kubernetes.io/hostname"] = node }
        // The Pod's own word on its locality counts more than its node's.
        return Self.labels(labels, locality: nil)
    }
}
