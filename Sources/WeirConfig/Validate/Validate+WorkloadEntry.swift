extension WorkloadEndpoint {
    /// The rules of a WorkloadEntry, which stands in no ServiceEntry: its address may be of any form.
    func validate(at path: FieldPath, into findings: inout Findings) {
        validatePortsAndLabels(at: path, into: &findings)
        if address.hasPrefix("unix://") {
            validateSocket(at: path, into: &findings)
        } else if !address.isEmpty || network == nil {
            validateNameOrAddress(at: path, into: &findings)
        } else {
            findings.warning(path["address"], "Without an address no request gets there. Write one.")
        }
    }

    func validatePortsAndLabels(at path: FieldPath, into findings: inout Findings) {
        for (name, port) in ports.sorted(by: { $0.key < $1.key }) {
            let place = path["ports"][name]
            if !NameSyntax.isDNSLabel(name) {
                findings.error(place, "\(name) is no port's name. Use letters, digits and hyphens, at most 63.")
            }
            findings.checkPort(port, place)
        }
        findings.checkLabels(labels, path["labels"])
    }

    func validateSocket(at path: FieldPath, into findings: inout Findings) {
        if NameSyntax.unixPath(address) == nil {
            findings.error(path["address"], "\(address) is no socket. Write unix:///path.")
        }
        if !ports.isEmpty { findings.error(path["ports"], "A unix socket has no ports. Remove them.") }
    }

    func validateNameOrAddress(at path: FieldPath, into findings: inout Findings) {
        guard !IPAddressSyntax.isAddress(address), !NameSyntax.isDomain(address) else { return }
        let found = address.isEmpty ? "There is no address." : "\(address) is no address."
        findings.error(path["address"], "\(found) Write a domain name or an IP address.")
    }
}
