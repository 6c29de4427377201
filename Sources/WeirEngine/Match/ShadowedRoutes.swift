/// Finds routes that no request reaches, because one earlier route takes every request they could take.
///
/// What it finds is so; a route that several earlier ones shadow only together is not found. For reports, never read to
/// route.
package struct ShadowedRoutes {
    /// Earlier routes of one kind that a route is compared with.
    static let comparisonLimit = 256

    /// What a route must have in common with the routes that it shadows.
    private enum Feature: Hashable {
        case text(MatchCondition.Subject, [UInt8])
        case pathPrefix([UInt8])
        case pathRegex(String)
        case none
    }

    private var routes: [[MatchCondition]] = []
    private var places: [Feature: [Int]] = [:]
    /// Of the path prefixes filed.
    private var prefixLengths: Set<Int> = []

    package init() {}

    /// For each of the routes in order, the first earlier one that shadows it.
    package static func find(in routes: [[MatchCondition]]) -> [Int?] {
        var known = ShadowedRoutes()
        return routes.map { conditions in
            defer { known.add(conditions) }
            return known.first(shadowing: conditions)
        }
    }

    /// Files the next route.
    package mutating func add(_ conditions: [MatchCondition]) {
        let telling = conditions.filter { !$0.isAlwaysTrue }
        let feature = Self.feature(of: telling)
        if case .pathPrefix(let prefix) = feature { prefixLengths.insert(prefix.count) }
        places[feature, default: []].append(routes.count)
        routes.append(telling)
    }

    /// The first route filed that takes every request for which all of these conditions hold.
    package func first(shadowing conditions: [MatchCondition]) -> Int? {
        var found: Int?
        for feature in features(of: conditions) {
            for place in (places[feature] ?? []).prefix(Self.comparisonLimit) {
                if let found, found <= place { break }
                if Self.covers(routes[place], conditions) {
                    found = place
                    break
                }
            }
        }
        return found
    }

    /// Whether each of the conditions of `wider` follows from one of `narrower`.
    private static func covers(_ wider: [MatchCondition], _ narrower: [MatchCondition]) -> Bool {
        wider.allSatisfy { condition in narrower.contains { $0.implies(condition) } }
    }

    /// What tells a route from most others.
    private static func feature(of conditions: [MatchCondition]) -> Feature {
        var path = Feature.none
        for condition in conditions where !condition.negated {
            switch (condition.subject, condition.pattern) {
            case (.path, .exact(let text)): path = .text(.path, MatchCondition.folded(text))
            case (.path, .prefix(let text)): path = .pathPrefix(MatchCondition.folded(text))
            case (.path, .regex(let regex)): path = .pathRegex(regex.pattern)
            case (let subject, .exact(let text)): return .text(subject, MatchCondition.folded(text))
            default: break
            }
        }
        return path
    }

    /// Under which features a route that shadows one of these conditions may be filed.
    private func features(of conditions: [MatchCondition]) -> [Feature] {
        var features: [Feature] = [.none]
        for condition in conditions where !condition.negated {
            switch (condition.subject, condition.pattern) {
            case (.path, .regex(let regex)): features.append(.pathRegex(regex.pattern))
            case (.path, .exact(let text)), (.path, .prefix(let text)):
                let folded = MatchCondition.folded(text)
                for length in prefixLengths where length <= folded.count {
                    features.append(.pathPrefix(Array(folded.prefix(length))))
                }
                features.append(.text(.path, folded))
            case (let subject, .exact(let text)): features.append(.text(subject, MatchCondition.folded(text)))
            default: break
            }
        }
        return features
    }
}
