/// `redirect:` of an HTTP route.
package struct HTTPRedirect: Sendable, Hashable {
    package enum Port: Sendable, Hashable {
        case number(Int)
        /// 80 for http, 443 for https.
        case fromProtocolDefault
        /// The Gateway server's port.
        case fromRequestPort
    }

    /// Replaces the whole path; with a `?` in it, the query as well.
    package var uri: String?
    /// Replaces the prefix that matched.
    package var prefixRewrite: String?
    package var authority: String?
    package var port: Port?
    /// `http` or `https`; absent = as the request came.
    package var scheme: String?
    /// Absent = 301.
    package var redirectCode: Int?

    package init() {}
}

/// `directResponse:` of an HTTP route.
package struct HTTPDirectResponse: Sendable, Hashable {
    package var status = 0
    /// From `body.string` or `body.bytes`.
    package var body: [UInt8]?

    package init() {}
}

/// `delegate:` of an HTTP route: the VirtualService whose routes stand here.
package struct Delegate: Sendable, Hashable {
    package var name = ""
    /// Absent or empty = the root's namespace.
    package var namespace: String?

    package init() {}
}

/// `rewrite:` of an HTTP route.
package struct HTTPRewrite: Sendable, Hashable {
    package struct RegexRewrite: Sendable, Hashable {
        package var match = ""
        /// May hold `\0` to `\9`.
        package var rewrite = ""
        package init() {}
    }

    package var uri: String?
    package var authority: String?
    package var uriRegexRewrite: RegexRewrite?

    package init() {}
}

/// `retries:` of an HTTP route.
package struct HTTPRetry: Sendable, Hashable {
    /// Tries after the first; absent = 0, which is no retry.
    package var attempts = 0
    package var perTryTimeoutMilliseconds: Int?
    /// As written: conditions and status codes with commas between; absent or empty = the default ones.
    package var retryOn: String?
    package var retryRemoteLocalities: Bool?
    /// Absent = true.
    package var retryIgnorePreviousHosts: Bool?
    package var backoffMilliseconds: Int?

    package init() {}
}

/// `fault:` of an HTTP route.
package struct HTTPFaultInjection: Sendable, Hashable {
    package struct Delay: Sendable, Hashable {
        /// Absent = no delay.
        package var fixedDelayMilliseconds: Int?
        /// Also what `percent` says, when only that is written; `nil` = never.
        package var percentage: Percent?
        package init() {}
    }

    package struct Abort: Sendable, Hashable {
        package enum Failure: Sendable, Hashable {
            case httpStatus(Int)
            /// A code's name, such as `UNAVAILABLE`.
            case grpcStatus(String)
        }
        /// Absent = no abort.
        package var failure: Failure?
        /// `nil` = never.
        package var percentage: Percent?
        package init() {}
    }

    package var delay: Delay?
    package var abort: Abort?

    package init() {}
}

/// One entry of `mirrors:`.
package struct HTTPMirrorPolicy: Sendable, Hashable {
    package var destination: Destination
    /// `nil` = every request.
    package var percentage: Percent?
    package var line = 0

    package init(destination: Destination) { self.destination = destination }
}

/// `corsPolicy:` of an HTTP route.
package struct CorsPolicy: Sendable, Hashable {
    /// What happens to preflights from other origins.
    package enum UnmatchedPreflights: String, Sendable, Hashable, CaseIterable {
        /// Forwarded, as with `forward`.
        case unspecified = "UNSPECIFIED"
        case forward = "FORWARD"
        case ignore = "IGNORE"
    }

    /// Also the entries of `allowOrigin`, as exact ones, when only those are written.
    package var allowOrigins: [StringMatch] = []
    package var allowMethods: [String] = []
    package var allowHeaders: [String] = []
    package var exposeHeaders: [String] = []
    package var maxAgeSeconds: Int?
    package var allowCredentials: Bool?
    package var unmatchedPreflights = UnmatchedPreflights.unspecified

    package init() {}
}

/// `headers:` of an HTTP route or of one of its destinations.
package struct Headers: Sendable, Hashable {
    package var request: HeaderOperations?
    package var response: HeaderOperations?

    package init() {}
}

/// Changes to the headers of a request or a response: removed, then set, then added.
///
/// Names are as written; Istio goes through `set` and `add` in their sorted order.
package struct HeaderOperations: Sendable, Hashable {
    package var set: [String: String] = [:]
    package var add: [String: String] = [:]
    package var remove: [String] = []

    package init() {}
}
