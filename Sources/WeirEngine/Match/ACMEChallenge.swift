/// The path under which a certificate authority looks for its challenge (RFC 8555 section 8.3), always in the clear.
enum ACMEChallenge {
    private static let path = "/.well-known/acme-challenge"

    /// Whether the conditions of a route name that path, or one below it.
    static func isNamed(by conditions: [MatchCondition]) -> Bool {
        conditions.contains { condition in
            guard condition.subject == .path, !condition.negated else { return false }
            return switch condition.pattern {
            case .present: false
            case .exact(let text), .prefix(let text): text.hasPrefix(path)
            case .regex(let regex): plain(regex.pattern).hasPrefix(path)
            }
        }
    }

    /// A pattern's text without what marks its start and its literal dots.
    private static func plain(_ pattern: String) -> String {
        let rest = pattern.hasPrefix("^") ? pattern.dropFirst() : pattern[...]
        return String(rest.filter { $0 != "\\" })
    }

    /// Whether a request's path is one of a challenge.
    static func isAsked(for path: UnsafeRawBufferPointer) -> Bool {
        let wanted = Self.path.utf8
        guard path.count >= wanted.count else { return false }
        return path.prefix(wanted.count).elementsEqual(wanted)
    }
}
