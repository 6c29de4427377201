extension TrafficPolicy.LoadBalancer {
    func validate(at path: FieldPath, hasOutlierDetection: Bool, into findings: inout Findings) {
        consistentHash?.validate(at: path["consistentHash"], into: &findings)
        localityLbSetting?.validate(
            at: path["localityLbSetting"], hasOutlierDetection: hasOutlierDetection, into: &findings)
        if let zoneAwareLbSetting {
            let place = path["zoneAwareLbSetting"]
            if localityLbSetting != nil {
                findings.error(place, "zoneAwareLbSetting and localityLbSetting exclude each other. Keep one of them.")
            }
            TrafficPolicy.Failover.validate(zoneAwareLbSetting.failover, at: place["failover"], into: &findings)
        }
        warmup?.validate(at: path["warmup"], into: &findings)
    }
}

extension TrafficPolicy.Warmup {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if durationMilliseconds == nil {
            findings.error(path["duration"], "The warm-up has no duration. Write one, such as 30s.")
        }
        findings.checkPercent(minimumPercent.map(Percent.init), path["minimumPercent"])
        if let aggression, aggression <= 0 {
            findings.error(path["aggression"], "\(aggression) is no aggression. Write a number above 0; 1 is linear.")
        }
    }
}

extension TrafficPolicy.ConsistentHash {
    /// Tables of this size and above are refused.
    private static let tableSizeLimit = 5_000_011

    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if key == nil {
            let message = "The hash has no key, so any endpoint is chosen. Write httpHeaderName, httpCookie or another."
            findings.warning(path, message)
        }
        if case .httpCookie(let cookie) = key { cookie.validate(at: path["httpCookie"], into: &findings) }
        if case .maglev(let size) = algorithm, size >= Self.tableSizeLimit || !Self.isPrime(size) {
            let found = size == 0 ? "The table has no size." : "\(size) is no size of a table."
            findings.error(
                path["maglev"]["tableSize"],
                "\(found) Write a prime number below \(Self.tableSizeLimit), such as 65537.")
        }
    }

    /// Only asked below the limit, so the loop is short.
    private static func isPrime(_ number: Int) -> Bool {
        guard number > 3 else { return number > 1 }
        guard number % 2 == 1 else { return false }
        var factor = 3
        while factor * factor <= number {
            if number % factor == 0 { return false }
            factor += 2
        }
        return true
    }
}

extension TrafficPolicy.ConsistentHash.Cookie {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        if name.isEmpty {
            findings.error(path["name"], "The cookie has no name. Write one.")
        } else if !NameSyntax.isHeaderName(name) {
            // RFC 6265 §4.1.1: a cookie's name is a token, as a header's is.
            findings.error(path["name"], "\(name) is no cookie's name. Use letters, digits and hyphens.")
        }
        if let text = self.path { Self.checkText(text, path["path"], into: &findings) }
        var names = Set<String>()
        for (index, attribute) in attributes.enumerated() {
            let place = path["attributes"][index]
            if !NameSyntax.isHeaderName(attribute.name) {
                let name = attribute.name.isEmpty ? "An empty text" : attribute.name
                findings.error(place["name"], "\(name) is no attribute's name. Write one such as SameSite.")
            } else if !names.insert(attribute.name.lowercased()).inserted {
                findings.error(place["name"], "The attribute \(attribute.name) is listed twice. Keep one.")
            }
            Self.checkText(attribute.value, place["value"], into: &findings)
        }
    }

    /// RFC 6265 §4.1.1: no control character and no semicolon, which would begin another attribute.
    private static func checkText(_ text: String, _ path: FieldPath, into findings: inout Findings) {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: ";") }) else { return }
        findings.error(path, "The text holds a semicolon or a control character. Remove it.")
    }
}

extension TrafficPolicy.Failover {
    /// From one whole region to another.
    fileprivate static func validate(_ failovers: [Self], at path: FieldPath, into findings: inout Findings) {
        for (index, failover) in failovers.enumerated() {
            for (field, region) in [("from", failover.from), ("to", failover.to)]
            where region.contains("/") || region.contains("*") {
                findings.error(path[index][field], "\(region) is no region. Write its name alone, without / and *.")
            }
            if failover.from == failover.to {
                findings.error(path[index], "A region cannot take over from itself. Write another one.")
            }
        }
    }
}

extension TrafficPolicy.LocalityLoadBalancer {
    private static let topologyLabels: Set<String> = [
        "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone",
    ]

    fileprivate func validate(at path: FieldPath, hasOutlierDetection: Bool, into findings: inout Findings) {
        if !distribute.isEmpty, !failover.isEmpty || !failoverPriority.isEmpty {
            let other = failover.isEmpty ? "failoverPriority" : "failover"
            findings.error(path[other], "distribute and \(other) exclude each other. Keep one of them.")
        }
        if !failover.isEmpty {
            for (index, label) in failoverPriority.enumerated() where Self.topologyLabels.contains(label) {
                findings.error(path["failoverPriority"][index], "failover has regions already. Remove \(label).")
            }
        }
        if !hasOutlierDetection, !failover.isEmpty || !failoverPriority.isEmpty {
            findings.warning(path, "Without outlierDetection nothing fails over. Write outlierDetection.")
        }
        TrafficPolicy.Failover.validate(failover, at: path["failover"], into: &findings)
        for (index, entry) in distribute.enumerated() {
            entry.validate(at: path["distribute"][index], into: &findings)
        }
        for (index, problem) in LocalityOverlap.problems(distribute.map(\.from)) {
            findings.error(path["distribute"][index]["from"], problem)
        }
    }
}

extension TrafficPolicy.LocalityLoadBalancer.Distribute {
    fileprivate func validate(at path: FieldPath, into findings: inout Findings) {
        let shares = to.sorted { $0.key < $1.key }
        for (locality, share) in shares where !(1...100).contains(share) {
            findings.error(path["to"][locality], "\(share) is no share. Write a number from 1 to 100.")
        }
        let sum = shares.reduce(0) { $0 + $1.value }
        if sum != 100 { findings.error(path["to"], "The shares add up to \(sum). Make them 100.") }
        for (index, problem) in LocalityOverlap.problems(shares.map(\.key)) {
            findings.error(path["to"][shares[index].key], problem)
        }
    }
}

/// Localities as `region/zone/subzone`, of which the last part written may be `*`.
private enum LocalityOverlap {
    /// What is wrong with which locality: misspelt, or part of one before it.
    static func problems(_ localities: [String]) -> [(index: Int, problem: String)] {
        var earlier = Set<[Substring]>()
        var beginnings = Set<[Substring]>()
        var problems: [(Int, String)] = []
        for (index, locality) in localities.enumerated() {
            var parts = locality.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            guard !parts.contains(where: \.isEmpty), !locality.dropLast().contains("*") else {
                let message = "\(locality) is no locality. Write region/zone/subzone, maybe with * at the end."
                problems.append((index, message))
                continue
            }
            if parts.last == "*" { parts.removeLast() }
            let own = (0...parts.count).map { Array(parts.prefix($0)) }
            if beginnings.contains(parts) || own.contains(where: earlier.contains) {
                problems.append((index, "\(locality) overlaps another one. Keep the one you mean."))
            }
            earlier.insert(parts)
            beginnings.formUnion(own)
        }
        return problems
    }
}
