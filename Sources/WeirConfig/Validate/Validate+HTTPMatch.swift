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

    /// Names that stand for parts of the request line.
    private static let pseudoHeaders: Set<String> = [":method", ":scheme", ":authority", ":path", ":status"]

    private static func validateHeaders(
        _ conditions: [NamedMatch], at path: FieldPath, into findings: inout Findings
    ) {
        for condition in conditions {
            let place = path[condition.name]
            if condition.name.hasPrefix("@request.auth") {
                let message = "A JWT claim is not acted on by this version; no request has such a header."
                findings.warning(place, message, code: .fieldNotHonoured)
            } else if !NameSyntax.isHeaderName(condition.name), !pseudoHeaders.contains(condition.name) {
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
        case .regex(let pattern): findings.checkPattern(pattern, path["regex"])
        }
    }
}

extension Findings {
    mutating func checkPattern(_ pattern: String, _ path: FieldPath) {
        if pattern.isEmpty {
            error(path, "The pattern is empty. Write a pattern; .* accepts any value.")
        } else if let problem = RegexCheck.problem(pattern) {
            error(path, problem)
        }
    }
}
