// Kubernetes has validated its own objects; what is checked here are the mistakes of hand-written files.

extension Service {
    func validate(at path: FieldPath, into findings: inout Findings) {
        var names = Set<String>()
        for (index, port) in ports.enumerated() {
            let place = path["ports"][index]
            findings.checkPort(port.number, place["port"])
            if let target = port.targetPort { findings.checkPort(target, place["targetPort"]) }
            if port.name.isEmpty, ports.count > 1 {
                findings.error(place["name"], "A Service with several ports names each. Write a name.")
            } else if !names.insert(port.name).inserted {
                findings.error(place["name"], "Two ports are named \(port.name). Give each its own name.")
            }
        }
        if type == "ExternalName", (externalName ?? "").isEmpty {
            findings.error(path["externalName"], "An ExternalName Service names its target. Write externalName.")
        }
    }
}

extension EndpointSlice {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if serviceName.isEmpty {
            let message =
                "The label kubernetes.io/service-name is missing, so no Service has these endpoints. Write it."
            findings.warning(path["metadata"]["labels"], message)
        }
        for (index, port) in ports.enumerated() { findings.checkPort(port.port, path["ports"][index]["port"]) }
        guard addressType != "FQDN" else { return }
        for (index, endpoint) in endpoints.enumerated() {
            for (position, address) in endpoint.addresses.enumerated() where !IPAddressSyntax.isAddress(address) {
                let place = path["endpoints"][index]["addresses"][position]
                findings.error(place, "\(address) is no IP address. Write one, or addressType: FQDN.")
            }
        }
    }
}
