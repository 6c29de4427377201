import WeirConfig
import WeirEngine

extension Analyzer {
    /// Rules and matches behind others that take every request they could take.
    ///
    /// Finds overlaps that are no plain repetition, such as a longer prefix behind a shorter one.
    static let virtualServiceReachability = Analyzer(
        "virtualservice.Reachability", "Rules and matches that an earlier one leaves nothing to",
        inputs: [.virtualService], codes: [.unreachableRule, .ineffectiveMatch]
    ) { context, findings in
        var compiler = MatchCompiler(workers: 1)
        for (resource, service) in context.virtualServices {
            var earlier: [MatchRestriction: KnownMatches] = [:]
            for (index, route) in service.http.enumerated() {
                if route.match.isEmpty { break }
                var shadowed = 0
                for (place, match) in route.match.enumerated() {
                    guard let conditions = try? compiler.conditions(of: match) else { continue }
                    let path = "spec.http[\(index)].match[\(place)]"
                    let restriction = MatchRestriction(match)
                    let shadows = [earlier[.none], earlier[restriction]].compactMap { $0?.first(shadowing: conditions) }
                    if let first = shadows.first {
                        shadowed += 1
                        findings.report(
                            .ineffectiveMatch, resource, path: path, line: match.line,
                            "Every request it takes is taken by \(first) before. Move it in front, or remove it.")
                    }
                    earlier[restriction, default: KnownMatches()].add(conditions, path: path)
                }
                if shadowed == route.match.count {
                    findings.report(
                        .unreachableRule, resource, path: "spec.http[\(index)]", line: route.line,
                        "No request gets here, because earlier rules take all it could take. Move it in front, or remove it."
                    )
                }
            }
        }
    }
}

/// Where and to whom a match applies at all.
private struct MatchRestriction: Hashable {
    static let none = MatchRestriction(HTTPMatchRequest())

    let port: Int?
    let gateways: [String]
    let sourceLabels: [String: String]
    let sourceNamespace: String?

    init(_ match: HTTPMatchRequest) {
        port = match.port
        gateways = match.gateways.sorted()
        sourceLabels = match.sourceLabels
        sourceNamespace = match.sourceNamespace
    }
}

/// Matches under one restriction, with where they are written.
private struct KnownMatches {
    private var routes = ShadowedRoutes()
    private var paths: [String] = []

    mutating func add(_ conditions: [MatchCondition], path: String) {
        routes.add(conditions)
        paths.append(path)
    }

    func first(shadowing conditions: [MatchCondition]) -> String? {
        routes.first(shadowing: conditions).map { paths[$0] }
    }
}
