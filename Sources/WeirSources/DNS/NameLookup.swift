import WeirEngine

/// The two kinds of address a name can have; each is asked for by itself, so that one that is not answered never holds up
/// the other.
package enum AddressFamily: Int, Sendable, Hashable, CaseIterable {
    case ipv4
    case ipv6
}

/// What came of one lookup.
enum LookupResult: Equatable {
    /// In the server's order. `ttlSeconds` is the smallest on the way; 0 where nobody says, as in /etc/hosts.
    case addresses([EndpointTarget], ttlSeconds: Int)
    /// A server that knows says that there are none.
    case none(String)
    /// Nobody answered, or not usably: the name may well have addresses.
    case failed(String)
}

/// How names are looked up.
package struct NameResolverOptions: Sendable {
    /// Name servers as `address:port,...`; `nil` = those of `resolvConf`.
    package var servers: String?
    /// Its servers, search list and `ndots` hold.
    package var resolvConf = "/etc/resolv.conf"
    /// Patience with one server at the first attempt; it doubles with each further one.
    package var timeoutMilliseconds = 2000
    /// Attempts with each server.
    package var attempts = 2
    /// Families looked up; `nil` = those this machine has addresses of.
    package var families: [AddressFamily]?
    /// Every wait between lookups is multiplied by it: tests do not wait for whole seconds.
    package var pace = 1.0

    package init() {}
}
