/// One condition of a route as the compiler states it; `RouteTable` turns it into bytes.
package struct MatchCondition: Sendable {
    /// What is looked at.
    package enum Subject: Sendable, Hashable {
        /// The normalised path without the query.
        case path
        case method
        case scheme
        /// As received, port included.
        case authority
        /// Lower-case name. Each line is tried alone; one hit suffices.
        case header(String)
        /// The first parameter of this name, undecoded.
        case query(String)
    }

    /// How it is compared.
    package enum Pattern: Sendable {
        case present
        case exact(String)
        case prefix(String)
        /// The whole text must match.
        case regex(RegexSet)
    }

    package var subject: Subject
    package var pattern: Pattern
    /// The condition holds when the comparison does not; a missing header then satisfies it.
    package var negated: Bool
    /// ASCII case is ignored; no effect on `regex`.
    package var ignoresCase: Bool

    package init(_ subject: Subject, _ pattern: Pattern, negated: Bool = false, ignoresCase: Bool = false) {
        self.subject = subject
        self.pattern = pattern
        self.negated = negated
        self.ignoresCase = ignoresCase
    }
}

extension MatchCondition: CustomStringConvertible {
    /// For dumps: `path prefix /a`, `header x-user exact "jason"`, `not header x-debug present`.
    package var description: String {
        let what: String =
            switch subject {
            case .path: "path"
            case .method: "method"
            case .scheme: "scheme"
            case .authority: "authority"
            case .header(let name): "header \(name)"
            case .query(let name): "query \(name)"
            }
        let how: String =
            switch pattern {
            case .present: "present"
            case .exact(let text): "exact \"\(text)\""
            case .prefix(let text): "prefix \"\(text)\""
            case .regex(let regex): "regex \"\(regex.pattern)\""
            }
        return (negated ? "not " : "") + what + " " + how + (ignoresCase ? " (any case)" : "")
    }
}
