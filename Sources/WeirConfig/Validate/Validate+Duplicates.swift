extension VirtualService {
    /// Reports conditions that an earlier entry has already: they take no request.
    ///
    /// Entries behind one without a match are reported elsewhere, as no request gets there at all.
    func reportDuplicateMatches(at path: FieldPath, into findings: inout Findings) {
        guard http.lazy.map(\.match.count).reduce(0, +) > 1 else { return }
        var places: [HTTPMatchRequest: FieldPath] = [:]
        for (index, route) in http.enumerated() {
            if route.match.isEmpty { return }
            var duplicates = 0
            for (position, match) in route.match.enumerated() {
                let place = path[index]["match"][position]
                guard let first = places[match.condition] else {
                    places[match.condition] = place
                    continue
                }
                duplicates += 1
                let message = "The match is the same as \(first), which takes every such request. Remove one of them."
                findings.info(place, message, code: .ineffectiveMatch)
            }
            if duplicates == route.match.count {
                let message = "No request gets here, because earlier entries have all its matches. Change or remove it."
                findings.warning(path[index], message, code: .unreachableRule)
            }
        }
    }
}

extension HTTPMatchRequest {
    /// What decides whether a request matches.
    fileprivate var condition: HTTPMatchRequest {
        var condition = self
        condition.name = nil
        condition.line = 0
        return condition
    }
}
