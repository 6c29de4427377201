import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Istio's names for what runs behind an endpoint.
@Suite struct WorkloadNamingTests {
    private func pod(_ name: String, _ labels: [String: String] = [:], owner: (String, String)? = nil) -> Metadata {
        var metadata = Metadata(name: name, namespace: "shop")
        metadata.labels = labels
        metadata.controller = owner.map { Metadata.Owner(kind: $0.0, name: $0.1) }
        return metadata
    }

    @Test func theWorkloadIsThePodsOwner() {
        func name(_ name: String, _ labels: [String: String] = [:], _ owner: (String, String)? = nil) -> String {
            WorkloadNaming.labels(ofPod: pod(name, labels, owner: owner)).workload
        }
        let hash = ["pod-template-hash": "5d78f9c5b6"]
        #expect(name("web-5d78f9c5b6-x7k2p", hash, ("ReplicaSet", "web-5d78f9c5b6")) == "web")
        #expect(name("web-5d78f9c5b6-x7k2p", hash) == "web")
        #expect(name("web-5d78f9c5b6-x7k2p", [:], ("ReplicaSet", "web-5d78f9c5b6")) == "web-5d78f9c5b6")
        #expect(
            name("web-abc-x", ["rollouts-pod-template-hash": "abc"], ("ReplicaSet", "web-abc")) == "web")
        #expect(name("db-0", [:], ("StatefulSet", "db")) == "db")
        #expect(name("tidy-x", [:], ("Job", "tidy-28361230")) == "tidy")
        #expect(name("tidy-x", [:], ("Job", "tidy-1234567")) == "tidy-1234567")
        #expect(name("old-1-x", ["deploymentconfig": "old"], ("ReplicationController", "old-1")) == "old")
        #expect(name("alone") == "alone")
        #expect(name("x", ["service.istio.io/workload-name": "told"], ("ReplicaSet", "y")) == "told")
    }

    @Test func canonicalNamesComeFromLabelsInOrder() {
        var labels = ["app": "a", "version": "v1"]
        var made = WorkloadNaming.labels(ofPod: pod("p", labels))
        #expect(made.app == "a" && made.canonicalService == "a")
        #expect(made.version == "v1" && made.canonicalRevision == "v1" && made.namespace == "shop")
        labels["app.kubernetes.io/name"] = "b"
        labels["app.kubernetes.io/version"] = "v2"
        made = WorkloadNaming.labels(ofPod: pod("p", labels))
        #expect(made.app == "a" && made.canonicalService == "b" && made.canonicalRevision == "v2")
        labels["service.istio.io/canonical-name"] = "c"
        labels["service.istio.io/canonical-revision"] = "v3"
        labels["security.istio.io/tlsMode"] = "istio"
        made = WorkloadNaming.labels(ofPod: pod("p", labels))
        #expect(made.canonicalService == "c" && made.canonicalRevision == "v3" && made.hasSidecar)
        made = WorkloadNaming.labels(ofPod: pod("p"))
        #expect(made.canonicalService == "p" && made.canonicalRevision.isEmpty && !made.hasSidecar)
    }

    @Test func aServiceEntryNamesItsEndpoints() {
        let entry = Metadata(name: "legacy", namespace: "shop")
        let made = WorkloadNaming.labels(ofEndpoint: ["version": "v2"], entry: entry)
        #expect(made.workload == "legacy" && made.canonicalService == "legacy" && made.version == "v2")
    }
}
