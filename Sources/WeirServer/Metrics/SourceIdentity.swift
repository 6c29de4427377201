package import WeirEngine

/// Who the gateway says it is in metrics, from the environment its pod gives it.
package enum SourceIdentity {
    /// Letters and digits that Kubernetes makes names of.
    private static let generated = Set("bcdfghjklmnpqrstvwxz2456789")

    /// `WEIR_WORKLOAD`, `ISTIO_META_WORKLOAD_NAME`, or the Deployment in `POD_NAME`; else `weir`.
    package static func labels(_ environment: [String: String]) -> SourceLabels {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var labels = SourceLabels()
        labels.workload =
            value("WEIR_WORKLOAD") ?? value("ISTIO_META_WORKLOAD_NAME") ?? value("POD_NAME").map(workload(ofPod:))
            ?? "weir"
        labels.namespace = value("POD_NAMESPACE") ?? ""
        labels.cluster = value("ISTIO_META_CLUSTER_ID") ?? ""
        return labels
    }

    /// The owner's name, of which Kubernetes made the pod's: `<deployment>-<hash>-<5 characters>`, `<daemonset>-<5 characters>`
    /// or `<statefulset>-<number>`.
    static func workload(ofPod name: String) -> String {
        var parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count > 1, let last = parts.last else { return name }
        if !last.isEmpty, last.allSatisfy({ $0.isASCII && $0.isNumber }), last.count < 5 {
            return parts.dropLast().joined(separator: "-")
        }
        guard last.count == 5, last.allSatisfy(generated.contains) else { return name }
        parts.removeLast()
        if parts.count > 1, let hash = parts.last, (6...10).contains(hash.count), hash.allSatisfy(generated.contains) {
            parts.removeLast()
        }
        return parts.joined(separator: "-")
    }
}
