/// Istio `ServiceEntry`: hosts, their ports and endpoints.
package struct ServiceEntry: Sendable, Hashable {
    package enum Resolution: String, Sendable, Hashable, CaseIterable {
        case none = "NONE"
        case `static` = "STATIC"
        case dns = "DNS"
        case dnsRoundRobin = "DNS_ROUND_ROBIN"
        case dynamicDNS = "DYNAMIC_DNS"
    }
    package enum Location: String, Sendable, Hashable, CaseIterable {
        case meshExternal = "MESH_EXTERNAL"
        case meshInternal = "MESH_INTERNAL"
    }
    package var hosts: [String] = []
    /// Virtual addresses, which only a mesh's sidecars see.
    package var addresses: [String] = []
    package var ports: [ServicePort] = []
    package var location = Location.meshExternal
    package var endpoints: [WorkloadEndpoint] = []
    package var resolution = Resolution.none
    package var exportTo: [String] = []
    /// Names of which the endpoints' certificates must have one.
    package var subjectAltNames: [String] = []
    /// `workloadSelector.labels`: the Pods and WorkloadEntries of the namespace that are the endpoints.
    package var workloadSelector: [String: String]?

    package init() {}
}

/// A port of a ServiceEntry or a Kubernetes Service.
package struct ServicePort: Sendable, Hashable {
    package var number = 0
    package var name = ""
    package var `protocol` = ""
    package var targetPort: Int?
    /// Of a Service whose `targetPort` is a name; its EndpointSlices hold the number.
    package var targetPortName: String?
    package var appProtocol: String?
    package init() {}
}

/// Istio `WorkloadEntry`, as a resource or as one entry of a ServiceEntry's `endpoints:`.
package struct WorkloadEndpoint: Sendable, Hashable {
    /// IP address, domain name, or `unix:///path`.
    package var address = ""
    /// Port name to port number.
    package var ports: [String: Int] = [:]
    package var labels: [String: String] = [:]
    /// Relative weight; absent or 0 = 1.
    package var weight = 1
    /// `region/zone/subzone`.
    package var locality: String?
    package var network: String?
    package var serviceAccount: String?
    package var line = 0
    package init() {}
}

/// Kubernetes core/v1 `Service`, as far as routing reads it.
package struct Service: Sendable, Hashable {
    package var ports: [ServicePort] = []
    package var selector: [String: String] = [:]
    package var type = "ClusterIP"
    package var externalName: String?
    /// `clusterIP: None`: its name leads to its pods.
    package var isHeadless = false
    package init() {}
}

/// Kubernetes discovery.k8s.io/v1 `EndpointSlice`.
package struct EndpointSlice: Sendable, Hashable {
    package struct Port: Sendable, Hashable {
        package var name = ""
        package var port = 0
        package init() {}
    }
    package struct Endpoint: Sendable, Hashable {
        package var addresses: [String] = []
        /// `conditions.ready`; absent = ready.
        package var ready = true
        /// `conditions.serving`; absent = as `ready`.
        package var serving = true
        /// `conditions.terminating`; an unready endpoint that does not say `false` is dropped (semantics 5.2).
        package var terminating: Bool?
        package var zone: String?
        package var nodeName: String?
        /// Name of the Pod in `targetRef`, whose labels the endpoint carries.
        package var podName: String?
        package var podNamespace: String?
        package init() {}
    }
    /// From the label `kubernetes.io/service-name`.
    package var serviceName = ""
    package var addressType = "IPv4"
    package var ports: [Port] = []
    package var endpoints: [Endpoint] = []
    package init() {}
}

/// Kubernetes core/v1 `Pod`: only its labels (in the metadata), where it is and whether it serves matter.
package struct Pod: Sendable, Hashable {
    package var podIP: String?
    package var nodeName: String?
    /// Of the condition `Ready`; absent = ready, unless the Pod has ended.
    package var isReady = true
    package init() {}
}

/// Kubernetes core/v1 `Namespace`: only its labels (in the metadata) matter.
package struct Namespace: Sendable, Hashable {
    package init() {}
}

/// Kubernetes core/v1 `Secret`.
///
/// Values are decoded from base64; `stringData` wins over `data`.
package struct Secret: Sendable, Hashable {
    package var type = "Opaque"
    package var data: [String: [UInt8]] = [:]
    package init() {}
}
