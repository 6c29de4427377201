import WeirConfig

extension Analyzer {
    /// Ports that do not say what they speak.
    static let servicePorts = Analyzer(
        "service.PortNames", "Service ports whose name or appProtocol tells no protocol",
        inputs: [.service], codes: [.portNaming, .externalNamePort]
    ) { context, findings in
        for (resource, service) in context.services where !systemNamespaces.contains(resource.id.namespace) {
            for (index, port) in service.ports.enumerated() {
                let path = "spec.ports[\(index)].name"
                let name =
                    port.name.isEmpty
                    ? "The port \(port.number) has no name" : "The name \(port.name) tells no protocol"
                let word = PortWord(port)
                if service.type == "ExternalName" {
                    guard word == .unknown || word == .tcp else { continue }
                    findings.report(
                        .externalNamePort, resource, path: path,
                        "An ExternalName's port \(port.number) is taken as TCP, which is not routed by host. Name it http, or "
                            + "http- and a word.")
                } else if word == .unknown {
                    findings.report(
                        .portNaming, resource, path: path,
                        "\(name), so it is taken for what it turns out to be. Name it http, http2, grpc, https, tls or tcp, alone or with "
                            + "a hyphen and a word behind it, or write appProtocol.")
                }
            }
        }
    }

    private static let systemNamespaces: Set<String> = [
        "istio-system", "kube-node-lease", "kube-public", "kube-system", "local-path-storage",
    ]

    /// Pods that two Services describe differently.
    static let podServices = Analyzer(
        "service.PodPorts", "Pods behind Services that disagree about a port's protocol or number",
        inputs: [.pod, .service], codes: [.conflictingProtocols, .conflictingPorts]
    ) { context, findings in
        var behind: [ResourceID: [Int]] = [:]
        for (place, service) in context.services.enumerated() where !service.spec.selector.isEmpty {
            for pod in context.pods.carrying(service.spec.selector, in: service.resource.id.namespace) {
                behind[pod.id, default: []].append(place)
            }
        }
        var seen: Set<[Int]> = []
        for pod in context.pods.all {
            // Many pods of a workload are one finding.
            guard let services = behind[pod.id], services.count > 1, seen.insert(services).inserted else { continue }
            reportConflicts(of: pod, behind: services.map { context.services[$0] }, &findings)
        }
    }

    private static func reportConflicts(
        of pod: Resource, behind services: [(resource: Resource, spec: Service)], _ findings: inout AnalysisFindings
    ) {
        var byNumber: [Int: [(service: String, word: String)]] = [:]
        var byTarget: [Int: [(service: String, port: Int)]] = [:]
        for (resource, service) in services {
            for port in service.ports {
                let protocolWord = port.protocol.isEmpty ? "TCP" : port.protocol.uppercased()
                byNumber[port.number, default: []].append((resource.id.name, protocolWord))
                byTarget[port.targetPort ?? port.number, default: []].append((resource.id.name, port.number))
            }
        }
        for (number, uses) in byNumber.sorted(by: { $0.key < $1.key }) where Set(uses.map(\.word)).count > 1 {
            let list = uses.map { "\($0.service) (\($0.word))" }.joined(separator: ", ")
            findings.report(
                .conflictingProtocols, pod, path: "metadata.labels",
                "Services give port \(number) of this pod different protocols: \(list). Write the same, or use another port."
            )
        }
        for (target, uses) in byTarget.sorted(by: { $0.key < $1.key }) where Set(uses.map(\.port)).count > 1 {
            let list = uses.map { "\($0.service) (\($0.port))" }.joined(separator: ", ")
            findings.report(
                .conflictingPorts, pod, path: "metadata.labels",
                "Services lead different ports to port \(target) of this pod: \(list). Use one port number for it.")
        }
    }
}

/// What a port of a Service says it speaks (semantics 5: appProtocol, else the name up to a hyphen).
private enum PortWord {
    case tcp
    case other
    case unknown

    private static let words: Set<String> = [
        "grpc", "grpc-web", "http", "http2", "https", "mongo", "mysql", "redis", "tcp", "tls", "udp",
    ]
    private static let appProtocols: Set<String> = ["kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"]
    /// Ports of protocols in which the server speaks first: TCP whatever they are called.
    private static let serverFirst: Set<Int> = [25, 53, 3306, 27017]

    init(_ port: ServicePort) {
        if port.protocol.uppercased() == "UDP" {
            self = .other
            return
        }
        let text = (port.appProtocol ?? port.name).lowercased()
        let word = text.hasPrefix("grpc-web") ? "grpc-web" : text.prefix { $0 != "-" }
        let isKnown = port.appProtocol == nil ? Self.words.contains(String(word)) : Self.words.contains(text)
        if isKnown {
            self = word == "tcp" ? .tcp : .other
        } else if Self.appProtocols.contains(text)
            || (port.appProtocol == nil && Self.serverFirst.contains(port.number))
        {
            self = .other
        } else {
            self = .unknown
        }
    }
}
