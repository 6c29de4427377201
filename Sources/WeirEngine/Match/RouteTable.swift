import Glibc

/// Where a route's conditions lie.
struct RouteSpan {
    var first: Int32
    var count: Int32
}

/// The full test of a route: two pointers into a `RouteTable`, trivial to pass around.
struct RouteMatcher {
    let conditions: UnsafePointer<RouteCondition>
    let spans: UnsafePointer<RouteSpan>

    func matches(_ route: Int32, _ request: UnsafePointer<RouteQuery>) -> Bool {
        let span = spans[Int(route)]
        var condition = conditions + Int(span.first)
        let end = condition + Int(span.count)
        while condition < end {
            if !condition.pointee.holds(request) { return false }
            condition += 1
        }
        return true
    }
}

/// The conditions of an ordered list of routes, flat, with an index over them.
///
/// Immutable after init.
struct RouteTable: ~Copyable {
    /// Up to so many routes a scan beats hashing.
    static let scannedRoutes = 8

    let count: Int32
    private let matcher: RouteMatcher
    private let index: RouteIndex
    private let isIndexed: Bool
    private let arena: UnsafeMutablePointer<UInt8>
    /// Keeps the programs alive that conditions point to.
    private let regexes: [RegexSet]

    /// Conditions of each route, in the order the routes are tried.
    ///
    /// `indexAbove` is for tests, and so is `filed`: an index made of other routes stands for a fault in it.
    init(
        _ routes: [[MatchCondition]], indexAbove: Int = RouteTable.scannedRoutes, filed: [[MatchCondition]]? = nil
    ) {
        let builder = RouteTableBuilder(routes)
        count = Int32(routes.count)
        matcher = RouteMatcher(conditions: builder.conditions, spans: builder.spans)
        arena = builder.arena
        regexes = builder.regexes
        isIndexed = routes.count > indexAbove
        index = RouteIndex(isIndexed ? filed ?? routes : [])
    }

    deinit {
        UnsafeMutablePointer(mutating: matcher.conditions).deallocate()
        UnsafeMutablePointer(mutating: matcher.spans).deallocate()
        arena.deallocate()
    }

    /// The first route behind `after` whose conditions all hold, or -1; start with -1.
    func next(after: Int32, _ request: UnsafePointer<RouteQuery>) -> Int32 {
        isIndexed ? index.next(after: after, request, matcher) : linearNext(after: after, request)
    }

    /// The same answer, found by trying every route.
    func linearNext(after: Int32, _ request: UnsafePointer<RouteQuery>) -> Int32 {
        var route = after + 1
        while route < count {
            if matcher.matches(route, request) { return route }
            route += 1
        }
        return -1
    }

    /// Routes filed under nothing, which every lookup tries: for tests and dumps.
    var residualCount: Int { isIndexed ? index.residualCount : Int(count) }
}

/// Lays the conditions out; its buffers pass to the table.
private struct RouteTableBuilder {
    let conditions: UnsafeMutablePointer<RouteCondition>
    let spans: UnsafeMutablePointer<RouteSpan>
    let arena: UnsafeMutablePointer<UInt8>
    private(set) var regexes: [RegexSet] = []
    private var used = 0

    init(_ routes: [[MatchCondition]]) {
        var total = 0
        var bytes = 0
        for route in routes {
            total += route.count
            for condition in route { bytes += Self.bytes(of: condition) }
        }
        conditions = .allocate(capacity: max(total, 1))
        spans = .allocate(capacity: max(routes.count, 1))
        arena = .allocate(capacity: max(bytes, 1))
        var next = 0
        for (number, route) in routes.enumerated() {
            (spans + number).initialize(to: RouteSpan(first: Int32(next), count: Int32(route.count)))
            // All must hold, so the order is ours: cheap and telling ones first.
            for condition in route.sorted(by: { Self.cost($0) < Self.cost($1) }) {
                (conditions + next).initialize(to: make(condition))
                next += 1
            }
        }
    }

    private static func bytes(of condition: MatchCondition) -> Int {
        var count = 0
        switch condition.subject {
        case .header(let name), .query(let name): count += name.utf8.count
        default: break
        }
        switch condition.pattern {
        case .exact(let text), .prefix(let text): count += text.utf8.count
        case .present, .regex: break
        }
        return count
    }

    private static func cost(_ condition: MatchCondition) -> Int {
        if case .regex = condition.pattern { return 3 }
        switch condition.subject {
        case .path, .method, .scheme, .authority: return 0
        case .header: return 1
        case .query: return 2
        }
    }

    private mutating func store(_ text: String) -> (UnsafeRawPointer, Int) {
        let start = arena + used
        for byte in text.utf8 {
            (arena + used).initialize(to: byte)
            used += 1
        }
        return (UnsafeRawPointer(start), (arena + used) - start)
    }

    private mutating func make(_ condition: MatchCondition) -> RouteCondition {
        var name: (UnsafeRawPointer, Int) = (UnsafeRawPointer(arena), 0)
        let subject: RouteCondition.Subject
        switch condition.subject {
        case .path: subject = .path
        case .method: subject = .method
        case .scheme: subject = .scheme
        case .authority: subject = .authority
        case .header(let text):
            subject = .header
            name = store(text)
        case .query(let text):
            subject = .query
            name = store(text)
        }
        return RouteCondition(
            text: text(of: condition), name: name.0, nameLength: UInt32(name.1), subject: subject,
            negated: condition.negated)
    }

    private mutating func text(of condition: MatchCondition) -> TextMatcher {
        let folds = condition.ignoresCase
        switch condition.pattern {
        case .present: return TextMatcher(bytes: UnsafeRawPointer(arena), count: 0, kind: .present)
        case .exact(let text):
            let (bytes, count) = store(folds ? text.asciiLowercased : text)
            return TextMatcher(bytes: bytes, count: Int32(count), kind: folds ? .exactFolded : .exact)
        case .prefix(let text):
            let (bytes, count) = store(folds ? text.asciiLowercased : text)
            return TextMatcher(bytes: bytes, count: Int32(count), kind: folds ? .prefixFolded : .prefix)
        case .regex(let regex):
            regexes.append(regex)
            return TextMatcher(bytes: regex.handles, count: 0, kind: .regex)
        }
    }
}

extension String {
    /// Folds ASCII letters alone, as the matchers do; never on the hot path.
    var asciiLowercased: String { String(decoding: utf8.map { CaseFold.lowercased($0) }, as: UTF8.self) }
}
