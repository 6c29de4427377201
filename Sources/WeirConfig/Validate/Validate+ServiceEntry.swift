extension ServiceEntry {
    /// Protocols of a port, as Istio knows them; an empty one is detected.
    private static let protocols: Set<String> = [
        "", "HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "UDP", "MONGO", "REDIS", "MYSQL",
    ]
    /// Protocols whose requests name their host, so that several hosts can share a port.
    private static let namingProtocols: Set<String> = [
        "HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS", "TLS",
    ]

    /// Protocols that DYNAMIC_DNS can tell hosts by.
    private static let dynamicProtocols: Set<String> = ["HTTP", "HTTP2", "GRPC", "TLS"]

    func validate(at path: FieldPath, _ metadata: Metadata, into findings: inout Findings) {
        validateHosts(at: path["hosts"], into: &findings)
        validateAddresses(at: path["addresses"], into: &findings)
        validatePorts(at: path["ports"], into: &findings)
        if !takesVirtualAddress(metadata) { reportMissingAddresses(at: path["ports"], into: &findings) }
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
            } else if Self.isPartialWildcard(host) {
                findings.warning(path[index], "\(host) covers no host here. A * stands for a whole first label.")
            } else if !NameSyntax.isWildcardDomain(host), !IPAddressSyntax.isAddress(host) {
                findings.error(path[index], "\(host) is no host. Write a domain name or *.example.com.")
            }
        }
    }

    /// `*foo.example.com`, which Istio passes with a warning.
    private static func isPartialWildcard(_ host: String) -> Bool {
        host.hasPrefix("*") && !host.hasPrefix("*.") && NameSyntax.isDomain(host.dropFirst())
    }

    private func validateAddresses(at path: FieldPath, into findings: inout Findings) {
        for (index, address) in addresses.enumerated() {
            findings.checkSubnet(address, path[index])
            if address.contains("/"), resolution != .none, resolution != .static {
                let message = "A range of addresses needs resolution NONE or STATIC. Write single addresses."
                findings.error(path[index], message)
            }
        }
    }

    /// Whether a mesh would give the entry an address of its own.
    private func takesVirtualAddress(_ metadata: Metadata) -> Bool {
        resolution != .none && !hosts.contains { $0.hasPrefix("*") }
            && metadata.labels["networking.istio.io/enable-autoallocate-ip"] != "false"
    }

    private func reportMissingAddresses(at path: FieldPath, into findings: inout Findings) {
        guard addresses.isEmpty else { return }
        for (index, port) in ports.enumerated() where ["", "TCP"].contains(port.protocol.uppercased()) {
            let message =
                "In a mesh a port of this protocol needs addresses. Write a protocol such as HTTP, or addresses."
            findings.warning(path[index]["protocol"], message, code: .addressesRequired)
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
        if let workloadSelector {
            findings.checkSelector(workloadSelector, path["workloadSelector"], labels: "labels")
            if !endpoints.isEmpty {
                findings.error(path["workloadSelector"], "workloadSelector and endpoints exclude each other. Keep one.")
            }
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
            if endpoints.isEmpty, hosts.contains(where: { $0.hasPrefix("*") }) {
                findings.error(
                    path["hosts"], "A wildcard cannot be looked up. Write endpoints, or hosts without \"*\".")
            }
            if resolution == .dnsRoundRobin, endpoints.count > 1 {
                findings.error(path["endpoints"], "DNS_ROUND_ROBIN takes one endpoint. Keep one, or write DNS.")
            }
        case .dynamicDNS: validateDynamicDNS(at: path, into: &findings)
        }
    }

    private func validateDynamicDNS(at path: FieldPath, into findings: inout Findings) {
        for (field, isWritten) in [("endpoints", !endpoints.isEmpty), ("addresses", !addresses.isEmpty)] where isWritten
        {
            findings.error(path[field], "DYNAMIC_DNS takes no \(field). Remove them, or write DNS.")
        }
        for (index, host) in hosts.enumerated() where !host.hasPrefix("*") {
            findings.error(path["hosts"][index], "DYNAMIC_DNS is for wildcard hosts. Write *.example.com, or DNS.")
        }
        for (index, port) in ports.enumerated() where !Self.dynamicProtocols.contains(port.protocol.uppercased()) {
            let place = path["ports"][index]["protocol"]
            findings.error(place, "DYNAMIC_DNS needs requests that name their host. Write HTTP, HTTP2, GRPC or TLS.")
        }
    }

    private func validate(
        _ endpoint: WorkloadEndpoint, at path: FieldPath, portNames: Set<String>, into findings: inout Findings
    ) {
        endpoint.validatePortsAndLabels(at: path, into: &findings)
        for name in endpoint.ports.keys.sorted() where !portNames.contains(name) {
            let message = "No port of this ServiceEntry is named \(name). Use a name from ports."
            findings.error(path["ports"][name], message)
        }
        let address = endpoint.address
        if address.hasPrefix("unix://") {
            endpoint.validateSocket(at: path, into: &findings)
            if resolution != .static {
                findings.error(path["address"], "A unix socket needs resolution: STATIC. Write it.")
            }
            if ports.count != 1 {
                findings.error(path["address"], "A unix socket serves exactly one port. Keep one under ports.")
            }
        } else if resolution == .static || resolution == .none {
            if !IPAddressSyntax.isAddress(address), !(address.isEmpty && endpoint.network != nil) {
                let found = address.isEmpty ? "The endpoint has no address." : "\(address) is no IP address."
                findings.error(path["address"], "\(found) Write an IP address or unix:///path, or use resolution DNS.")
            }
        } else {
            endpoint.validateNameOrAddress(at: path, into: &findings)
        }
    }
}
