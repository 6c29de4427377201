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

    /// What the peer sends on is not credited to it until `resume`.
    final func pause(_ stream: H2Stream) { stream.fields.pointee.isPaused = true }

    /// Notes what waits to be framed, in case that nghttp2 is about to read the peer's settings.
    final func noteQueue() { queuedBeforeSettings = nghttp2_session_get_outbound_queue_size(session) }

    /// The peer's settings are in force and their acknowledgement is queued, the only frame that answers them.
    ///
    /// Any other is the reset of a stream whose window would exceed what a window may be: that is an error of the whole
    /// connection (RFC 9113 section 6.9.2).
    final func settingsTaken() {
        guard nghttp2_session_get_outbound_queue_size(session) <= queuedBeforeSettings + 1 else {
            return fail(.flowControlError)
        }
        settingsReceived()
    }
}
