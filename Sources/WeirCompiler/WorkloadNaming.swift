import WeirConfig
import WeirEngine

/// What metrics call the workload behind an endpoint: Istio's rules over the labels and the owner of a pod (compatibility A5).
enum WorkloadNaming {
    static func labels(ofPod metadata: Metadata) -> WorkloadLabels {
        labels(workload(of: metadata), namespace: metadata.namespace, metadata.labels)
    }

    /// `entry` is the ServiceEntry that lists the endpoint; it names the workload, as in Istio.
    static func labels(ofEndpoint labels: [String: String], entry: Metadata) -> WorkloadLabels {
        self.labels(
            named(in: labels) ?? entry.name, namespace: entry.namespace, labels)
    }

    private static func labels(
        _ workload: String, namespace: String, _ labels: [String: String]
    ) -> WorkloadLabels {
        func first(_ names: String...) -> String? { names.lazy.compactMap { labels[$0] }.first { !$0.isEmpty } }
        var made = WorkloadLabels()
        made.workload = workload
        made.namespace = namespace
        made.app = first("app", "app.kubernetes.io/name") ?? ""
        made.version = first("version", "app.kubernetes.io/version") ?? ""
        made.canonicalService =
            first("service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? workload
        made.canonicalRevision =
            first("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ?? ""
        made.hasSidecar = labels["security.istio.io/tlsMode"] == "istio"
        return made
    }

    private static func named(in labels: [String: String]) -> String? {
        labels["service.istio.io/workload-name"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The Deployment, Rollout, CronJob or other owner a pod belongs to, else its own name.
    private static func workload(of pod: Metadata) -> String {
        if let name = named(in: pod.labels) { return name }
        guard let owner = pod.controller else {
            // A pod written without its owner: its name tells the ReplicaSet's.
            guard let hash = pod.labels["pod-template-hash"], !hash.isEmpty,
                let range = pod.name.firstRange(of: "-\(hash)-")
            else { return pod.name }
            return String(pod.name[..<range.lowerBound])
        }
        switch owner.kind {
        case "ReplicaSet":
            return trimmed(owner.name, pod.labels["pod-template-hash"])
                ?? trimmed(owner.name, pod.labels["rollouts-pod-template-hash"]) ?? owner.name
        case "ReplicationController":
            return pod.labels["deploymentconfig"] ?? owner.name
        case "Job":
            return cronJob(owner.name) ?? owner.name
        default:
            return owner.name
        }
    }

    private static func trimmed(_ name: String, _ hash: String?) -> String? {
        guard let hash, !hash.isEmpty, name.hasSuffix("-\(hash)") else { return nil }
        return String(name.dropLast(hash.count + 1))
    }

    /// A Job's name without the time its CronJob gave it: 8 to 10 digits.
    private static func cronJob(_ name: String) -> String? {
        guard let dash = name.lastIndex(of: "-"), dash > name.startIndex else { return nil }
        let digits = name[name.index(after: dash)...]
        guard (8...10).contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return String(name[..<dash])
    }
}
