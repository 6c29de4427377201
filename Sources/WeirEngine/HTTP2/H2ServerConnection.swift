/// A client's HTTP/2 connection: many requests at once, each a stream of its own (RFC 9113).
final class H2ServerConnection: H2Session, ConnectionHandler, DrainableConnection {
    let host: ServerHost
    /// For its streams.
    let info: UnsafePointer<DownstreamInfo>
    var downstream: DownstreamInfo { info.pointee }
    private let connection: HandledConnection<H2ServerConnection>
    /// Where the head being read is kept.
    var store = H2FieldStore()
    private var first: Unmanaged<H2ServerStream>?
    private var streamCount = 0
    private var wasted: H2Allowance
    private var isInHead = false
    /// The preface has come.
    private var hasBegun = false
    private var isClosed = false
    var hostIndex = -1

    // Moments in monotonic nanoseconds; 0 = none.

    /// The connection's deadline, which never lies behind any of those below.
    private var deadline: UInt64 = 0
    /// The preface, or the head that has begun, must be complete.
    private var headBy: UInt64 = 0
    /// Streams are refused from then on.
    private var drainBy: UInt64 = 0
    /// The client must have read what it was told.
    private var cutBy: UInt64 = 0
    private var idleSince: UInt64
    private var isDraining = false

    /// Takes over an open connection; `predecessor` has held it for its host.
    init(
        host: ServerHost, connection: HandledConnection<H2ServerConnection>, downstream: DownstreamInfo,
        replacing predecessor: (any DrainableConnection)? = nil
    ) {
        self.host = host
        self.connection = connection
        info = downstream.placed()
        let now = host.loop.now
        wasted = H2Allowance(
            atOnce: H2ServerLimits.wastedStreams, perSecond: H2ServerLimits.wastedStreamsPerSecond, now: now)
        idleSince = now
        super.init(role: .server, loop: host.loop, carrier: connection)
        if let predecessor { host.handedOver(predecessor, to: self) } else { host.opened(self) }
        connection.setHandler(self)
        headBy = after(H2ServerLimits.headMilliseconds)
        settleDeadline()
        connection.startReading()
        if host.isDraining { drain() }
    }

    deinit { info.deallocate() }

    var ownAddress: EndpointAddress? { EndpointAddress(connection.localAddress) }

    var directAddress: LogAddress? { connection.directText }

    var addresses: (client: LogAddress?, own: LogAddress?) {
        (connection.peerText(downstream.peer), connection.localText)
    }

    // MARK: From the connection

    func received(_ slice: consuming ByteSlice) {
        feed(slice)
        if isEnding { abandonRequests(ProxyError(source: .downstream, cause: .protocolError)) }
        if isInHead {
            if headBy == 0 {
                headBy = after(H2ServerLimits.headMilliseconds)
                require(by: headBy)
            }
        } else if hasBegun {
            headBy = 0
        }
        watchReading()
    }

    func receivedEnd() {
        // What has been answered may still be on its way.
        if first == nil, connection.queuedBytes > 0 { return closeAfterFlush() }
        abandon(ProxyError(source: .downstream, cause: .connectionClosed))
    }

    func writeRoomAvailable() { connection.askForOutput() }
    func outputWanted() {
        frameOutput()
        guard !isClosed else { return }
        if isEnding { abandonRequests(ProxyError(source: .downstream, cause: .protocolError)) }
        watchReading()
    }
    func connected() {}

    func connectionFailed(_ code: Int32, unsentIntact: Bool) {
        guard !isClosed else { return }
        isClosed = true
        released(ProxyError(source: .downstream, cause: .connectionClosed))
    }

    // MARK: H2Session

    override func frameBegan(beginsHead: Bool) {
        isInHead = beginsHead
        if !hasBegun {
            hasBegun = true
            headBy = 0
        }
    }

    override func requestBegan(_ id: Int32) -> H2Stream {
        let reference = host.takeStream() ?? Unmanaged.passRetained(H2ServerStream())
        // Only such streams are put aside.
        let stream = Unmanaged<H2ServerStream>.fromOpaque(reference.toOpaque())
        store.begin(pool: loop.pool)
        streamCount += 1
        return stream._withUnsafeGuaranteedRef { object in
            object.begin(id, on: self)
            object.previous = nil
            object.next = first
            first?._withUnsafeGuaranteedRef { $0.previous = stream }
            first = stream
            return object.wire
        }
    }

    override func headBegan(_ stream: H2Stream) {
        store.begin(pool: loop.pool)
        H2ServerStream.of(stream) { $0.trailersBegan() }
    }

    override func received(_ stream: H2Stream, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        H2ServerStream.of(stream) {
            $0.received(name: name, value: value, &store, loop.pool)
            if $0.readBytes > H2Limits.maxRefusedHeadBytes { fail(.enhanceYourCalm) }
        }
    }

    override func headEnded(_ stream: H2Stream, isFirst: Bool, isLast: Bool) {
        isInHead = false
        H2ServerStream.of(stream) {
            if isFirst {
                $0.headComplete(isLast: isLast, on: self)
            } else {
                $0.trailersComplete(&store)
            }
        }
        if !isLast { awaitBody() }
    }

    override func received(_ stream: H2Stream, _ slice: consuming ByteSlice) {
        var moved = Optional(slice)
        H2ServerStream.of(stream) {
            if let slice = moved.take() { $0.received(slice, now: loop.now) }
        }
    }

    override func bodyEnded(_ stream: H2Stream) { H2ServerStream.of(stream) { $0.ended() } }
    override func hasRoom(_ stream: H2Stream) { H2ServerStream.of(stream) { $0.hasRoom() } }

    override func headRefused(_ id: Int32) {
        isInHead = false
        host.requestRefused(.malformed, downstream, overHTTP2: true, headBytes: 0, bodyBytes: 0)
    }

    override func closed(_ stream: H2Stream, code: UInt32) {
        let hasLeft = stream.fields.pointee.peerHasReset
        H2ServerStream.of(stream) { object in
            if object.isUnanswered {
                if !wasted.spend(now: loop.now) { fail(.enhanceYourCalm) }
            } else {
                wasted.earn(1)
            }
            object.closed(ProxyError(source: .downstream, cause: hasLeft ? .connectionClosed : .protocolError))
            remove(object)
        }
        if first == nil, !isClosed { becomeIdle() }
    }

    private func remove(_ stream: H2ServerStream) {
        let reference = Unmanaged.passUnretained(stream)
        if let previous = stream.previous {
            previous._withUnsafeGuaranteedRef { $0.next = stream.next }
        } else {
            first = stream.next
        }
        stream.next?._withUnsafeGuaranteedRef { $0.previous = stream.previous }
        stream.next = nil
        stream.previous = nil
        streamCount -= 1
        host.recycle(Unmanaged<ServerStream>.fromOpaque(reference.toOpaque()))
    }

    private func becomeIdle() {
        store.release()
        idleSince = loop.now
        require(by: idleSince + UInt64(host.idleMilliseconds) * 1_000_000)
    }

    override func ended() {
        guard !isClosed else { return }
        abandonRequests(ProxyError(source: .downstream, cause: .protocolError))
        closeAfterFlush()
    }

    // MARK: Deadlines

    private func after(_ milliseconds: Int) -> UInt64 { loop.now + UInt64(milliseconds) * 1_000_000 }

    /// Wakes up no later than then.
    private func require(by moment: UInt64) {
        guard deadline == 0 || moment < deadline, !isClosed else { return }
        deadline = moment
        connection.setDeadline(moment)
    }

    /// Wakes up in time to see whether a body has made progress.
    func awaitBody() { require(by: after(H2ServerLimits.bodyStallMilliseconds)) }

    /// Gives a client that must take what we have said its time to.
    private func watchReading() {
        guard isHoldingOff || isEnding else {
            cutBy = 0
            return
        }
        guard cutBy == 0 else { return }
        cutBy = after(H2ServerLimits.holdOffMilliseconds)
        require(by: cutBy)
    }

    /// Wakes up when the next of all that is waited for is due.
    private func settleDeadline() {
        deadline = 0
        if headBy != 0 { require(by: headBy) }
        if drainBy != 0 { require(by: drainBy) }
        if cutBy != 0 { require(by: cutBy) }
        if first == nil {
            require(by: idleSince + UInt64(host.idleMilliseconds) * 1_000_000)
        }
        let stall = UInt64(H2ServerLimits.bodyStallMilliseconds) * 1_000_000
        eachStream { if $0.isStalled { require(by: $0.progressAt + stall) } }
    }

    private func eachStream(_ body: (H2ServerStream) -> Void) {
        var at = first
        while let stream = at {
            stream._withUnsafeGuaranteedRef {
                at = $0.next
                body($0)
            }
        }
    }

    func connectionDeadlinePassed() {
        let now = loop.now
        if cutBy != 0, cutBy <= now {
            return abandon(ProxyError(source: .downstream, cause: .connectionClosed))
        }
        if headBy != 0, headBy <= now {
            headBy = 0
            fail(.protocolError)
            abandonRequests(ProxyError(source: .downstream, cause: .timeout))
            watchReading()
            return settleDeadline()
        }
        if drainBy != 0, drainBy <= now {
            drainBy = 0
            refuseNewStreams()
        }
        let stall = UInt64(H2ServerLimits.bodyStallMilliseconds) * 1_000_000
        eachStream { if $0.isStalled, $0.progressAt + stall <= now { $0.refuse(.timedOut) } }
        if first == nil, idleSince + UInt64(host.idleMilliseconds) * 1_000_000 <= now { refuseNewStreams() }
        settleDeadline()
    }

    // MARK: Ending

    /// Tells every exchange that its client will get no answer; their streams stay bound.
    private func abandonRequests(_ error: ProxyError) { eachStream { $0.closed(error) } }

    private func abandon(_ error: ProxyError) {
        guard !isClosed else { return }
        isClosed = true
        connection.closeNow()
        released(error)
    }

    private func closeAfterFlush() {
        guard !isClosed else { return }
        isClosed = true
        connection.closeAfterFlush()
        released(ProxyError(source: .downstream, cause: .connectionClosed))
    }

    /// From here on nghttp2 is not called any more, so that its streams may go.
    private func released(_ error: ProxyError) {
        eachStream {
            $0.wire.fields.pointee.id = 0
            $0.wire.fields.pointee.out.removeAll()
            $0.closed(error)
            remove($0)
        }
        store.release()
        host.loop.releaseLater(self)
        host.closed(self)
    }

    func drain() {
        guard !isDraining, !isClosed else { return }
        isDraining = true
        // Requests may be on their way: those that come within a moment are served (RFC 9113 section 6.8).
        announceShutdown()
        drainBy = after(H2ServerLimits.drainNoticeMilliseconds)
        require(by: drainBy)
    }

    func closeNow() { abandon(ProxyError(source: .internal, cause: .cancelled)) }
}
