extension VirtualService {
    func validate(at path: FieldPath, _ metadata: Metadata, into findings: inout Findings) {
        validateHosts(at: path["hosts"], into: &findings)
        for (index, name) in gateways.enumerated() {
            GatewayReference.validate(name, at: path["gateways"][index], into: &findings)
        }
        if hosts.isEmpty { validateDelegate(at: path, into: &findings) }
        if http.isEmpty, tls.isEmpty, tcp.isEmpty {
            findings.error(path["http"], "There are no routes. Write at least one entry under http.")
        }
        for (index, route) in http.enumerated() {
            route.validate(at: path["http"][index], isDelegate: hosts.isEmpty, into: &findings)
        }
        let names = tls.isEmpty ? [] : Set(hosts.map { $0.lowercased() })
        for (index, route) in tls.enumerated() {
            route.validate(at: path["tls"][index], hosts: names, into: &findings)
        }
        for (index, route) in tcp.enumerated() { route.validate(at: path["tcp"][index], into: &findings) }
        reportDuplicateMatches(at: path["http"], into: &findings)
        findings.checkExportTo(exportTo, at: path["exportTo"], namespace: metadata.namespace)
    }

    private func validateHosts(at path: FieldPath, into findings: inout Findings) {
        var overlap = HostOverlap()
        let isMesh = gateways.isEmpty || gateways.contains("mesh")
        for (index, host) in hosts.enumerated() {
            guard NameSyntax.isWildcardDomain(host) || IPAddressSyntax.isAddress(host) else {
                let message = "\(host) is no host. Write a domain name; a wildcard replaces the first label only."
                findings.error(path[index], message)
                continue
            }
            if host == "*", isMesh {
                findings.error(
                    path[index], "\"*\" is no host for the mesh. Name only ingress gateways, or write hosts.")
            }
            if let other = overlap.add(host) {
                let message =
                    other.lowercased() == host.lowercased()
                    ? "\(host) is listed twice. Keep one." : "\(host) overlaps \(other). Keep the one you mean."
                findings.error(path[index], message)
            }
        }
    }

    /// Without hosts, a VirtualService is only the target of another one's `delegate`.
    private func validateDelegate(at path: FieldPath, into findings: inout Findings) {
        if !gateways.isEmpty {
            findings.error(path["hosts"], "The VirtualService has no hosts. Write at least one host it serves.")
        } else if !tls.isEmpty || !tcp.isEmpty {
            findings.error(path["hosts"], "A VirtualService without hosts has http routes only. Write hosts.")
        }
    }
}

/// Finds hosts of one VirtualService that stand for the same names.
///
/// Linear in the hosts' labels.
private struct HostOverlap {
    private var exact: [String: String] = [:]
    /// Suffix of a wildcard (`.example.com`, empty for `*`) to the host as written.
    private var wildcards: [String: String] = [:]
    /// Every suffix of the hosts so far, to the first of them.
    private var suffixes: [String: String] = [:]

    /// An earlier host that overlaps, if any.
    mutating func add(_ host: String) -> String? {
        let name = host.lowercased()
        let isWildcard = name.hasPrefix("*")
        let tail = isWildcard ? String(name.dropFirst()) : name
        var other = isWildcard ? suffixes[tail] ?? wildcards[tail] : exact[name]
        // A wildcard covers names below it, never the apex: `*.a.com` and `a.com` do not meet.
        var ends = Substring(tail)
        if isWildcard { ends = ends.dropFirst() }
        var covering: [String] = [""]
        while let dot = ends.firstIndex(of: ".") {
            ends = ends[dot...]
            covering.append(String(ends))
            ends = ends.dropFirst()
        }
        for suffix in covering where !(isWildcard && suffix == tail) {
            if other == nil { other = wildcards[suffix] }
            if suffixes[suffix] == nil { suffixes[suffix] = host }
        }
        if isWildcard { wildcards[tail] = host } else { exact[name] = host }
        return other
    }
}

/// A name in `gateways:`.
enum GatewayReference {
    static func validate(_ name: String, at path: FieldPath, into findings: inout Findings) {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            guard !parts.allSatisfy({ NameSyntax.isDNSLabel($0) }) else { return }
        } else {
            if NameSyntax.isDNSLabel(name) { return }
            if NameSyntax.isDomain(name) {
                let message = "The gateway's name is written as a domain name. Write namespace/name."
                return findings.warning(path, message)
            }
        }
        findings.error(path, "\(name) is no gateway's name. Write name or namespace/name.")
    }
}
