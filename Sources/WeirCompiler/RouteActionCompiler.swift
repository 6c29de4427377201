import WeirConfig
import WeirEngine

/// What a rule does besides sending requests on: redirect, direct response, rewrite, faults, header operations, CORS
/// (semantics 3.7 to 3.9, 3.12, 3.14, 3.15).
///
/// Validation has refused what no proxy could act on; what is found here concerns values alone, and leaves out no more than
/// itself.
struct RouteActionCompiler {
    /// Something that cannot be acted on.
    struct Problem {
        /// Below the rule.
        let field: String
        /// Of the resource's file; 0 = the rule's.
        let line: Int
        let message: String
    }

    private let http: HTTPRoute
    private let serverPort: Int
    private let requestEdits: HeaderEdits
    private let responseEdits: HeaderEdits
    private let authority: String?
    private let cors: CORSPolicy?
    private let rewriteRegex: RegexSet?
    private let fault: FaultInjection?
    /// One of each entry of `route:`; `nil` where it does nothing of its own.
    let destinations: [DestinationActions?]
    private(set) var problems: [Problem] = []

    /// `serverPort`: the port of the Gateway's server, for redirects to it.
    init(_ http: HTTPRoute, serverPort: Int, _ matches: inout MatchCompiler) {
        self.http = http
        self.serverPort = serverPort
        var problems: [Problem] = []
        let own = Operations(http.headers, "headers", http.line, &problems)
        let others = http.route.enumerated().map {
            Operations($1.headers, "route[\($0)].headers", $1.line, &problems)
        }
        // With one destination its operations and the route's are one list; several each have theirs, run first.
        let sole = others.count == 1 ? others.first : nil
        requestEdits = sole.map { own.request.followed(by: $0.request) } ?? own.request
        responseEdits = sole.map { own.response.followed(by: $0.response) } ?? own.response
        authority = http.rewrite?.authority ?? own.authority ?? sole?.authority
        destinations = sole == nil ? others.map(\.actions) : [nil]
        cors = http.corsPolicy.map { Self.cors($0, http.line, &matches, &problems) }
        rewriteRegex = Self.regex(http, &matches, &problems)
        fault = http.fault.flatMap { FaultInjection($0) }
        problems += Self.excess(requestEdits, responseEdits, destinations, http.line)
        self.problems = problems
    }

    /// `nil` where the rule only sends requests on.
    func actions(for match: HTTPMatchRequest?) -> RouteActions? {
        // The CORS policy of such a rule holds nothing, as in Envoy: its preflights get the answer as well.
        if let answer = answer(match) {
            return RouteActions(answer: answer, fault: fault, responseEdits: responseEdits)
        }
        let actions = RouteActions(
            rewrite: RouteRewrite(path: path(match), authority: authority), cors: cors, fault: fault,
            requestEdits: requestEdits, responseEdits: responseEdits)
        return actions.isEmpty ? nil : actions
    }

    // MARK: Paths

    /// Bytes of a path that a match is about; `nil` = all of them.
    private static func matchedLength(_ match: HTTPMatchRequest?) -> Int? {
        switch match?.uri {
        case .prefix(let text): text.utf8.count
        case .exact, .regex: nil
        // Every path begins with a slash.
        case .present, nil: 1
        }
    }

    private func path(_ match: HTTPMatchRequest?) -> RouteRewrite.Path {
        guard let rewrite = http.rewrite else { return .kept }
        if let regex = rewrite.uriRegexRewrite { return rewriteRegex.map { .regex($0, regex.rewrite) } ?? .kept }
        guard let uri = rewrite.uri else { return .kept }
        return Self.matchedLength(match).map { .prefix(length: $0, uri) } ?? .whole(uri)
    }

    private static func regex(
        _ http: HTTPRoute, _ matches: inout MatchCompiler, _ problems: inout [Problem]
    ) -> RegexSet? {
        guard let rewrite = http.rewrite?.uriRegexRewrite else { return nil }
        do throws(RegexSet.Malformed) {
            let regex = try matches.program(rewrite.match)
            guard let objection = regex.objection(toSubstitute: rewrite.rewrite) else { return regex }
            problems.append(
                Problem(
                    field: "rewrite.uriRegexRewrite.rewrite", line: http.line,
                    message:
                        "The replacement does not fit the pattern (\(objection)), so paths are not rewritten. Name "
                        + "only groups that the pattern has."))
        } catch {
            problems.append(
                Problem(
                    field: "rewrite.uriRegexRewrite.match", line: http.line,
                    message: "The pattern does not compile (\(error.reason)), so paths are not rewritten. Correct the "
                        + "pattern."))
        }
        return nil
    }

    // MARK: Answers

    private func answer(_ match: HTTPMatchRequest?) -> RouteAnswer? {
        if let redirect = http.redirect { return .redirect(Self.redirect(redirect, match, serverPort)) }
        return http.directResponse.map { .direct(status: $0.status, body: $0.body ?? []) }
    }

    private static func redirect(
        _ redirect: HTTPRedirect, _ match: HTTPMatchRequest?, _ serverPort: Int
    ) -> RouteAnswer.Redirect {
        var answer = RouteAnswer.Redirect(
            status: redirect.redirectCode ?? 301, scheme: redirect.scheme, authority: redirect.authority)
        if let prefix = redirect.prefixRewrite {
            answer.path = matchedLength(match).map { .prefix(length: $0, prefix) } ?? .whole(prefix)
        } else if let uri = redirect.uri {
            answer.path = .whole(uri)
        }
        let port =
            switch redirect.port {
            case .number(let number): number
            case .fromRequestPort: serverPort
            case .fromProtocolDefault, nil: 0
            }
        let isDefault = port == (redirect.scheme == "https" ? 443 : 80)
        answer.port = isDefault ? 0 : port
        return answer
    }

    // MARK: CORS

    private static func cors(
        _ policy: CorsPolicy, _ line: Int, _ matches: inout MatchCompiler, _ problems: inout [Problem]
    ) -> CORSPolicy {
        var cors = CORSPolicy()
        for (index, origin) in policy.allowOrigins.enumerated() {
            switch origin {
            case .exact(let text): cors.origins.append(.exact(text))
            case .prefix(let text): cors.origins.append(.prefix(text))
            case .present: break
            case .regex(let pattern):
                do throws(RegexSet.Malformed) {
                    cors.origins.append(.regex(try matches.program(pattern)))
                } catch {
                    problems.append(
                        Problem(
                            field: "corsPolicy.allowOrigins[\(index)].regex", line: line,
                            message: "The pattern does not compile (\(error.reason)), so it lets no origin in. Correct "
                                + "the pattern."))
                }
            }
        }
        cors.methods = policy.allowMethods.joined(separator: ",")
        cors.headers = policy.allowHeaders.joined(separator: ",")
        cors.exposed = policy.exposeHeaders.joined(separator: ",")
        cors.maxAge = policy.maxAgeSeconds.map(String.init) ?? ""
        cors.allowsCredentials = policy.allowCredentials ?? false
        cors.answersUnmatched = policy.unmatchedPreflights == .ignore
        return cors
    }

    // MARK: Limits

    /// More lines than a head has room for beside those received.
    private static func excess(
        _ request: HeaderEdits, _ response: HeaderEdits, _ destinations: [DestinationActions?], _ line: Int
    ) -> [Problem] {
        let most = destinations.compactMap { $0 }
        let counts = [
            ("request", request.lineCount + (most.map(\.requestEdits.lineCount).max() ?? 0)),
            ("response", response.lineCount + (most.map(\.responseEdits.lineCount).max() ?? 0)),
        ]
        return counts.filter { $0.1 > HeaderEdits.maxLines }.map { direction, count in
            Problem(
                field: "headers.\(direction)", line: line,
                message: "The operations set and add \(count) headers of a \(direction), of which those beyond "
                    + "\(HeaderEdits.maxLines) find no room when a message has as many as it may. Write fewer.")
        }
    }
}

/// The `headers:` of a route or a destination.
private struct Operations {
    var request = HeaderEdits()
    var response = HeaderEdits()
    /// What the request operations make of the authority, which is no header to the proxy.
    var authority: String?

    init(_ headers: Headers?, _ field: String, _ line: Int, _ problems: inout [RouteActionCompiler.Problem]) {
        guard let headers else { return }
        if let operations = headers.request {
            request = Self.edits(operations, "\(field).request", line, &problems)
            authority = Self.authority(in: operations.set) ?? Self.authority(in: operations.add)
        }
        if let operations = headers.response {
            response = Self.edits(operations, "\(field).response", line, &problems)
        }
    }

    var actions: DestinationActions? {
        let actions = DestinationActions(authority: authority, requestEdits: request, responseEdits: response)
        return actions.isEmpty ? nil : actions
    }

    private static func authority(in operations: [String: String]) -> String? {
        let names = operations.keys.filter { HeaderOperations.isAuthority($0) && operations[$0] != "" }
        return names.max().flatMap { operations[$0] }
    }

    private static func edits(
        _ operations: HeaderOperations, _ field: String, _ line: Int,
        _ problems: inout [RouteActionCompiler.Problem]
    ) -> HeaderEdits {
        var edits = HeaderEdits()
        for name in operations.remove where isServed(name, "\(field).remove", line, &problems) { edits.remove(name) }
        for (name, value) in operations.set.sorted(by: { $0.key < $1.key })
        where isServed(name, "\(field).set.\(name)", line, &problems) {
            take("\(field).set.\(name)", line, &problems) { () throws(HeaderEdits.Malformed) in
                try edits.set(name, to: value)
            }
        }
        for (name, value) in operations.add.sorted(by: { $0.key < $1.key })
        where isServed(name, "\(field).add.\(name)", line, &problems) {
            take("\(field).add.\(name)", line, &problems) { () throws(HeaderEdits.Malformed) in
                try edits.add(name, value)
            }
        }
        return edits
    }

    private static func take(
        _ field: String, _ line: Int, _ problems: inout [RouteActionCompiler.Problem],
        _ operation: () throws(HeaderEdits.Malformed) -> Void
    ) {
        do throws(HeaderEdits.Malformed) {
            try operation()
        } catch {
            problems.append(
                RouteActionCompiler.Problem(
                    field: field, line: line,
                    message: "The value cannot be made (\(error.reason)), so the header is left as it is. Correct the "
                        + "value."))
        }
    }

    /// Parts of the start line have no operations, and what frames a message or a connection is no route's to change.
    private static func isServed(
        _ name: String, _ field: String, _ line: Int, _ problems: inout [RouteActionCompiler.Problem]
    ) -> Bool {
        if name.hasPrefix(":") || HeaderOperations.isAuthority(name) { return false }
        guard HeaderEdits.isReserved(name.lowercased()) else { return true }
        problems.append(
            RouteActionCompiler.Problem(
                field: field, line: line,
                message: "\(name) belongs to the connection or frames the message, so Weir alone writes it and the "
                    + "operation does nothing. Remove it."))
        return false
    }
}
