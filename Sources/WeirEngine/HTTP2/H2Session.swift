import CNghttp2

/// One HTTP/2 connection as nghttp2 sees it: frames in, frames out, flow control both ways.
///
/// The base of both roles, whose connections override what concerns them; nghttp2 stays in here. What is submitted, also from
/// inside a callback, is framed when the connection is flushed, so that a tick's frames of all streams go out in one write.
/// Loop thread only.
class H2Session {
    enum Role {
        case server
        case client
    }

    final let loop: Loop
    /// The connection, whatever its handler.
    private final let carrier: Connection
    final let session: OpaquePointer
    /// The chunk being fed; set only while nghttp2 reads it.
    private final var feeding: Chunk?
    private final var isFeeding = false
    /// Whose head is being read.
    private final var headStream: H2Stream?
    /// Nothing more is read; what is queued, a GOAWAY as its last, still goes out.
    private(set) final var isEnding = false
    /// Not even that: nghttp2 has failed.
    private final var isBroken = false
    /// Reading was stopped because too much waits for the peer.
    private(set) final var isHoldingOff = false
    /// Body bytes queued on all streams.
    private final var queuedBytes = 0
    /// Streams whose source is to hear of room, once nghttp2 is not at work.
    private final var withRoom: UnsafeMutablePointer<H2Stream.Fields>?
    /// Server: which streams there have been.
    private final var record = H2StreamRecord()
    private final let isServer: Bool
    private final var scanner: H2FrameScanner
    private final var idleFrames: H2Allowance
    /// Frames that waited when the peer's settings began, or went on.
    final var queuedBeforeSettings = 0

    init(role: Role, loop: Loop, carrier: Connection) {
        self.loop = loop
        self.carrier = carrier
        isServer = role == .server
        scanner = H2FrameScanner(preface: role == .server ? H2Preface.length : 0)
        idleFrames = H2Allowance(
            atOnce: H2Limits.idleFrames, perSecond: H2Limits.idleFramesPerSecond, now: loop.now)
        session = H2Library.makeSession(isServer: role == .server)
        nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
        H2Library.announce(session, isServer: role == .server)
        carrier.askForOutput()
    }

    deinit { nghttp2_session_del(session) }

    // MARK: For subclasses: what the peer has done

    // Called while nghttp2 reads or frames. Whatever submits may be called from there.

    /// Server: a request's head begins; the stream is bound to the id by this.
    func requestBegan(_ id: Int32) -> H2Stream { preconditionFailure("a request where none may come") }
    /// A further head begins: trailers, or to a client any head.
    func headBegan(_ stream: H2Stream) {}
    /// A field of the head that began last; names are lower-case, pseudo-header fields come first.
    func received(_ stream: H2Stream, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {}
    /// The head that began last is complete.
    ///
    /// `isFirst`: nothing came before it on its side. `isLast`: the peer's side has ended with it.
    func headEnded(_ stream: H2Stream, isFirst: Bool, isLast: Bool) {}
    /// A piece of a body; it is credited to the peer when this returns, or when the stream is resumed.
    func received(_ stream: H2Stream, _ slice: consuming ByteSlice) {}
    /// The peer's side has ended behind a body.
    func bodyEnded(_ stream: H2Stream) {}
    /// The stream is over on the wire and not bound any more; `code` is 0 when both sides ended.
    func closed(_ stream: H2Stream, code: UInt32) {}
    /// A stream's queue has room again after `isCongested`.
    func hasRoom(_ stream: H2Stream) {}
    /// The peer takes no stream beyond this one.
    func goAwayReceived(lastID: Int32, code: UInt32) {}
    func settingsReceived() {}
    func pingAnswered() {}
    /// A head that was refused before it was complete; its stream is being reset.
    func headRefused(_ id: Int32) {}
    /// Server: a frame's header has arrived.
    ///
    /// Not called for frames inside a head.
    func frameBegan(beginsHead: Bool) {}
    /// Both sides have said their last: close behind what is queued.
    func ended() {}

    // MARK: Received bytes

    /// Takes in what the connection has received.
    final func feed(_ slice: consuming ByteSlice) {
        guard !isEnding else { return }
        precondition(!isFeeding, "nghttp2 is fed from inside a callback")
        isFeeding = true
        feeding = slice.chunk
        var fed = 0
        var at = 0
        while !isEnding, let frame = scanner.next(slice.bytes, count: slice.count, at: &at) {
            guard isWelcome(frame) else { break }
            guard isServer, isSuspect(frame) else { continue }
            // What came before may have opened the stream, and the frame itself may close it: its last byte waits.
            give(slice.bytes + fed, at - 1 - fed)
            fed = at - 1
            if isSuspect(frame), let code = record.judge(frame.stream) { fail(code) }
        }
        if !isEnding { give(slice.bytes + fed, slice.count - fed) }
        feeding = nil
        isFeeding = false
        if isBackedUp {
            isHoldingOff = true
            carrier.stopReading()
        }
        carrier.askForOutput()
    }

    private final func give(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        noteQueue()
        let taken = nghttp2_session_mem_recv(session, bytes, count)
        if taken < 0 { judge(taken) }
    }

    /// Frames that bring nothing on are paid for; nghttp2 passes over priorities, also of no stream (RFC 9113 section 6.3).
    private final func isWelcome(_ frame: H2FrameScanner.Header) -> Bool {
        let type = UInt32(frame.type)
        if type == NGHTTP2_HEADERS.rawValue || (type == NGHTTP2_DATA.rawValue && frame.length > 0) { return true }
        let isMisplaced = type == NGHTTP2_PRIORITY.rawValue && frame.stream == 0
        if !isMisplaced, idleFrames.spend(now: loop.now) { return true }
        fail(isMisplaced ? .protocolError : .enhanceYourCalm)
        return false
    }

    /// A body on a stream that is not open, which nghttp2 passes over.
    private final func isSuspect(_ frame: H2FrameScanner.Header) -> Bool {
        UInt32(frame.type) == NGHTTP2_DATA.rawValue && stream(frame.stream) == nil
    }

    /// nghttp2 reads no further: tells the peer why, where that has not been done.
    private final func judge(_ code: Int) {
        switch Int32(truncatingIfNeeded: code) {
        case NGHTTP2_ERR_FLOODED.rawValue, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: fail(.enhanceYourCalm)
        case NGHTTP2_ERR_NOMEM.rawValue: fail(.internalError)
        default: fail(.protocolError)
        }
    }

    /// Ends the connection with an error: a GOAWAY goes out behind what is framed, nothing more is read.
    final func fail(_ code: H2ErrorCode) {
        guard !isEnding else { return }
        isEnding = true
        nghttp2_session_terminate_session(session, code.rawValue)
        carrier.askForOutput()
    }

    /// The peer reads too little of what we answer to be listened to.
    private final var isBackedUp: Bool {
        carrier.queuedBytes >= H2Limits.framedAheadBytes
            && nghttp2_session_get_outbound_queue_size(session) >= H2Limits.maxQueuedFrames
    }

    // MARK: Bytes to send

    /// Frames what there is to say, as far as the connection has room; its handler calls this when asked for output.
    final func frameOutput() {
        frameQueued()
        tellRoom()
        if isHoldingOff, !isBackedUp {
            isHoldingOff = false
            carrier.startReading()
        }
        let isDone = isEnding || nghttp2_session_want_read(session) == 0
        if isBroken || (isDone && nghttp2_session_want_write(session) == 0) { ended() }
    }

    private final func frameQueued() {
        while carrier.queuedBytes < H2Limits.framedAheadBytes {
            var bytes: UnsafePointer<UInt8>?
            let length = nghttp2_session_mem_send(session, &bytes)
            if length < 0 { isBroken = true }
            guard length > 0 else { break }
            carrier.write(copying: UnsafeRawBufferPointer(start: bytes, count: length))
        }
        if carrier.queuedBytes >= H2Limits.framedAheadBytes { carrier.noteCongestion() }
    }

    private final func tellRoom() {
        while let fields = withRoom {
            withRoom = fields.pointee.nextWithRoom
            fields.pointee.nextWithRoom = nil
            hasRoom(H2Stream(fields))
        }
    }

    private final func noteRoom(_ stream: H2Stream) {
        stream.fields.pointee.wasCongested = false
        stream.fields.pointee.nextWithRoom = withRoom
        withRoom = stream.fields
    }

    /// Takes a stream out of the list before it goes.
    private final func forgetRoom(_ stream: H2Stream) {
        guard withRoom != stream.fields else {
            withRoom = stream.fields.pointee.nextWithRoom
            return
        }
        var at = withRoom
        while let fields = at {
            if fields.pointee.nextWithRoom == stream.fields {
                fields.pointee.nextWithRoom = stream.fields.pointee.nextWithRoom
            }
            at = fields.pointee.nextWithRoom
        }
    }

    // MARK: Sending on a stream

    /// Queues a piece of a body.
    final func send(_ slice: consuming ByteSlice, on stream: H2Stream) {
        guard stream.id != 0 else { return }
        queuedBytes += slice.count
        stream.fields.pointee.out.append(slice, pool: loop.pool)
        goOn(stream)
    }

    /// Takes back a piece of what is queued on a stream that this session will not carry.
    final func takeBack(from stream: H2Stream) -> ByteSlice? {
        guard let slice = stream.fields.pointee.out.popFirst() else { return nil }
        queuedBytes -= slice.count
        return slice
    }

    /// Ends our side behind what is queued.
    final func sendEnd(on stream: H2Stream, trailers: Trailers? = nil) {
        guard stream.id != 0 else { return }
        stream.fields.pointee.hasEnd = true
        stream.fields.pointee.trailers = trailers
        goOn(stream)
    }

    private final func goOn(_ stream: H2Stream) {
        if stream.fields.pointee.isDeferred {
            stream.fields.pointee.isDeferred = false
            nghttp2_session_resume_data(session, stream.id)
        }
        carrier.askForOutput()
    }

    /// More is queued than the peer takes: the source waits until `hasRoom`.
    final func isCongested(_ stream: H2Stream) -> Bool {
        let mark = queuedBytes < H2Limits.connectionMarkBytes ? H2Limits.highMarkBytes : H2Limits.lowMarkBytes + 1
        guard stream.queuedBytes >= mark else { return false }
        stream.fields.pointee.wasCongested = true
        return true
    }

    final func resume(_ stream: H2Stream) {
        stream.fields.pointee.isPaused = false
        let bytes = stream.fields.pointee.uncredited
        guard bytes > 0, stream.id != 0 else { return }
        stream.fields.pointee.uncredited = 0
        credit(stream, bytes)
        carrier.askForOutput()
    }

    private final func credit(_ stream: H2Stream, _ bytes: Int) {
        if isServer {
            nghttp2_session_consume(session, stream.id, bytes)
        } else {
            nghttp2_session_consume_stream(session, stream.id, bytes)
        }
    }

    /// Submits a head; with `hasBody`, `send` and `sendEnd` follow, else our side ends with it.
    final func respond(on stream: H2Stream, _ list: H2FieldList, hasBody: Bool) {
        guard stream.id != 0 else { return }
        H2Library.withSource(stream, hasBody: hasBody) {
            _ = nghttp2_submit_response(session, stream.id, list.fields, list.count, $0)
        }
        if hasBody { H2Library.takeTurns(session, stream.id) }
        carrier.askForOutput()
    }

    /// Submits a head that another one follows.
    final func inform(on stream: H2Stream, _ list: H2FieldList) {
        guard stream.id != 0 else { return }
        nghttp2_submit_headers(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, list.fields, list.count, nil)
        carrier.askForOutput()
    }

    /// Client: begins a stream, which is bound to its id by this; `false` when the connection takes no more.
    final func request(on stream: H2Stream, _ list: H2FieldList, hasBody: Bool) -> Bool {
        let id = H2Library.withSource(stream, hasBody: hasBody) {
            nghttp2_submit_request(
                session, nil, list.fields, list.count, $0, UnsafeMutableRawPointer(stream.fields))
        }
        guard id > 0 else { return false }
        stream.begin(id)
        idleFrames.earn(4)
        carrier.askForOutput()
        return true
    }

    /// Ends a stream at once on both sides; what is queued on it is lost.
    final func reset(_ stream: H2Stream, _ code: H2ErrorCode) {
        guard stream.id != 0 else { return }
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
        carrier.askForOutput()
    }

    /// Our side ends as it should; the peer is then told that the rest of its own is not needed (RFC 9113 section 8.1).
    final func stopPeerAtEnd(_ stream: H2Stream) {
        guard stream.id != 0, !stream.peerHasEnded else { return }
        if stream.fields.pointee.endIsOut { return reset(stream, .noError) }
        stream.fields.pointee.stopsPeerAtEnd = true
    }

    // MARK: The connection

    /// Announces that no further streams are taken, some time before they are not (RFC 9113 section 6.8).
    final func announceShutdown() {
        nghttp2_submit_shutdown_notice(session)
        carrier.askForOutput()
    }

    /// Takes no further streams; those that have begun go on.
    final func refuseNewStreams() {
        let last = nghttp2_session_get_last_proc_stream_id(session)
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, H2ErrorCode.noError.rawValue, nil, 0)
        carrier.askForOutput()
    }

    final func ping() {
        nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        carrier.askForOutput()
    }
}

// MARK: - From nghttp2

extension H2Session {
    /// The stream of an id, while it is open.
    private final func stream(_ id: Int32) -> H2Stream? {
        H2Stream(nghttp2_session_get_stream_user_data(session, id))
    }

    /// A frame begins that nghttp2 does not pass over; `false` ends the connection.
    final func frameHeader(_ frame: nghttp2_frame_hd) -> Bool {
        guard !isEnding else { return false }
        if UInt32(frame.type) == NGHTTP2_SETTINGS.rawValue { noteQueue() }
        guard isServer, UInt32(frame.type) != NGHTTP2_CONTINUATION.rawValue else { return true }
        let isHead = UInt32(frame.type) == NGHTTP2_HEADERS.rawValue
        frameBegan(beginsHead: isHead)
        guard isHead, let code = judgeHead(frame.stream_id) else { return true }
        fail(code)
        return false
    }

    /// Whether a head may come on this stream (RFC 9113 section 5.1).
    private final func judgeHead(_ id: Int32) -> H2ErrorCode? {
        if record.isNew(id) {
            record.began(id)
            idleFrames.earn(4)
            return nil
        }
        return stream(id) == nil ? record.judge(id) : nil
    }

    final func beginHead(_ frame: nghttp2_frame_hd, isRequest: Bool) {
        if isRequest {
            record.accepted()
            let stream = requestBegan(frame.stream_id)
            nghttp2_session_set_stream_user_data(session, frame.stream_id, UnsafeMutableRawPointer(stream.fields))
            headStream = stream
        } else {
            headStream = stream(frame.stream_id)
            if let headStream { headBegan(headStream) }
        }
    }

    final func field(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        if let headStream { received(headStream, name: name, value: value) }
    }

    final func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        let isLast = UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue:
            guard isLast, let stream = stream(header.stream_id) else { return }
            stream.fields.pointee.peerHasEnded = true
            bodyEnded(stream)
        case NGHTTP2_HEADERS.rawValue:
            guard let stream = headStream else { return }
            headStream = nil
            if isLast { stream.fields.pointee.peerHasEnded = true }
            headEnded(stream, isFirst: frame.pointee.headers.cat != NGHTTP2_HCAT_HEADERS, isLast: isLast)
        case NGHTTP2_RST_STREAM.rawValue:
            stream(header.stream_id)?.fields.pointee.peerHasReset = true
        case NGHTTP2_SETTINGS.rawValue:
            if UInt32(header.flags) & NGHTTP2_FLAG_ACK.rawValue == 0 { settingsTaken() }
        case NGHTTP2_PING.rawValue:
            if UInt32(header.flags) & NGHTTP2_FLAG_ACK.rawValue != 0 { pingAnswered() }
        case NGHTTP2_GOAWAY.rawValue:
            goAwayReceived(
                lastID: frame.pointee.goaway.last_stream_id, code: frame.pointee.goaway.error_code)
        default:
            break
        }
    }

    final func frameRefused(_ frame: nghttp2_frame_hd) {
        guard UInt32(frame.type) == NGHTTP2_HEADERS.rawValue else { return }
        headStream = nil
        headRefused(frame.stream_id)
    }

    final func bodyReceived(_ id: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard let chunk = feeding else { preconditionFailure("a body out of nowhere") }
        guard let stream = stream(id) else {
            nghttp2_session_consume_connection(session, count)
            return
        }
        received(
            stream, ByteSlice(retaining: chunk, start: bytes - UnsafePointer(chunk.bytes), count: count))
        // An upstream's connection is shared by clients, of whom a slow one must not hold up the others.
        if !isServer { nghttp2_session_consume_connection(session, count) }
        if stream.fields.pointee.isPaused {
            stream.fields.pointee.uncredited += count
        } else {
            credit(stream, count)
        }
    }

    final func streamClosed(_ id: Int32, code: UInt32) {
        guard let stream = stream(id) else { return }
        if headStream == stream { headStream = nil }
        if isServer, !stream.peerHasEnded, !stream.fields.pointee.peerHasReset { record.wasReset(id) }
        forgetRoom(stream)
        queuedBytes -= stream.queuedBytes
        stream.fields.pointee.out.removeAll()
        stream.fields.pointee.trailers = nil
        let uncredited = stream.fields.pointee.uncredited
        stream.fields.pointee.uncredited = 0
        if uncredited > 0, isServer { nghttp2_session_consume_connection(session, uncredited) }
        stream.fields.pointee.id = 0
        closed(stream, code: code)
    }

    /// Tells nghttp2 how much of a body it may frame now, and whether that is its end.
    final func pull(_ stream: H2Stream, _ id: Int32, room: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        let length = min(room, stream.queuedBytes)
        let isEnd = stream.fields.pointee.hasEnd && length == stream.queuedBytes
        guard length > 0 || isEnd else {
            stream.fields.pointee.isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        guard isEnd else { return length }
        flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        if let trailers = stream.fields.pointee.trailers {
            stream.fields.pointee.trailers = nil
            flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            H2FieldList.with(capacity: trailers.block.count) { list in
                for line in trailers.block.lines where !line.removed { list.append(line) }
                nghttp2_submit_trailer(session, id, list.fields, list.count)
            }
        }
        return length
    }

    /// A frame has been framed; with the last of our side the peer may be told to stop.
    final func frameSent(_ frame: nghttp2_frame_hd) {
        let type = UInt32(frame.type)
        guard type == NGHTTP2_DATA.rawValue || type == NGHTTP2_HEADERS.rawValue else { return }
        guard UInt32(frame.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0, let stream = stream(frame.stream_id) else {
            return
        }
        stream.fields.pointee.endIsOut = true
        if stream.fields.pointee.stopsPeerAtEnd { stopPeerAtEnd(stream) }
    }

    /// Queues a DATA frame: its header, and the bytes as they are; `false` when that is enough for now.
    final func frameBody(_ stream: H2Stream, header: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        carrier.write(copying: UnsafeRawBufferPointer(start: header, count: H2FrameScanner.headerBytes))
        var rest = length
        while rest > 0, let slice = stream.fields.pointee.out.popFirst(atMost: rest) {
            rest -= slice.count
            carrier.write(slice)
        }
        queuedBytes -= length
        idleFrames.earn(2)
        if stream.fields.pointee.wasCongested, stream.queuedBytes <= H2Limits.lowMarkBytes { noteRoom(stream) }
        return carrier.queuedBytes < H2Limits.framedAheadBytes
    }
}
