import Testing
import WeirEngine

@testable import WeirServer

@Suite struct SourceIdentityTests {
    @Test(arguments: [
        ("istio-ingressgateway-5d78f9c5b6-x7k2p", "istio-ingressgateway"), ("weir-7c9d8b6f54-2xkqz", "weir"),
        ("weir-bcdfg", "weir"), ("weir-0", "weir"), ("weir-edge-12", "weir-edge"), ("weir", "weir"),
        ("weir-ingress", "weir-ingress"), ("weir-aeiou", "weir-aeiou"), ("a-b-c", "a-b-c"), ("-", "-"), ("", ""),
    ])
    func thePodsNameTellsItsOwner(pod: String, owner: String) {
        #expect(SourceIdentity.workload(ofPod: pod) == owner)
    }

    @Test func theEnvironmentIsAskedInOrder() {
        var environment = ["POD_NAME": "edge-7c9d8b6f54-2xkqz", "POD_NAMESPACE": "infra"]
        #expect(SourceIdentity.labels(environment).workload == "edge")
        #expect(SourceIdentity.labels(environment).namespace == "infra")
        environment["ISTIO_META_WORKLOAD_NAME"] = "istio-ingressgateway"
        environment["ISTIO_META_CLUSTER_ID"] = "Kubernetes"
        #expect(SourceIdentity.labels(environment).workload == "istio-ingressgateway")
        #expect(SourceIdentity.labels(environment).cluster == "Kubernetes")
        environment["WEIR_WORKLOAD"] = "mine"
        #expect(SourceIdentity.labels(environment).workload == "mine")
        #expect(SourceIdentity.labels(["WEIR_WORKLOAD": ""]).workload == "weir")
        #expect(SourceIdentity.labels([:]).namespace.isEmpty)
    }
}
