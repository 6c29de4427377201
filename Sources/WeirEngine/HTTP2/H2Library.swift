import CNghttp2

/// What all sessions have in common: their options, and how nghttp2 finds its way back to them.
enum H2Library {
    // nghttp2 copies what it needs of all three when a session is made.
    nonisolated(unsafe) private static let serverOptions = makeOptions()
    nonisolated(unsafe) private static let callbacks = makeCallbacks()

    /// A session without user data.
    static func makeSession(isServer: Bool) -> OpaquePointer {
        var session: OpaquePointer?
        let status =
            isServer
            ? nghttp2_session_server_new2(&session, callbacks, nil, serverOptions)
            : nghttp2_session_client_new2(&session, callbacks, nil, serverOptions)
        guard status == 0, let session else { fatalError("out of memory for an HTTP/2 session") }
        return session
    }

    /// Submits the first frames of our side.
    static func announce(_ session: OpaquePointer, isServer: Bool) {
        let common = [
            setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2Limits.streamWindowBytes),
            setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2Limits.maxHeaderListBytes),
            setting(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ]
        let own =
            isServer
            ? [
                setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2Limits.maxStreams),
                setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1),
            ]
            : [
                setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0),
                setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0),
            ]
        let settings = common + own
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(H2Limits.connectionWindowBytes))
    }

    private static func setting(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
        nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(value))
    }

    /// Calls `body` with where nghttp2 finds the body of a stream, if it has one.
    static func withSource<Result>(
        _ stream: H2Stream, hasBody: Bool, _ body: (UnsafePointer<nghttp2_data_provider>?) -> Result
    ) -> Result {
        guard hasBody else { return body(nil) }
        let provider = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: UnsafeMutableRawPointer(stream.fields)),
            read_callback: { _, id, _, room, flags, source, context in
                guard let stream = H2Stream(source!.pointee.ptr) else { return 0 }
                return H2Library.with(context) { $0.pull(stream, id, room: room, flags!) }
            })
        return withUnsafePointer(to: provider) { body($0) }
    }

    /// Lets a stream's body take turns with those of others: by default the first of them would go out whole before the next.
    static func takeTurns(_ session: OpaquePointer, _ id: Int32) {
        var priority = nghttp2_extpri(urgency: defaultUrgency, inc: 1)
        nghttp2_session_change_extpri_stream_priority(session, id, &priority, 1)
    }

    /// RFC 9218 section 4.1.
    private static let defaultUrgency: UInt32 = 3

    private static func makeOptions() -> OpaquePointer? {
        var options: OpaquePointer?
        guard nghttp2_option_new(&options) == 0 else { fatalError("out of memory for HTTP/2") }
        // The peer is credited when its bytes have left on the other side.
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_outbound_ack(options, H2Limits.maxQueuedAcks)
        nghttp2_option_set_max_settings(options, H2Limits.maxSettings)
        nghttp2_option_set_max_continuations(options, H2Limits.maxContinuations)
        nghttp2_option_set_max_send_header_block_length(options, H2Limits.maxSentHeadBytes)
        nghttp2_option_set_max_deflate_dynamic_table_size(options, H2Limits.headerTableBytes)
        return options
    }

    private static func makeCallbacks() -> OpaquePointer? {
        var made: OpaquePointer?
        guard nghttp2_session_callbacks_new(&made) == 0 else { fatalError("out of memory for HTTP/2") }
        setFrameCallbacks(made)
        setHeadCallbacks(made)
        setBodyCallbacks(made)
        return made
    }

    private static func setFrameCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, frame, context in
            H2Library.with(context) { $0.frameHeader(frame!.pointee) } ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
            H2Library.with(context) { $0.frameReceived(frame!) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
            H2Library.with(context) { $0.frameSent(frame!.pointee.hd) }
            return 0
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, _, context in
            H2Library.with(context) { $0.frameRefused(frame!.pointee.hd) }
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, context in
            H2Library.with(context) { $0.streamClosed(id, code: code) }
            return 0
        }
    }

    private static func setHeadCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
            let isRequest = frame!.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
            H2Library.with(context) { $0.beginHead(frame!.pointee.hd, isRequest: isRequest) }
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameLength, value, valueLength, _, context in
            H2Library.with(context) {
                $0.field(
                    name: UnsafeRawBufferPointer(start: name, count: nameLength),
                    value: UnsafeRawBufferPointer(start: value, count: valueLength))
            }
            return 0
        }
        // nghttp2 would leave such a field out; what could be read in two ways is refused instead.
        nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) { _, _, _, _, _, _, _, _ in
            NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
    }

    private static func setBodyCallbacks(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, count, context in
            H2Library.with(context) { $0.bodyReceived(id, bytes!, count) }
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, header, length, source, context in
            guard let stream = H2Stream(source!.pointee.ptr) else { return 0 }
            let goesOn = H2Library.with(context) { $0.frameBody(stream, header: header!, length) }
            return goesOn ? 0 : NGHTTP2_ERR_PAUSE.rawValue
        }
    }

    @inline(__always)  // a callback is as hot as what it calls
    private static func with<Result>(_ context: UnsafeMutableRawPointer?, _ body: (H2Session) -> Result) -> Result {
        Unmanaged<H2Session>.fromOpaque(context!)._withUnsafeGuaranteedRef(body)
    }
}
