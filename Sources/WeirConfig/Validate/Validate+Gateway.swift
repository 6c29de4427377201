extension Gateway {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if servers.isEmpty { findings.error(path["servers"], "The Gateway has no servers. Write at least one.") }
        findings.checkLabels(selector, path["selector"])
        var portNames = Set<String>()
        for (index, server) in servers.enumerated() {
            let place = path["servers"][index]
            server.validate(at: place, into: &findings)
            let name = server.port.name
            if name.isEmpty {
                findings.error(place["port"]["name"], "The port has no name. Write one that no other server has.")
            } else if !portNames.insert(name).inserted {
                findings.error(place["port"]["name"], "Two servers name their port \(name). Give each its own name.")
            }
        }
    }
}

extension Gateway.Server {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        let isSocket = bind.map { NameSyntax.unixPath($0) != nil } ?? false
        // A unix socket has no port; any number is a placeholder.
        if !(isSocket && port.number == 0) { findings.checkPort(port.number, path["port"]["number"]) }
        if let bind, !isSocket, !IPAddressSyntax.isAddress(bind) {
            findings.error(path["bind"], "\(bind) is no address to listen on. Write an IP address or unix:///path.")
        }
        if hosts.isEmpty {
            findings.error(path["hosts"], "The server has no hosts. Write some, or \"*\" for all.")
        }
        for (index, host) in hosts.enumerated() {
            guard let problem = Self.problem(withHost: host) else { continue }
            findings.error(path["hosts"][index], problem)
        }
        validateTLS(at: path["tls"], into: &findings)
    }

    /// `host` or `namespace/host`; a host is a name with a dot, a `*.` wildcard, or `*`.
    private static func problem(withHost text: String) -> String? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let host = parts[parts.count - 1]
        if parts.count == 2, parts[0] != ".", parts[0] != "*", !NameSyntax.isDNSLabel(parts[0]) {
            return "\(parts[0]) is no namespace. Write a name, \".\" or \"*\" before the slash."
        }
        if host == "*" || IPAddressSyntax.isAddress(String(host)) { return nil }
        guard NameSyntax.isWildcardDomain(host) else {
            return "\(host) is no host. Write a domain name; a wildcard replaces the first label only (*.example.com)."
        }
        return host.contains(".") ? nil : "\(host) has no dot. Write the whole domain name, or \"*\" for all."
    }
}
