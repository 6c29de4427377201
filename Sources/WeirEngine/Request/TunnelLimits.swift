/// What a connection may do that has become a tunnel (RFC 6455, RFC 8441).
enum TunnelLimits {
    /// A tunnel through which no byte passes either way is closed after so long, as a client's connection without a request is.
    static let idleMilliseconds = 3_600_000
}
