/// How long one connection to an endpoint is used, and how the system looks after it (Istio: `connectionPool`; semantics 4.4).
package struct ConnectionLife: Sendable, Hashable {
    /// Requests that a connection carries; 0 = any number.
    package var maxRequests = 0
    /// After so long a connection takes no further request; 0 = never.
    package var maxMilliseconds = 0
    /// `nil` = the system does not look.
    package var keepAlive: SocketKeepAlive?

    package init() {}

    /// Whether a connection may be worn out though it works.
    var isLimited: Bool { maxRequests != 0 || maxMilliseconds != 0 }
}
