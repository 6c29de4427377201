/// Istio `ServiceEntry`: hosts, their ports and endpoints.
package struct ServiceEntry: Sendable, Hashable {
    package enum Resolution: String, Sendable, Hashable, CaseIterable {
        case none = "NONE"
        case `static` = "STATIC"
        case dns = "DNS"
        case dnsRoundRobin = "DNS_ROUND_ROBIN"
        case dynamicDNS = "DYNAMIC_DNS"
    }
    package var hosts: [String] = []
    package var ports: [ServicePort] = []
    package var endpoints: [WorkloadEndpoint] = []
    package var resolution = Resolution.none
    package var exportTo: [String] = []
    package var workloadSelector: [String: String]?

    package init() {}
}

/// A port of a ServiceEntry or a Kubernetes Service.
package struct ServicePort: Sendable, Hashable {
    package var number = 0
    package var name = ""
    package var `protocol` = ""
    package var targetPort: Int?
    package var appProtocol: String?
    package init() {}
}

/// One entry of `endpoints:` (Istio WorkloadEntry inline).
package struct WorkloadEndpoint: Sendable, Hashable {
    /// IP address, or `unix:///path`.
    package var address = ""
    /// Port name to port number.
    package var ports: [String: Int] = [:]
    package var labels: [String: String] = [:]
    /// Relative weight; absent or 0 = 1.
    package var weight = 1
    package var locality: String?
    package var line = 0
    package init() {}
}

/// Kubernetes core/v1 `Service`, as far as routing reads it.
package struct Service: Sendable, Hashable {
    package var ports: [ServicePort] = []
    package var selector: [String: String] = [:]
    package var type = "ClusterIP"
    package var externalName: String?
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

/// Kubernetes core/v1 `Pod`: only its labels (in the metadata) and address matter.
package struct Pod: Sendable, Hashable {
    package var podIP: String?
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
