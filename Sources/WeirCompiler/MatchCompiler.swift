import WeirConfig
import WeirEngine

/// One `match:` entry to conditions (semantics 3.5).
///
/// Equal patterns share their regex programs, over generations too.
struct MatchCompiler {
    private struct Weak {
        weak var set: RegexSet?
    }

    /// Names that stand for parts of the request line; as header keys they are ignored.
    static let pseudoNames: Set<String> = ["uri", "scheme", "method", "authority"]

    let workers: Int
    private var regexes: [String: Weak] = [:]
    private var sweepAt = 64

    init(workers: Int) {
        self.workers = workers
    }

    /// A pattern RE2 does not take; no request matches it.
    struct Malformed: Error {
        let field: String
        let reason: String
    }

    mutating func conditions(of match: HTTPMatchRequest) throws(Malformed) -> [MatchCondition] {
        var conditions: [MatchCondition] = []
        if let uri = try path(match) { conditions.append(uri) }
        if let method = match.method { conditions.append(try condition(.method, method, "method")) }
        if let scheme = match.scheme { conditions.append(try condition(.scheme, scheme, "scheme")) }
        if let authority = match.authority { conditions.append(try condition(.authority, authority, "authority")) }
        for header in match.headers where !Self.pseudoNames.contains(header.name) {
            let subject = Self.subject(ofHeader: header.name)
            conditions.append(try condition(subject, header.match, "headers.\(header.name)"))
        }
        for header in match.withoutHeaders where !Self.pseudoNames.contains(header.name) {
            let subject = Self.subject(ofHeader: header.name)
            conditions.append(
                try condition(subject, header.match, "withoutHeaders.\(header.name)", negated: true))
        }
        for parameter in match.queryParams {
            conditions.append(
                try condition(.query(parameter.name), parameter.match, "queryParams.\(parameter.name)"))
        }
        return conditions
    }

    private mutating func path(_ match: HTTPMatchRequest) throws(Malformed) -> MatchCondition? {
        switch match.uri {
        case nil, .present: return nil
        case .exact(let text): return MatchCondition(.path, .exact(text), ignoresCase: match.ignoreUriCase)
        case .prefix(let text): return MatchCondition(.path, .prefix(text), ignoresCase: match.ignoreUriCase)
        case .regex(let text):
            // A path is printable ASCII, so that these need no regex at all. Case counts: ignoreUriCase has no effect here.
            switch PlainPattern(text) {
            case .literal(let literal): return MatchCondition(.path, .exact(literal))
            case .prefix(let literal): return MatchCondition(.path, .prefix(literal))
            case nil: return MatchCondition(.path, try regex(text, "uri"))
            }
        }
    }

    /// The Host header is the authority, whatever the protocol calls it.
    private static func subject(ofHeader name: String) -> MatchCondition.Subject {
        switch name {
        case "host", ":authority": .authority
        case ":method": .method
        case ":scheme": .scheme
        default: .header(name)
        }
    }

    private mutating func condition(
        _ subject: MatchCondition.Subject, _ match: StringMatch, _ field: String, negated: Bool = false
    ) throws(Malformed) -> MatchCondition {
        let pattern: MatchCondition.Pattern
        switch match {
        case .present: pattern = .present
        case .exact(let text): pattern = .exact(text)
        case .prefix(let text): pattern = .prefix(text)
        // No valid pattern, but Istio reads it as "present".
        case .regex("*"): pattern = .present
        case .regex(let text): pattern = try regex(text, field)
        }
        return MatchCondition(subject, pattern, negated: negated)
    }

    private mutating func regex(_ text: String, _ field: String) throws(Malformed) -> MatchCondition.Pattern {
        do throws(RegexSet.Malformed) {
            return .regex(try program(text))
        } catch {
            throw Malformed(field: field, reason: error.reason)
        }
    }

    /// A pattern's programs, those there are already if there are any.
    mutating func program(_ pattern: String) throws(RegexSet.Malformed) -> RegexSet {
        if let known = regexes[pattern]?.set { return known }
        let set = try RegexSet(pattern: pattern, workers: workers)
        if regexes.count >= sweepAt {
            regexes = regexes.filter { $0.value.set != nil }
            sweepAt = max(64, regexes.count * 2)
        }
        regexes[pattern] = Weak(set: set)
        return set
    }
}

/// A pattern that says no more than a literal, or a literal and `.*` behind it.
enum PlainPattern: Equatable {
    case literal(String)
    case prefix(String)

    init?(_ pattern: String) {
        var rest = pattern.utf8[...]
        let isPrefix = pattern.hasSuffix(".*") && !pattern.hasSuffix("\\.*")
        if isPrefix { rest = rest.dropLast(2) }
        var literal: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\") {
                // Only an escaped sign stands for itself: `\d` and its like are classes.
                guard let escaped = rest.popFirst(), Self.isSign(escaped) else { return nil }
                literal.append(escaped)
            } else if Self.special.contains(byte) || byte > 0x7e || byte < 0x21 {
                return nil
            } else {
                literal.append(byte)
            }
        }
        let text = String(decoding: literal, as: UTF8.self)
        self = isPrefix ? .prefix(text) : .literal(text)
    }

    private static let special = Set("\\.+*?()|[]{}^$".utf8)

    private static func isSign(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), 0x7f..., 0...0x20:
            false
        default: true
        }
    }
}
