/// Bounds of TLS connections.
enum TLSLimits {
    /// From a connection's beginning to the end of its handshake.
    static let handshakeMilliseconds = 15_000
    /// Of a client's certificates with their chain.
    static let clientChainBytes = 64 * 1024
    /// Certificates of a chain that Weir shows, its own included.
    static let ownChainCertificates = 16
    /// How long after its full handshake a session can be resumed.
    static let sessionSeconds = 7_200
}
