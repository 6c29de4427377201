import WeirEngine

/// A route's conditions in a few signs: `/api*, POST, x-user: jason`.
enum MatchText {
    static func short(_ conditions: [MatchCondition]) -> String {
        let path = conditions.filter { $0.subject == .path }
        let others = conditions.filter { $0.subject != .path }
        let texts = (path.isEmpty ? ["/*"] : path.map(text)) + others.map(text)
        return texts.joined(separator: ", ")
    }

    private static func text(_ condition: MatchCondition) -> String {
        let value: String? =
            switch condition.pattern {
            case .present: nil
            case .exact(let text): text
            case .prefix(let text): text + "*"
            case .regex(let regex): "regex " + regex.pattern
            }
        let text =
            switch condition.subject {
            case .path, .method: value ?? "*"
            case .scheme: "scheme: " + (value ?? "*")
            case .authority: "authority: " + (value ?? "*")
            case .header(let name): name + (value.map { ": " + $0 } ?? "")
            case .query(let name): "?" + name + (value.map { "=" + $0 } ?? "")
            }
        return (condition.negated ? "not " : "") + text + (condition.ignoresCase ? " (any case)" : "")
    }
}

extension RouteSpec {
    /// What the route does besides choosing a destination, a text a thing.
    var policyTexts: [String] {
        var seen: Set<HashPolicy> = []
        // One that several destinations have is told once.
        return hashPolicies.filter { seen.insert($0).inserted }.map { "hash by \($0)" }
    }
}
