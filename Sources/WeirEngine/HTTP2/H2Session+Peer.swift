import CNghttp2

/// What the peer has said of itself.
extension H2Session {
    /// Streams the peer lets us have open at once.
    final var peerMaxStreams: Int {
        Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }
    /// The peer takes extended CONNECT (RFC 8441).
    final var peerTakesExtendedConnect: Bool {
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }
}
