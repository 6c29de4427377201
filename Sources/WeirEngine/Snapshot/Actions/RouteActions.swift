/// What a route does besides sending a request on, as the compiler states it.
///
/// Shared by the routes of one rule where nothing in it depends on their matches.
package final class RouteActions: Sendable {
    package let answer: RouteAnswer?
    package let rewrite: RouteRewrite
    package let cors: CORSPolicy?
    package let fault: FaultInjection?
    package let requestEdits: HeaderEdits
    package let responseEdits: HeaderEdits

    package init(
        answer: RouteAnswer? = nil, rewrite: RouteRewrite = RouteRewrite(), cors: CORSPolicy? = nil,
        fault: FaultInjection? = nil, requestEdits: HeaderEdits = HeaderEdits(),
        responseEdits: HeaderEdits = HeaderEdits()
    ) {
        self.answer = answer
        self.rewrite = rewrite
        self.cors = cors
        self.fault = fault
        self.requestEdits = requestEdits
        self.responseEdits = responseEdits
    }

    /// A plain route has no use for this.
    package var isEmpty: Bool {
        answer == nil && rewrite.isEmpty && cors == nil && fault == nil && requestEdits.isEmpty && responseEdits.isEmpty
    }
}

/// What a route answers by itself.
package enum RouteAnswer: Sendable, Hashable {
    case redirect(Redirect)
    case direct(status: Int, body: [UInt8])

    /// Where a client is sent instead; what is `nil` is as in its request.
    package struct Redirect: Sendable, Hashable {
        package enum Path: Sendable, Hashable {
            case kept
            /// All of it; the query too where there is a `?` in it.
            case whole(String)
            /// So many bytes of the matched path.
            case prefix(length: Int, String)
        }

        package var status: Int
        package var scheme: String?
        package var authority: String?
        /// 0 = none is printed.
        package var port: Int
        package var path: Path

        package init(
            status: Int = 301, scheme: String? = nil, authority: String? = nil, port: Int = 0, path: Path = .kept
        ) {
            self.status = status
            self.scheme = scheme
            self.authority = authority
            self.port = port
            self.path = path
        }
    }
}

/// How a request's target changes on its way.
package struct RouteRewrite: Sendable {
    package enum Path: Sendable {
        case kept
        /// All of it but the query.
        case whole(String)
        /// So many bytes of the matched path.
        case prefix(length: Int, String)
        /// Every match in the path; the text may hold `\0` to `\9`.
        case regex(RegexSet, String)
    }

    package var path: Path
    package var authority: String?

    package init(path: Path = .kept, authority: String? = nil) {
        self.path = path
        self.authority = authority
    }

    package var isEmpty: Bool {
        if case .kept = path { return authority == nil }
        return false
    }
}

/// Which other origins' scripts may use a route (semantics 3.14).
package struct CORSPolicy: Sendable {
    package enum Origin: Sendable {
        case exact(String)
        case prefix(String)
        case regex(RegexSet)
    }

    package var origins: [Origin] = []
    /// Joined with commas; empty = no header, `*` = what was asked for.
    package var methods = ""
    package var headers = ""
    package var exposed = ""
    /// Decimal seconds, or empty.
    package var maxAge = ""
    package var allowsCredentials = false
    /// Preflights from other origins are answered, not passed on.
    package var answersUnmatched = false

    package init() {}
}

/// What one of several destinations adds to its route.
package final class DestinationActions: Sendable {
    package let authority: String?
    package let requestEdits: HeaderEdits
    package let responseEdits: HeaderEdits

    package init(
        authority: String? = nil, requestEdits: HeaderEdits = HeaderEdits(), responseEdits: HeaderEdits = HeaderEdits()
    ) {
        self.authority = authority
        self.requestEdits = requestEdits
        self.responseEdits = responseEdits
    }

    package var isEmpty: Bool { authority == nil && requestEdits.isEmpty && responseEdits.isEmpty }
}
