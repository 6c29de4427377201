extension Kind {
    /// The API group of the kind; empty for Kubernetes' core.
    private var group: String {
        switch self {
        case .gateway, .virtualService, .destinationRule, .serviceEntry, .workloadEntry: "networking.istio.io"
        case .endpointSlice: "discovery.k8s.io"
        case .service, .pod, .secret, .namespace: ""
        }
    }

    /// Whether the kind of this name is ours under an `apiVersion`.
    ///
    /// Istio's versions share one schema, so any counts; other groups have kinds of the same names (a Gateway API
    /// `Gateway`, a Knative `Service`).
    func isServed(under apiVersion: String) -> Bool {
        let parts = apiVersion.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if isIstio { return parts.count == 2 && parts[0] == group && !parts[1].isEmpty }
        return apiVersion == self.apiVersion
    }

    /// The version to write today.
    var apiVersion: String { group.isEmpty ? "v1" : "\(group)/v1" }

    /// Istio's own kind, whose every field is known here; of Kubernetes' objects only a part is read.
    var isIstio: Bool { group == "networking.istio.io" }
}
