extension HTTPRoute {
    /// The written fields that say what happens to a request, beside `route`.
    private var actions: [String] {
        [
            redirect.map { _ in "redirect" }, directResponse.map { _ in "directResponse" },
            delegate.map { _ in "delegate" },
        ]
        .compactMap(\.self)
    }

    func validate(at path: FieldPath, into findings: inout Findings) {
        validateAction(at: path, into: &findings)
        if !mirrors.isEmpty, mirror != nil {
            findings.error(path["mirrors"], "mirror and mirrors exclude each other. Keep mirrors.")
        }
        for (index, match) in match.enumerated() { match.validate(at: path["match"][index], into: &findings) }
        for (index, destination) in route.enumerated() {
            destination.validate(at: path["route"][index], into: &findings)
        }
        // Fewer than 2^32 destinations of 31-bit weights: the sum cannot overflow.
        if route.count > 1, route.reduce(0, { $0 + max($1.weight ?? 0, 0) }) == 0 {
            findings.error(
                path["route"], "All weights are 0. Write a weight for each destination that shall get requests.")
        }
    }

    private func validateAction(at path: FieldPath, into findings: inout Findings) {
        let written = actions
        if route.isEmpty, written.isEmpty {
            findings.error(path, "The entry does nothing. Write a route with a destination.")
        }
        if let action = written.first, !route.isEmpty || written.count > 1 {
            let other = written.count > 1 ? written[1] : "route"
            findings.error(path[action], "\(action) and \(other) exclude each other. Keep one of them.")
        }
        guard written.contains("redirect") || written.contains("directResponse") else { return }
        for (field, isWritten) in [("rewrite", rewrite != nil), ("fault", fault != nil)] where isWritten {
            findings.error(path[field], "\(field) needs requests that are forwarded. Remove it, or write a route.")
        }
    }
}

extension HTTPRouteDestination {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        let place = path["destination"]
        let host = destination.host
        if host.isEmpty {
            findings.error(place["host"], "The destination has no host. Write the name of a service.")
        } else if host == "*" || !(NameSyntax.isWildcardDomain(host) || IPAddressSyntax.isAddress(host)) {
            findings.error(place["host"], "\(host) is no destination. Write the name of a service.")
        }
        if let subset = destination.subset, !subset.isEmpty, !NameSyntax.isDNSLabel(subset) {
            findings.error(
                place["subset"], "\(subset) is no subset's name. Use letters, digits and hyphens, at most 63.")
        }
        if let port = destination.port { findings.checkPort(port, place["port"]["number"]) }
        if let weight, weight < 0 {
            findings.error(path["weight"], "\(weight) is no weight. Write 0 or more.")
        }
    }
}

extension HTTPMatchRequest {
    func validate(at path: FieldPath, into findings: inout Findings) {
        uri?.validate(at: path["uri"], emptyPrefixAllowed: true, into: &findings)
        scheme?.validate(at: path["scheme"], into: &findings)
        method?.validate(at: path["method"], into: &findings)
        authority?.validate(at: path["authority"], into: &findings)
        Self.validateHeaders(headers, at: path["headers"], into: &findings)
        Self.validateHeaders(withoutHeaders, at: path["withoutHeaders"], into: &findings)
        for condition in queryParams {
            condition.match.validate(at: path["queryParams"][condition.name], into: &findings)
        }
        if let port { findings.checkPort(port, path["port"]) }
        findings.checkLabels(sourceLabels, path["sourceLabels"])
        if let sourceNamespace, !sourceNamespace.isEmpty, !NameSyntax.isDNSLabel(sourceNamespace) {
            findings.error(path["sourceNamespace"], "\(sourceNamespace) is no namespace. Write a namespace's name.")
        }
        for (index, name) in gateways.enumerated() {
            GatewayReference.validate(name, at: path["gateways"][index], into: &findings)
        }
    }

    private static func validateHeaders(
        _ conditions: [NamedMatch], at path: FieldPath, into findings: inout Findings
    ) {
        for condition in conditions {
            let place = path[condition.name]
            if condition.name.hasPrefix("@request.auth") {
                let message = "Conditions on JWT claims are not acted on by this version; no request has such a header."
                findings.warning(place, message, code: .fieldNotHonoured)
            } else if !NameSyntax.isHeaderName(condition.name) {
                findings.error(place, "\(condition.name) is no header's name. Use letters, digits and hyphens.")
            }
            condition.match.validate(at: place, into: &findings)
        }
    }
}

extension StringMatch {
    /// An empty prefix is every value; Istio takes it for paths only, and has `{}` for the rest.
    fileprivate func validate(at path: FieldPath, emptyPrefixAllowed: Bool = false, into findings: inout Findings) {
        switch self {
        case .exact, .present: break
        case .prefix(let prefix):
            guard prefix.isEmpty, !emptyPrefixAllowed else { return }
            findings.error(path["prefix"], "The prefix is empty. Write {} to accept any value, or a prefix.")
        case .regex(let pattern):
            if pattern.isEmpty, !emptyPrefixAllowed {
                findings.error(path["regex"], "The pattern is empty. Write {} to accept any value, or a pattern.")
            } else if let problem = RegexCheck.problem(pattern) {
                findings.error(path["regex"], problem)
            }
        }
    }
}
