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
    /// What the route does besides choosing a destination, a text a thing; nothing of what every route does.
    var policyTexts: [String] {
        var texts = (actions?.texts ?? []) + mirrors.map(\.text)
        if timeoutMilliseconds > 0 { texts.append("timeout \(timeoutMilliseconds.textOfMilliseconds)") }
        if let text = retry.text, !destinations.isEmpty { texts.append(text) }
        var seen: Set<HashPolicy> = []
        // One that several destinations have is told once.
        return texts + hashPolicies.filter { seen.insert($0).inserted }.map { "hash by \($0)" }
    }
}

extension Int {
    /// A duration as resources have it.
    fileprivate var textOfMilliseconds: String { self % 1000 == 0 ? "\(self / 1000)s" : "\(self)ms" }
}

extension RetrySpec {
    /// `nil` for what every route has that says nothing else.
    fileprivate var text: String? {
        if self == .standard { return nil }
        guard retries > 0 else { return "no retries" }
        var reasons = Self.words.filter { conditions.contains($0.0) }.map(\.1)
        reasons += codes.map(String.init)
        let others =
            conditions == Self.standardConditions && codes.isEmpty ? "" : " on " + reasons.joined(separator: ",")
        let limit = tryTimeoutMilliseconds > 0 ? ", each try \(tryTimeoutMilliseconds.textOfMilliseconds)" : ""
        let places = leavesTriedPriorities ? ", in other localities too" : ""
        let methods = sparesUnsafe ? ", retry-unsafe: never" : ""
        return "\(retries) " + (retries == 1 ? "retry" : "retries") + others + limit + places + methods
    }

    /// As `retryOn` has them.
    private static let words: [(RetryConditions, String)] = [
        (.serverError, "5xx"), (.gatewayError, "gateway-error"), (.reset, "reset"),
        (.resetBeforeRequest, "reset-before-request"), (.connectFailure, "connect-failure"),
        (.refusedStream, "refused-stream"), (.conflict, "retriable-4xx"), (.rateLimited, "envoy-ratelimited"),
        (.cancelled, "cancelled"), (.deadlineExceeded, "deadline-exceeded"),
        (.resourceExhausted, "resource-exhausted"), (.internalError, "internal"), (.unavailable, "unavailable"),
    ]
}
