import WeirConfig

/// An annotation that Istio or Weir acts on.
struct KnownAnnotation {
    enum Value {
        case any
        /// A whole number, 0 or more.
        case number
        /// `true` or `false`.
        case flag
        /// Port numbers with commas between, or `*`.
        case ports
        /// Address ranges with commas between, or `*`.
        case ranges
        /// Namespaces with commas between, `.`, `*` or `~`.
        case namespaces
        /// One of these.
        case word([String])
    }

    let name: String
    /// Where it has a meaning; empty = everywhere.
    let kinds: [String]
    var value = Value.any
    var isDeprecated = false
    /// Not settled yet in Istio.
    var isAlpha = true

    static func find(_ name: String) -> KnownAnnotation? { table[name] }

    /// Whether an annotation of this name is Istio's or Weir's, known or not.
    static func isOurs(_ name: String) -> Bool {
        let domain = name.prefix { $0 != "/" }
        return domain == "istio.io" || domain.hasSuffix(".istio.io") || domain == "weir.dev"
            || name == "kubernetes.io/ingress.class"
    }

    private static let table = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0) })

    private static func pod(_ name: String, _ value: Value = .any, deprecated: Bool = false) -> KnownAnnotation {
        KnownAnnotation(name: name, kinds: ["Pod"], value: value, isDeprecated: deprecated)
    }

    private static let list: [KnownAnnotation] =
        [
            KnownAnnotation(name: "galley.istio.io/analyze-suppress", kinds: [], isAlpha: false),
            KnownAnnotation(name: "install.operator.istio.io/chart-owner", kinds: []),
            KnownAnnotation(name: "install.operator.istio.io/owner-generation", kinds: []),
            KnownAnnotation(name: "install.operator.istio.io/version", kinds: []),
            KnownAnnotation(name: "istio.io/dry-run", kinds: ["AuthorizationPolicy"], value: .flag),
            KnownAnnotation(name: "istio.io/rev", kinds: []),
            KnownAnnotation(name: "kubernetes.io/ingress.class", kinds: ["Ingress"], isAlpha: false),
            KnownAnnotation(
                name: "alpha.istio.io/canonical-serviceaccounts", kinds: ["Service"], isDeprecated: true),
            KnownAnnotation(
                name: "alpha.istio.io/kubernetes-serviceaccounts", kinds: ["Service"], isDeprecated: true),
            KnownAnnotation(name: "networking.istio.io/exportTo", kinds: ["Service"], value: .namespaces),
            KnownAnnotation(
                name: "networking.istio.io/traffic-distribution", kinds: ["Service", "ServiceEntry", "Namespace"]),
            KnownAnnotation(name: "networking.istio.io/address-type", kinds: ["Gateway"]),
            KnownAnnotation(name: "networking.istio.io/service-type", kinds: ["Gateway"]),
            KnownAnnotation(name: "internal.istio.io/gateway-semantics", kinds: ["Gateway", "VirtualService"]),
            // The compiler judges their values.
            KnownAnnotation(name: ProxyProtocol.annotation, kinds: ["Gateway"], isAlpha: false),
            KnownAnnotation(name: UnsafeRetries.annotation, kinds: ["VirtualService"], isAlpha: false),
            KnownAnnotation(name: "istio.io/autoRegistrationGroup", kinds: ["WorkloadEntry"]),
            KnownAnnotation(name: "istio.io/connectedAt", kinds: ["WorkloadEntry"]),
            KnownAnnotation(name: "istio.io/disconnectedAt", kinds: ["WorkloadEntry"]),
            KnownAnnotation(name: "istio.io/workloadController", kinds: ["WorkloadEntry"]),
            KnownAnnotation(name: "proxy.istio.io/config", kinds: ["Pod"], isAlpha: false),
            KnownAnnotation(name: "sidecar.istio.io/inject", kinds: ["Pod"], value: .flag, isAlpha: false),
        ] + podAnnotations

    private static let podAnnotations: [KnownAnnotation] =
        ["applicationPorts"].map { pod("readiness.status.sidecar.istio.io/\($0)", .ports) }
        + ["failureThreshold", "initialDelaySeconds", "periodSeconds"].map {
            pod("readiness.status.sidecar.istio.io/\($0)", .number)
        }
        + [
            "agentLogLevel", "bootstrapOverride", "componentLogLevel", "extraStatTags", "logLevel", "proxyCPU",
            "proxyCPULimit", "proxyImage", "proxyImageType", "proxyMemory", "proxyMemoryLimit", "status",
            "statsHistogramBuckets", "statsEvictionInterval", "nativeSidecar", "userVolume", "userVolumeMount",
        ].map { pod("sidecar.istio.io/\($0)") }
        + ["controlPlaneAuthPolicy", "discoveryAddress"].map { pod("sidecar.istio.io/\($0)", deprecated: true) }
        + ["Prefixes", "Regexps", "Suffixes"].map {
            pod("sidecar.istio.io/statsInclusion\($0)", deprecated: true)
        }
        + ["enableCoreDump", "rewriteAppHTTPProbers"].map { pod("sidecar.istio.io/\($0)", .flag) }
        + [
            pod("sidecar.istio.io/interceptionMode", .word(["REDIRECT", "TPROXY", "NONE"])),
            pod("status.sidecar.istio.io/port", .number), pod("inject.istio.io/templates"),
            pod("alpha.istio.io/identity", deprecated: true), pod("prometheus.istio.io/merge-metrics", .flag),
            pod("proxy.istio.io/overrides"), pod("ambient.istio.io/redirection"), pod("istio.io/for-service-account"),
            pod("traffic.sidecar.istio.io/excludeInterfaces"), pod("traffic.sidecar.istio.io/kubevirtInterfaces"),
        ]
        + ["excludeInboundPorts", "excludeOutboundPorts", "includeInboundPorts", "includeOutboundPorts"].map {
            pod("traffic.sidecar.istio.io/\($0)", .ports)
        }
        + ["excludeOutboundIPRanges", "includeOutboundIPRanges"].map {
            pod("traffic.sidecar.istio.io/\($0)", .ranges)
        }
}
