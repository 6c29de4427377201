extension ServiceEntry {
    /// Protocols of a port, as Istio knows them; an empty one is detected.
    private static let protocols: Set<String> = [
        "", "HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "UDP", "MONGO", "REDIS", "MYSQL",
    ]
    /// Protocols whose requests name their host, so that several hosts can share a port.
    private static let namingProtocols: Set<String> = [
        "HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS", "TLS",
    ]

    func validate(at path: FieldPath, _ metadata: Metadata, into findings: inout Findings) {
        validateHosts(at: path["hosts"], into: &findings)
        validatePorts(at: path["ports"], into: &findings)
        validateResolution(at: path, into: &findings)
        let portNames = Set(ports.map(\.name))
        for (index, endpoint) in endpoints.enumerated() {
            validate(endpoint, at: path["endpoints"][index], portNames: portNames, into: &findings)
        }
        findings.checkExportTo(exportTo, at: path["exportTo"], namespace: metadata.namespace, allowsNobody: true)
    }

    private func validateHosts(at path: FieldPath, into findings: inout Findings) {
        if hosts.isEmpty { findings.error(path, "The ServiceEntry has no hosts. Write at least one name.") }
        for (index, host) in hosts.enumerated() {
            if host == "*" {
                findings.error(path[index], "\"*\" is no host of a ServiceEntry. Write a domain name or *.example.com.")
            } else if !NameSyntax.isWildcardDomain(host), !IPAddressSyntax.isAddress(host) {
                findings.error(path[index], "\(host) is no host. Write a domain name or *.example.com.")
            }
        }
    }

    private func validatePorts(at path: FieldPath, into findings: inout Findings) {
        var names = Set<String>()
        var numbers = Set<Int>()
        for (index, port) in ports.enumerated() {
            let place = path[index]
            findings.checkPort(port.number, place["number"])
            if !numbers.insert(port.number).inserted, port.number != 0 {
                findings.error(place["number"], "Port \(port.number) is listed twice. Keep one.")
            }
            if !NameSyntax.isDNSLabel(port.name) {
                let name = port.name.isEmpty ? "An empty text" : port.name
                findings.error(place["name"], "\(name) is no port's name. Use letters, digits and hyphens, at most 63.")
            } else if !names.insert(port.name).inserted {
                findings.error(place["name"], "Two ports are named \(port.name). Give each its own name.")
            }
            if let target = port.targetPort { findings.checkPort(target, place["targetPort"]) }
            let word = port.protocol.uppercased()
            if !Self.protocols.contains(word) {
                findings.error(
                    place["protocol"], "\(port.protocol) is no protocol. Write HTTP, HTTP2, GRPC, HTTPS, TLS or TCP.")
            } else if hosts.count > 1, resolution != .none, !Self.namingProtocols.contains(word) {
                let message = "Several hosts cannot share a port that is neither HTTP nor TLS. Write one host."
                findings.error(place["protocol"], message)
            }
        }
    }

    private func validateResolution(at path: FieldPath, into findings: inout Findings) {
        if workloadSelector != nil, !endpoints.isEmpty {
            findings.error(path["workloadSelector"], "workloadSelector and endpoints exclude each other. Keep one.")
        }
        switch resolution {
        case .none:
            if !endpoints.isEmpty {
                findings.error(path["resolution"], "Resolution NONE takes no endpoints. Write resolution: STATIC.")
            } else if workloadSelector != nil {
                findings.warning(path["resolution"], "Resolution NONE uses no workloadSelector. Write STATIC.")
            }
        case .static: break
        case .dns, .dnsRoundRobin:
            let hasWildcard = hosts.contains { $0.hasPrefix("*") }
            if endpoints.isEmpty, workloadSelector == nil, hasWildcard {
                findings.error(
                    path["hosts"], "A wildcard cannot be looked up. Write endpoints, or hosts without \"*\".")
            }
            if resolution == .dnsRoundRobin, endpoints.count > 1 {
                findings.error(path["endpoints"], "DNS_ROUND_ROBIN takes one endpoint. Keep one, or write DNS.")
            }
        case .dynamicDNS:
            if !endpoints.isEmpty {
                findings.error(path["endpoints"], "DYNAMIC_DNS takes no endpoints. Remove them, or write DNS.")
            }
            for (index, host) in hosts.enumerated() where !host.hasPrefix("*") {
                findings.error(path["hosts"][index], "DYNAMIC_DNS is for wildcard hosts. Write *.example.com, or DNS.")
            }
        }
    }

    private func validate(
        _ endpoint: WorkloadEndpoint, at path: FieldPath, portNames: Set<String>, into findings: inout Findings
    ) {
        for (name, port) in endpoint.ports.sorted(by: { $0.key < $1.key }) {
            findings.checkPort(port, path["ports"][name])
            if !portNames.contains(name) {
                findings.error(
                    path["ports"][name], "No port of this ServiceEntry is named \(name). Use a name from ports.")
            }
        }
        findings.checkLabels(endpoint.labels, path["labels"])
        validateAddress(endpoint, at: path, into: &findings)
    }

    private func validateAddress(_ endpoint: WorkloadEndpoint, at path: FieldPath, into findings: inout Findings) {
        let address = endpoint.address
        if address.hasPrefix("unix://") {
            if NameSyntax.unixPath(address) == nil {
                findings.error(path["address"], "\(address) is no socket. Write unix:///path.")
            }
            if resolution != .static {
                findings.error(path["address"], "A unix socket needs resolution: STATIC. Write it.")
            }
            if !endpoint.ports.isEmpty {
                findings.error(path["ports"], "A unix socket has no ports. Remove them.")
            }
            if ports.count != 1 {
                findings.error(path["address"], "A unix socket serves exactly one port. Keep one under ports.")
            }
        } else if resolution == .static || resolution == .none {
            if !IPAddressSyntax.isAddress(address) {
                let found = address.isEmpty ? "The endpoint has no address." : "\(address) is no IP address."
                findings.error(path["address"], "\(found) Write an IP address or unix:///path, or use resolution DNS.")
            }
        } else if !IPAddressSyntax.isAddress(address), !NameSyntax.isDomain(address) {
            let found = address.isEmpty ? "The endpoint has no address." : "\(address) is no address."
            findings.error(path["address"], "\(found) Write a domain name or an IP address.")
        }
    }
}

extension WorkloadEndpoint {
    /// The rules of a WorkloadEntry, which no ServiceEntry is beside.
    func validate(at path: FieldPath, into findings: inout Findings) {
        findings.checkLabels(labels, path["labels"])
        for (name, port) in ports.sorted(by: { $0.key < $1.key }) { findings.checkPort(port, path["ports"][name]) }
    }
}
