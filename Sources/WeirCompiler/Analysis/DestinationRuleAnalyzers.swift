import WeirConfig

extension Analyzer {
    /// Rules for services that nobody declares.
    static let destinationRuleHosts = Analyzer(
        "destinationrule.Hosts", "DestinationRules whose host is no service",
        inputs: [.destinationRule, .service, .serviceEntry], codes: [.unknownRuleHost]
    ) { context, findings in
        let known = KnownHosts(context)
        for (resource, rule) in context.destinationRules {
            let host = context.options.qualified(rule.host, namespace: resource.id.namespace)
            if known.has(host) { continue }
            let taken = host == rule.host ? "" : " (written \(rule.host))"
            findings.report(
                .unknownRuleHost, resource, path: "spec.host",
                "There is no service \(host)\(taken), so the rule applies to nothing. Declare it with a Service or a ServiceEntry, "
                    + "or correct the host: a name with a dot is taken as a full name.")
        }
    }

    /// Subsets that no endpoint has the labels of.
    static let destinationRuleSubsets = Analyzer(
        "destinationrule.Subsets", "Subsets whose labels no pod or endpoint of the service has",
        inputs: [.destinationRule, .service, .serviceEntry, .pod], codes: [.subsetWithoutPods]
    ) { context, findings in
        let declared = KnownServices(context)
        for (resource, rule) in context.destinationRules where !rule.subsets.isEmpty {
            let host = context.options.qualified(rule.host, namespace: resource.id.namespace)
            // Without any workload of the service among the files, nothing is known of its labels.
            let workloads = declared.workloadLabels(of: host, seenFrom: resource.id.namespace)
            if workloads.isEmpty { continue }
            for (index, subset) in rule.subsets.enumerated() {
                let labels = subset.labels.filter { !placeLabels.contains($0.key) }
                if labels.isEmpty || workloads.contains(where: { labels.isCarried(by: $0) }) { continue }
                findings.report(
                    .subsetWithoutPods, resource, path: "spec.subsets[\(index)].labels", line: subset.line,
                    "No workload of \(host) has the labels \(labels.selectorText), so requests for the subset \(subset.name) are "
                        + "answered with 503. Correct the labels, or deploy such a workload.")
            }
        }
    }

    /// Labels that tell where a workload runs; Kubernetes and Istio add them.
    private static let placeLabels: Set<String> = [
        "topology.istio.io/cluster", "topology.istio.io/network", "topology.istio.io/subzone",
        "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
    ]

    /// TLS to endpoints whose certificates nobody checks.
    static let destinationRuleTLS = Analyzer(
        "destinationrule.TLS", "TLS settings without a certificate authority to check the server by",
        inputs: [.destinationRule], codes: [.noServerVerification, .noServerVerificationAtPort]
    ) { context, findings in
        for (resource, rule) in context.destinationRules {
            func check(_ policy: TrafficPolicy?, _ path: String) {
                if let tls = policy?.tls, tls.checksNobody {
                    findings.report(
                        .noServerVerification, resource, path: "\(path).tls",
                        tls.advice("host \(rule.host)"))
                }
                for (index, entry) in (policy?.portLevelSettings ?? []).enumerated() {
                    guard let tls = entry.tls, tls.checksNobody else { continue }
                    findings.report(
                        .noServerVerificationAtPort, resource, path: "\(path).portLevelSettings[\(index)].tls",
                        line: entry.line, tls.advice("host \(rule.host), port \(entry.port)"))
                }
            }
            check(rule.trafficPolicy, "spec.trafficPolicy")
            for (index, subset) in rule.subsets.enumerated() {
                check(subset.trafficPolicy, "spec.subsets[\(index)].trafficPolicy")
            }
        }
    }
}

extension TrafficPolicy.ClientTLS {
    /// Encrypts without knowing to whom; a Secret brings its own authority, and skipping the check may be meant.
    fileprivate var checksNobody: Bool {
        guard mode == .simple || mode == .mutual, insecureSkipVerify != true else { return false }
        return (caCertificates ?? "").isEmpty && (credentialName ?? "").isEmpty
    }

    fileprivate func advice(_ peer: String) -> String {
        "TLS mode \(mode.rawValue) for \(peer) names no caCertificates, so no one checks whose certificate it is. Write "
            + "caCertificates or credentialName."
    }
}

/// The full names of all services, whoever may see them.
private struct KnownHosts {
    private var exact: Set<String> = []
    /// From the dot on, of services with a wildcard.
    private var wildcards: Set<String> = []
    /// Every suffix of a host, from a dot on.
    private var suffixes: Set<String> = []

    init(_ context: AnalysisContext) {
        for service in context.services {
            add(context.options.qualified(service.resource.id.name, namespace: service.resource.id.namespace))
        }
        for entry in context.serviceEntries {
            for host in entry.spec.hosts {
                add(context.options.qualified(host, namespace: entry.resource.id.namespace))
            }
        }
    }

    private mutating func add(_ host: String) {
        if host.hasPrefix("*.") { wildcards.insert(String(host.dropFirst())) } else { exact.insert(host) }
        for suffix in Self.suffixes(of: host) { suffixes.insert(suffix) }
    }

    /// Whether a rule for this host applies to one of them.
    func has(_ host: String) -> Bool {
        if host == "*" { return !exact.isEmpty || !wildcards.isEmpty }
        if host.hasPrefix("*.") { return suffixes.contains(String(host.dropFirst())) }
        return exact.contains(host) || Self.suffixes(of: host).contains { wildcards.contains($0) }
    }

    private static func suffixes(of host: String) -> [String] {
        host.indices.filter { host[$0] == "." }.map { String(host[$0...]) }
    }
}

/// Services with the workloads behind them.
private struct KnownServices {
    private let context: AnalysisContext
    /// Kubernetes Services by full name.
    private var services: [String: (resource: Resource, spec: Service)] = [:]

    init(_ context: AnalysisContext) {
        self.context = context
        for service in context.services {
            let id = service.resource.id
            services[context.options.qualified(id.name, namespace: id.namespace)] = service
        }
    }

    /// The labels of each workload behind a service; none where there is no such service.
    func workloadLabels(of host: String, seenFrom namespace: String) -> [[String: String]] {
        guard let service = context.registry.service(host, seenFrom: namespace) else { return [] }
        guard let declared = services[host] else { return service.endpoints.map(\.labels) }
        // A Service that is reached by its name says nothing of who answers there.
        let known = service.endpoints.filter { if case .address = $0.place { true } else { false } }.map(\.labels)
        guard !declared.spec.selector.isEmpty else { return known }
        // Pods that no EndpointSlice lists yet count too.
        let pods = context.pods.carrying(declared.spec.selector, in: declared.resource.id.namespace)
        return known + pods.map(\.metadata.labels)
    }
}
