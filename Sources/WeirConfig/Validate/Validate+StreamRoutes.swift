extension TLSRoute {
    func validate(at path: FieldPath, hosts: Set<String>, into findings: inout Findings) {
        if match.isEmpty {
            findings.error(path["match"], "A tls entry needs a match. Write match with sniHosts.")
        }
        for (index, match) in match.enumerated() {
            let place = path["match"][index]
            match.validate(at: place, into: &findings)
            if match.sniHosts.isEmpty {
                findings.error(place["sniHosts"], "The match has no sniHosts. Write at least one.")
            }
            for (position, name) in match.sniHosts.enumerated() {
                Self.validate(name, at: place["sniHosts"][position], hosts: hosts, into: &findings)
            }
        }
        findings.checkStreamDestinations(route, path["route"])
    }

    private static func validate(
        _ name: String, at path: FieldPath, hosts: Set<String>, into findings: inout Findings
    ) {
        if IPAddressSyntax.isAddress(name) {
            return findings.warning(path, "Clients send no SNI for an address. Write a domain name.")
        }
        guard NameSyntax.isWildcardDomain(name) else {
            return findings.error(path, "\(name) is no host. Write a domain name; a wildcard replaces the first label.")
        }
        if !isCovered(name.lowercased(), by: hosts) {
            findings.error(path, "\(name) is not among the VirtualService's hosts. Add it there, or correct it.")
        }
    }

    /// Whether every name that `name` stands for is one of the hosts, all in lower case.
    private static func isCovered(_ name: String, by hosts: Set<String>) -> Bool {
        if hosts.contains(name) || hosts.contains("*") { return true }
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            if hosts.contains("*" + rest[dot...]) { return true }
            rest = rest[dot...].dropFirst()
        }
        return false
    }
}

extension TCPRoute {
    func validate(at path: FieldPath, into findings: inout Findings) {
        for (index, match) in match.enumerated() { match.validate(at: path["match"][index], into: &findings) }
        findings.checkStreamDestinations(route, path["route"])
    }
}

extension StreamMatch {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        for (index, subnet) in destinationSubnets.enumerated() {
            findings.checkSubnet(subnet, path["destinationSubnets"][index])
        }
        if let sourceSubnet { findings.checkSubnet(sourceSubnet, path["sourceSubnet"]) }
        if let port { findings.checkPort(port, path["port"]) }
        findings.checkLabels(sourceLabels, path["sourceLabels"])
        if let sourceNamespace, !NameSyntax.isDNSLabel(sourceNamespace) {
            findings.error(path["sourceNamespace"], "\(sourceNamespace) is no namespace. Write a namespace's name.")
        }
        for (index, name) in gateways.enumerated() {
            GatewayReference.validate(name, at: path["gateways"][index], into: &findings)
        }
    }
}

extension Findings {
    mutating func checkSubnet(_ text: String, _ path: FieldPath) {
        guard !IPAddressSyntax.isSubnet(text) else { return }
        error(path, "\(text) is no range of addresses. Write one such as 10.0.0.0/8, or an address.")
    }

    fileprivate mutating func checkStreamDestinations(_ destinations: [RouteDestination], _ path: FieldPath) {
        if destinations.isEmpty { error(path, "The entry has no route. Write a route with a destination.") }
        for (index, entry) in destinations.enumerated() {
            entry.destination.validate(at: path[index]["destination"], into: &self)
            checkWeight(entry.weight, path[index]["weight"])
        }
        checkTotalWeight(destinations.map(\.weight), path)
    }
}
