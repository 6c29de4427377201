/// Bounds of TLS connections.
enum TLSLimits {
    /// Of a client's certificates with their chain.
    static let clientChainBytes = 64 * 1024
    /// How long after its full handshake a session can be resumed.
    static let sessionSeconds = 7_200
}
