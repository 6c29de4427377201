extension HTTPRoute {
    /// The routes of a VirtualService without hosts stand in another one's place.
    func validate(at path: FieldPath, isDelegate: Bool, into findings: inout Findings) {
        if delegate != nil {
            validateDelegation(at: path, isDelegate: isDelegate, into: &findings)
        } else {
            validateAction(at: path, into: &findings)
        }
        for (index, match) in match.enumerated() { match.validate(at: path["match"][index], into: &findings) }
        for (index, destination) in route.enumerated() {
            destination.validate(at: path["route"][index], into: &findings)
        }
        findings.checkTotalWeight(route.map(\.weight), path["route"])
        redirect?.validate(at: path["redirect"], match: match, into: &findings)
        directResponse?.validate(at: path["directResponse"], into: &findings)
        rewrite?.validate(at: path["rewrite"], into: &findings)
        corsPolicy?.validate(at: path["corsPolicy"], into: &findings)
        headers?.validate(at: path["headers"], into: &findings)
        retries?.validate(at: path["retries"], into: &findings)
        fault?.validate(at: path["fault"], into: &findings)
        validateAuthority(at: path, into: &findings)
        validateMirrors(at: path, into: &findings)
    }

    /// All but `route` and `redirect` is taken over by the delegate's routes that lack it.
    private func validateDelegation(at path: FieldPath, isDelegate: Bool, into findings: inout Findings) {
        let place = path["delegate"]
        if isDelegate {
            findings.error(place, "A delegate cannot delegate again. Write its routes here, or add hosts.")
        }
        for (field, isWritten) in [("route", !route.isEmpty), ("redirect", redirect != nil)] where isWritten {
            findings.error(place, "delegate and \(field) exclude each other. Keep one of them.")
        }
    }

    private func validateAction(at path: FieldPath, into findings: inout Findings) {
        if route.isEmpty, redirect == nil, directResponse == nil {
            findings.error(path, "The entry does nothing. Write a route with a destination.")
        }
        guard let action = redirect != nil ? "redirect" : directResponse != nil ? "directResponse" : nil else { return }
        if redirect != nil, directResponse != nil || !route.isEmpty {
            let other = route.isEmpty ? "directResponse" : "route"
            findings.error(path["redirect"], "redirect and \(other) exclude each other. Keep one of them.")
        } else if directResponse != nil, !route.isEmpty {
            findings.error(path["directResponse"], "directResponse and route exclude each other. Keep one of them.")
        }
        for (field, isWritten) in [("rewrite", rewrite != nil), ("fault", fault != nil)] where isWritten {
            findings.error(path[field], "\(field) needs requests that are forwarded. Remove it, or write a route.")
        }
        for (field, isWritten) in [("mirror", mirror != nil), ("mirrors", !mirrors.isEmpty)] where isWritten {
            findings.warning(path[field], "Requests that a \(action) answers are not mirrored. Remove \(field).")
        }
    }

    /// The authority may be rewritten in one place only.
    private func validateAuthority(at path: FieldPath, into findings: inout Findings) {
        guard let request = headers?.request else { return }
        var isSet = rewrite?.authority != nil
        for (field, operations) in [("set", request.set), ("add", request.add)] {
            for name in operations.keys.sorted() where HeaderOperations.isAuthority(name) {
                if isSet {
                    let place = path["headers"]["request"][field][name]
                    findings.error(
                        place, "The authority is rewritten twice. Keep one of rewrite.authority and headers.")
                }
                isSet = true
            }
        }
    }

    private func validateMirrors(at path: FieldPath, into findings: inout Findings) {
        if let mirror {
            mirror.validate(at: path["mirror"], into: &findings)
            if !mirrors.isEmpty {
                findings.error(path["mirrors"], "mirror and mirrors exclude each other. Keep mirrors.")
            }
        }
        findings.checkPercent(mirrorPercentage, path["mirrorPercentage"]["value"])
        for (index, policy) in mirrors.enumerated() {
            let place = path["mirrors"][index]
            policy.destination.validate(at: place["destination"], into: &findings)
            findings.checkPercent(policy.percentage, place["percentage"]["value"])
        }
    }
}

extension HTTPRouteDestination {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        destination.validate(at: path["destination"], into: &findings)
        findings.checkWeight(weight, path["weight"])
        headers?.validate(at: path["headers"], into: &findings)
    }
}

extension Destination {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if host.isEmpty {
            findings.error(path["host"], "The destination has no host. Write the name of a service.")
        } else if host == "*" || !(NameSyntax.isWildcardDomain(host) || IPAddressSyntax.isAddress(host)) {
            findings.error(path["host"], "\(host) is no destination. Write the name of a service.")
        }
        if let subset, !subset.isEmpty, !NameSyntax.isDNSLabel(subset) {
            findings.error(
                path["subset"], "\(subset) is no subset's name. Use letters, digits and hyphens, at most 63.")
        }
        if let port { findings.checkPort(port, path["port"]["number"]) }
    }
}

extension Findings {
    mutating func checkWeight(_ weight: Int?, _ path: FieldPath) {
        if let weight, weight < 0 { error(path, "\(weight) is no weight. Write 0 or more.") }
    }

    /// Several destinations of weight 0 leave nobody to take a request.
    mutating func checkTotalWeight(_ weights: [Int?], _ path: FieldPath) {
        // Fewer than 2^32 destinations of 31-bit weights: the sum cannot overflow.
        guard weights.count > 1, weights.reduce(0, { $0 + max($1 ?? 0, 0) }) == 0 else { return }
        error(path, "All weights are 0. Write a weight for each destination that shall get requests.")
    }
}
