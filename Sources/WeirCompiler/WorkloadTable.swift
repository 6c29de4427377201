import WeirConfig
import WeirEngine

/// Pods by name, and Pods and WorkloadEntries by label.
struct WorkloadTable {
    private var podsByName: [String: Int] = [:]
    private let pods: [Resource]
    private var podsByNamespace: [String: [Int]] = [:]
    private var entriesByNamespace: [String: [Entry]] = [:]
    private let names: DestinationNames

    /// A WorkloadEntry; what its metadata and its spec label it with together, the metadata's word first.
    struct Entry {
        let resource: Resource
        let endpoint: WorkloadEndpoint
        let labels: [String: String]
        let workload: Int32
    }
    struct SelectedPod {
        let address: EndpointTarget
        let labels: [String: String]
        let workload: Int32
    }

    init(pods: [Resource], entries: [Resource], names: DestinationNames) {
        self.pods = pods
        self.names = names
        podsByName.reserveCapacity(pods.count)
        for (index, pod) in pods.enumerated() {
            podsByName["\(pod.id.namespace)/\(pod.id.name)"] = index
            podsByNamespace[pod.id.namespace, default: []].append(index)
        }
        for resource in entries {
            guard case .workloadEntry(let endpoint) = resource.spec else { continue }
            let labels = resource.metadata.labels.merging(endpoint.labels) { metadata, _ in metadata }
            let workload = names.number(of: WorkloadNaming.labels(ofEndpoint: labels, entry: resource.metadata))
            entriesByNamespace[resource.id.namespace, default: []].append(
                Entry(
                    resource: resource, endpoint: endpoint,
                    labels: Locality.labels(labels, locality: endpoint.locality), workload: workload))
        }
    }

    func pod(_ name: String, _ namespace: String) -> (labels: [String: String], workload: Int32)? {
        podsByName["\(namespace)/\(name)"].map { (pods[$0].metadata.labels, workload(of: pods[$0])) }
    }

    private func workload(of pod: Resource) -> Int32 {
        names.number(of: WorkloadNaming.labels(ofPod: pod.metadata))
    }

    /// The pods of a namespace that serve and carry all labels of `selector`.
    func pods(selectedBy selector: [String: String], in namespace: String) -> [SelectedPod] {
        (podsByNamespace[namespace] ?? []).compactMap { index in
            let resource = pods[index]
            guard case .pod(let pod) = resource.spec, pod.isReady, let address = pod.podIP.flatMap(EndpointTarget.init),
                Self.selects(selector, resource.metadata.labels)
            else { return nil }
            return SelectedPod(
                address: address, labels: Locality.labels(resource.metadata.labels, zone: nil, node: pod.nodeName),
                workload: workload(of: resource))
        }
    }

    /// The WorkloadEntries of a namespace that carry all labels of `selector`.
    func entries(selectedBy selector: [String: String], in namespace: String) -> [Entry] {
        (entriesByNamespace[namespace] ?? []).filter { Self.selects(selector, $0.labels) }
    }

    private static func selects(_ selector: [String: String], _ labels: [String: String]) -> Bool {
        selector.allSatisfy { labels[$0.key] == $0.value }
    }
}
