import WeirConfig

extension Analyzer {
    /// The pods a Gateway selects, and the Service in front of them.
    static let gatewayWorkloads = Analyzer(
        "gateway.Workloads", "Gateways whose selector no gateway has, and server ports its Service lacks",
        inputs: [.gateway, .pod, .service], codes: [.referenceNotFound, .portNotOnService]
    ) { context, findings in
        // Gateways have few selectors among them.
        var known: [[String: String]: GatewayWorkloads] = [:]
        for (resource, gateway) in context.gateways {
            let workloads = known[gateway.selector] ?? GatewayWorkloads(gateway.selector, context)
            known[gateway.selector] = workloads
            if workloads.labels.isEmpty {
                findings.report(
                    .referenceNotFound, resource, path: "spec.selector",
                    "No gateway carries the labels \(gateway.selector.selectorText): neither a Pod of these files, nor this gateway, "
                        + "which goes by \(context.gatewayLabels.selectorText). Correct the selector, or say with "
                        + "--gateway-selector which labels the gateway has.")
                continue
            }
            let ports = workloads.servicePorts
            guard !ports.isEmpty else { continue }
            for (index, server) in gateway.servers.enumerated() where !ports.contains(server.port.number) {
                findings.report(
                    .portNotOnService, resource, path: "spec.servers[\(index)].port.number", line: server.line,
                    "No Service in front of the gateway has port \(server.port.number), so it cannot be reached through one. "
                        + "Add the port to the Service, or use one of \(ports.sorted().map(String.init).joined(separator: ", "))."
                )
            }
        }
    }

    /// Gateways that claim the same host on the same port of the same pods.
    static let gatewayConflicts = Analyzer(
        "gateway.Conflicts", "Gateways for the same pods that have a host in common on a port",
        inputs: [.gateway], codes: [.conflictingGateways]
    ) { context, findings in
        var claims: [ServerClaim: [(gateway: Resource, selector: [String: String])]] = [:]
        for (resource, gateway) in context.gateways {
            for claim in Set(gateway.servers.flatMap { ServerClaim.all(of: $0, in: resource) }) {
                claims[claim, default: []].append((resource, gateway.selector))
            }
        }
        for (resource, gateway) in context.gateways {
            for (index, server) in gateway.servers.enumerated() {
                let mine = ServerClaim.all(of: server, in: resource)
                let rivals = mine.lazy.flatMap { claims[$0] ?? [] }.filter { other in
                    other.gateway.id != resource.id && other.selector.mayMeet(gateway.selector)
                }
                let names = NameList(rivals.map(\.gateway.id.fullName))
                guard !names.isEmpty else { continue }
                findings.report(
                    .conflictingGateways, resource, path: "spec.servers[\(index)].hosts", line: server.line,
                    "The same host on port \(server.port.number) is also claimed by Gateway \(names.text). "
                        + "Keep it in one of them, or give them different selectors.")
            }
        }
    }

    /// One certificate on several Gateways: clients reuse a connection for another host, and get a 404.
    static let gatewayCertificates = Analyzer(
        "gateway.Certificates", "Certificates that several Gateways of the same pods serve",
        inputs: [.gateway, .pod, .secret], codes: [.duplicateCertificate]
    ) { context, findings in
        var options = context.options
        options.guessesSecretNamespaces = true
        var owners: [ServedCertificate: [(gateway: Resource, selector: [String: String])]] = [:]
        let places = context.gateways.map { options.secretNamespaces(of: $0.resource, context.pods) }
        for ((resource, gateway), namespaces) in zip(context.gateways, places) {
            for certificate in Set(gateway.servers.compactMap { ServedCertificate($0, namespaces, context) }) {
                owners[certificate, default: []].append((resource, gateway.selector))
            }
        }
        for ((resource, gateway), namespaces) in zip(context.gateways, places) {
            for (index, server) in gateway.servers.enumerated() {
                guard let certificate = ServedCertificate(server, namespaces, context) else { continue }
                // As Istio: reported where this selector is the wider one of the two.
                let others = (owners[certificate] ?? []).lazy.filter {
                    $0.gateway.id != resource.id && gateway.selector.isCarried(by: $0.selector)
                }
                let names = NameList(others.map(\.gateway.id.fullName))
                guard !names.isEmpty else { continue }
                findings.report(
                    .duplicateCertificate, resource, path: "spec.servers[\(index)].tls", line: server.line,
                    "Gateway \(names.text) serves the same certificate, so a browser may send requests for its "
                        + "hosts over this one's HTTP/2 connections and get 404. Serve these hosts from one Gateway, or use "
                        + "certificates of their own.")
            }
        }
    }
}

/// Who a Gateway may speak of.
private struct GatewayWorkloads {
    /// Of each workload it selects.
    let labels: [[String: String]]
    /// Ports, and where those lead to, of all Services in front of them; empty when none is known.
    let servicePorts: Set<Int>

    init(_ selector: [String: String], _ context: AnalysisContext) {
        let pods = context.pods.carrying(selector)
        let own = selector.isCarried(by: context.gatewayLabels) ? [context.gatewayLabels] : []
        labels = pods.map(\.metadata.labels) + own
        var ports: Set<Int> = []
        for (resource, service) in context.services where !service.selector.isEmpty {
            let isInFront =
                pods.contains {
                    $0.id.namespace == resource.id.namespace && service.selector.isCarried(by: $0.metadata.labels)
                } || own.contains { service.selector.isCarried(by: $0) }
            if isInFront { ports.formUnion(service.ports.flatMap { [$0.number] + ($0.targetPort.map { [$0] } ?? []) }) }
        }
        servicePorts = ports
    }
}

/// A host on a port, as a Gateway's server claims it.
private struct ServerClaim: Hashable {
    let port: Int
    let bind: String
    /// With its namespace, where it has one.
    let host: String

    static func all(of server: Gateway.Server, in gateway: Resource) -> [ServerClaim] {
        server.hosts.map { written in
            var host = written.lowercased()
            if host.hasPrefix("./") { host = gateway.id.namespace + host.dropFirst() }
            if host.hasPrefix("*/") { host = String(host.dropFirst(2)) }
            return ServerClaim(port: server.port.number, bind: server.bind ?? "", host: host)
        }
    }
}

/// Where a server's certificate comes from.
private enum ServedCertificate: Hashable {
    /// Its namespace is where there is such a Secret; `nil` = nowhere yet, and Gateways of one workload mean the same.
    case secret(namespace: String?, name: String)
    case files(certificate: String, key: String)

    /// `namespaces`: where the Gateway's Secrets may be; the first that has one counts.
    init?(_ server: Gateway.Server, _ namespaces: [String], _ context: AnalysisContext) {
        guard let tls = server.tls else { return nil }
        if let name = tls.credentialName, !name.isEmpty {
            self = .secret(namespace: namespaces.first { context.secret(name, in: $0) != nil }, name: name)
        } else if let certificate = tls.serverCertificate, let key = tls.privateKey, !certificate.isEmpty, !key.isEmpty
        {
            self = .files(certificate: certificate, key: key)
        } else {
            return nil
        }
    }
}

extension [String: String] {
    /// Whether one of the two selectors says no more than the other: then pods of the stricter one have both.
    fileprivate func mayMeet(_ other: [String: String]) -> Bool { isCarried(by: other) || other.isCarried(by: self) }
}
