import Glibc

/// A client's HTTP/1.1 connection: requests in, answers out, strictly one after the other (RFC 9112 section 9.3).
///
/// Codec and stream in one, as HTTP/1 has one stream at a time. What follows a request stays unparsed until its answer.
final class H1ServerConnection: ServerStream, ConnectionHandler, DrainableConnection {
    /// Where reading is within the current request.
    enum Reading {
        /// Between requests, or inside a head.
        case head
        case body
        /// As `body`, but nobody wants it.
        case discarding
        /// The request is complete; what follows waits.
        case complete
        /// No further request is read: the answer closes the connection.
        case ended
        /// The request has become a tunnel: bytes of no message.
        case tunnel
        /// The client has ended its side of it.
        case tunnelEnded
    }

    /// Where writing is within the current answer.
    enum Writing {
        case idle
        case awaitingAnswer
        case body(BodyFraming)
        case tunnel
        case done
    }

    // What this type's other files use is not private; nobody else does.

    let host: ServerHost
    let connection: HandledConnection<H1ServerConnection>
    private let info: UnsafePointer<DownstreamInfo>
    var downstream: DownstreamInfo { info.pointee }
    /// Borrowed from the host while a request is under way: an idle connection holds none.
    private var currentHead: RequestHead?
    private var parser: H1Parser
    private var decoder = H1BodyDecoder(.none)
    /// Its host owns it; cleared when it says that the exchange has ended, or when it has heard of a reset.
    var sink: Borrowed<MessageSink>?
    var writing = Writing.idle
    var reading = Reading.head
    var answerCloses = false
    var headBytesSent = 0
    override var sentHeadBytes: Int { headBytesSent }
    private var gathered = GatheredHead()
    /// Received and not yet parsed: a pipelined request, or a body nobody has room for.
    var unparsed = BufferChain()
    private var isParsing = false
    private var isPaused = false
    var isClosed = false
    /// The client is to leave: answers close, and no further request is waited for.
    var isDrained: Bool
    private var discarded = 0
    var hostIndex = -1

    init(host: ServerHost, connection: HandledConnection<H1ServerConnection>, downstream: DownstreamInfo) {
        self.host = host
        self.connection = connection
        info = downstream.placed()
        isDrained = host.isDraining
        parser = H1Parser(scheme: downstream.scheme, acceptsHTTP10: host.acceptsHTTP10)
        super.init()
        connectionInfo = info
        host.opened(self)
        connection.setHandler(self)
        connection.startReading()
        connection.setDeadline(afterMilliseconds: host.idleMilliseconds)
    }

    deinit { info.deallocate() }

    // MARK: From the connection

    func received(_ slice: consuming ByteSlice) {
        if isParsing || !unparsed.isEmpty || isBlocked {
            unparsed.append(slice, pool: host.loop.pool)
            stopReading()
            return
        }
        parse(slice)
    }

    /// Nothing more may be parsed for now.
    private var isBlocked: Bool {
        switch reading {
        case .complete, .ended: true
        case .body, .tunnel: isPaused
        // A client that pipelines and does not read its answers gets no more of them.
        case .head: isCongested
        case .discarding: false
        case .tunnelEnded: true
        }
    }

    func receivedEnd() {
        switch reading {
        case .head where sink == nil:
            // The end of the last answer may still be on its way.
            if connection.queuedBytes > 0 { closeAfterFlush() } else { close() }
        case .ended, .tunnelEnded:
            break
        case .discarding:
            closeAfterFlush()
        case .tunnel:
            reading = .tunnelEnded
            sink?.receive(fromDownstream: .end)
        default:
            // The client is gone, or will send no more of a body it owes: stop the upstream's work (issue: client abort).
            abandon(ProxyError(source: .downstream, cause: .connectionClosed))
        }
    }

    func writeRoomAvailable() {
        guard let sink else { return resumeParsing() }
        sink.downstreamHasRoom()
    }

    func connectionFailed(_ code: Int32, unsentIntact: Bool) {
        abandon(ProxyError(source: .downstream, cause: .connectionClosed))
    }

    func connected() {}

    func connectionDeadlinePassed() {
        switch reading {
        case .head:
            if isBetweenRequests { closeAfterFlush() } else { refuse(H1Error.timedOut) }
        case .body where isPaused:
            checkPresence()
        case .body:
            guard case .awaitingAnswer = writing else { return }
            refuse(H1Error.timedOut)
        case .discarding:
            closeAfterFlush()
        case .complete, .tunnel:
            checkPresence()
        case .ended, .tunnelEnded:
            break
        }
    }

    /// Looks for the client where no read can tell: it may have left behind bytes nobody has room for.
    private func checkPresence() {
        guard sink != nil, !connection.isReading else { return }
        // Of a tunnel's client the bytes are wanted, even when it has ended its side behind them.
        let hasGone = if case .tunnel = reading { connection.isBroken } else { connection.peerHasGone }
        if hasGone {
            abandon(ProxyError(source: .downstream, cause: .connectionClosed))
        } else {
            connection.setDeadline(afterMilliseconds: H1ServerLimits.presenceMilliseconds)
        }
    }

    /// The client owes nothing any more: no deadline but for the question whether it is still there.
    private func settleDeadline() {
        if sink != nil, !connection.isReading {
            connection.setDeadline(afterMilliseconds: H1ServerLimits.presenceMilliseconds)
        } else {
            connection.clearDeadline()
        }
    }

    /// Stops reading for a while.
    private func stopReading() {
        connection.stopReading()
        if sink != nil { connection.setDeadline(afterMilliseconds: H1ServerLimits.presenceMilliseconds) }
    }

    /// Nothing of a request has arrived.
    ///
    /// Empty lines in front of one do not count (RFC 9112 section 2.2).
    var isBetweenRequests: Bool {
        guard case .head = reading, sink == nil, unparsed.isEmpty else { return false }
        return gathered.holdsEmptyLinesAlone
    }

    // MARK: Parsing

    private func parse(_ first: consuming ByteSlice) {
        isParsing = true
        var rest: ByteSlice? = consume first
        while !isClosed, var slice = rest.take() {
            step(&slice)
            if slice.count == 0 {
                if !isBlocked { rest = unparsed.popFirst() }
            } else if isBlocked || isClosed {
                unparsed.prepend(slice, pool: host.loop.pool)
            } else {
                rest = consume slice
            }
        }
        isParsing = false
        guard !isClosed else { return }
        if !unparsed.isEmpty { stopReading() }
        awaitBodyProgress()
    }

    /// Gives a body that is still coming its time to make progress; gRPC streams may be silent for long.
    private func awaitBodyProgress() {
        guard case .body = reading, case .awaitingAnswer = writing, !isPaused, !requestHead.isGRPC else { return }
        connection.setDeadline(afterMilliseconds: H1ServerLimits.bodyStallMilliseconds)
    }

    private func step(_ slice: inout ByteSlice) {
        switch reading {
        case .head: parseHead(&slice)
        case .body, .discarding: parseBody(&slice)
        case .tunnel: passThrough(&slice)
        case .complete, .ended, .tunnelEnded: break
        }
    }

    private func passThrough(_ slice: inout ByteSlice) {
        let whole = slice.share()
        slice.removeFirst(slice.count)
        sink?.receive(fromDownstream: .body(whole))
    }

    private func parseHead(_ slice: inout ByteSlice) {
        if !gathered.isEmpty { return parseGathered(&slice) }
        let requestHead = takeHead()
        switch parser.parseRequest(slice.bytes, count: slice.count, into: requestHead) {
        case .complete(let length):
            requestHead.backing = ByteSlice(retaining: slice.chunk, start: slice.start, count: length)
            slice.removeFirst(length)
            headComplete()
        case .needMore:
            gathered.append(slice, pool: host.loop.pool)
            slice.removeFirst(slice.count)
            connection.setDeadline(afterMilliseconds: H1ServerLimits.headMilliseconds)
        case .failed(let error):
            switch prefaceMatch(slice.bytes, count: slice.count) {
            case .none: refuse(error)
            case .whole: becomeHTTP2(slice.share())
            case .part:
                gathered.append(slice, pool: host.loop.pool)
                connection.setDeadline(afterMilliseconds: H1ServerLimits.headMilliseconds)
            }
            slice.removeFirst(slice.count)
        }
    }

    private func takeHead() -> RequestHead {
        if let currentHead { return currentHead }
        let head = host.takeRequestHead()
        currentHead = head
        return head
    }

    func giveHeadBack() {
        guard let head = currentHead else { return }
        currentHead = nil
        host.recycle(head)
    }

    private func parseGathered(_ slice: inout ByteSlice) {
        let before = gathered.count
        gathered.append(slice, pool: host.loop.pool)
        guard let bytes = gathered.bytes else { return }
        let requestHead = takeHead()
        switch parser.parseRequest(bytes, count: gathered.count, into: requestHead) {
        case .complete(let length):
            // The head ended inside this piece; the bytes behind it are still in the slice.
            slice.removeFirst(length - before)
            requestHead.backing = gathered.take(length)
            headComplete()
        case .needMore:
            slice.removeFirst(slice.count)
        case .failed(let error):
            slice.removeFirst(slice.count)
            switch prefaceMatch(bytes, count: gathered.count) {
            case .none: refuse(error)
            case .whole: if let whole = gathered.take(gathered.count) { becomeHTTP2(whole) }
            case .part: break
            }
        }
    }

    private func headComplete() {
        parser.reset()
        connection.clearDeadline()
        host.requestCount += 1
        answerCloses = !requestHead.keepAlive || requestHead.wantsOtherProtocol || isDrained
        writing = .awaitingAnswer
        headBytesSent = 0
        let framing = requestHead.framing
        // What follows a request for a tunnel waits until that is open, or is the next request.
        let last = framing.isEmpty && !requestHead.wantsUpgrade
        reading = framing.isEmpty ? .complete : .body
        decoder = H1BodyDecoder(framing)
        let sink = host.beginExchange(on: Borrowed(self))
        self.sink = sink
        sink.receive(fromDownstream: .request(requestHead, last: last))
    }

    private func parseBody(_ slice: inout ByteSlice) {
        let step = decoder.next(slice.bytes, count: slice.count)
        if step.failed {
            slice.removeFirst(slice.count)
            return refuse(.malformed)
        }
        if step.bodyCount > 0 { takeBody(slice, start: step.bodyStart, count: step.bodyCount) }
        guard !isClosed else { return }
        slice.removeFirst(step.consumed)
        if step.finished { bodyComplete() }
    }

    private func takeBody(_ slice: borrowing ByteSlice, start: Int, count: Int) {
        if case .discarding = reading {
            discarded += count
            if discarded > H1ServerLimits.discardedBodyBytes { closeAfterFlush() }
            return
        }
        sink?.receive(
            fromDownstream: .body(ByteSlice(retaining: slice.chunk, start: slice.start + start, count: count)))
    }

    private func bodyComplete() {
        settleDeadline()
        let wasDiscarding = if case .discarding = reading { true } else { false }
        reading = .complete
        if wasDiscarding {
            nextRequest()
        } else {
            sink?.receive(fromDownstream: .end)
        }
    }

    // MARK: ServerStream

    override var requestHead: RequestHead {
        guard let currentHead else { preconditionFailure("a head is asked for outside a request") }
        return currentHead
    }

    override var ownAddress: EndpointAddress? { EndpointAddress(connection.localAddress) }
    override var directAddress: LogAddress? { connection.directText }
    override var addresses: (client: LogAddress?, own: LogAddress?) {
        (connection.peerText(info.pointee.peer), connection.localText)
    }

    override var isCongested: Bool {
        guard connection.isCongested else { return false }
        connection.noteCongestion()
        return true
    }

    override func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        switch reading {
        case .body, .tunnel: stopReading()
        default: break
        }
    }

    override func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        switch reading {
        case .body:
            awaitBodyProgress()
            resumeParsing()
        case .complete:
            // The body ended while it was paused: listen for the client's leaving again.
            if !isParsing, unparsed.isEmpty { connection.startReading() }
        case .tunnel:
            resumeParsing()
        case .head, .discarding, .ended, .tunnelEnded:
            break
        }
    }

    private func resumeParsing() {
        guard !isParsing, !isClosed, !isBlocked else { return }
        if let slice = unparsed.popFirst() { parse(slice) }
        if !isClosed, unparsed.isEmpty, !isPaused { connection.startReading() }
    }

    override func send(_ event: consuming MessageEvent) {
        guard !isClosed else { return }
        switch consume event {
        case .response(let head, let last): sendHead(head, last: last)
        case .body(let slice): sendBody(slice)
        case .end: sendEnd()
        case .trailers: break  // Dropped: HTTP/1 trailers are never forwarded (design: deliberate answers).
        case .reset: abort()
        case .request: preconditionFailure("a server stream does not send requests")
        }
    }

    private func sendHead(_ head: ResponseHead, last: Bool) {
        if head.isInformational {
            guard requestHead.version != .http10 else { return }  // HTTP/1.0 has none (RFC 9110 section 15.2).
            _ = connection.write(bound: H1Serializer.responseBound(head)) {
                H1Serializer.writeInformational(head, into: $0)
            }
            return
        }
        if head.status == 101 { return beginTunnel(head) }
        settleDeadline()
        decideClose()
        let form = H1AnswerForm(head, to: requestHead, closes: answerCloses)
        answerCloses = form.closes
        headBytesSent = connection.write(bound: form.bound(head)) { form.write(head, into: $0) }
        writing = last ? .done : .body(form.framing)
    }

    /// An answer that overtakes its request's body can keep the connection only if little of the body is left.
    private func decideClose() {
        answerCloses = answerCloses || isDrained
        guard case .body = reading else { return }
        if requestHead.expectsContinue { answerCloses = true }
    }

    /// From here on bytes pass both ways; the exchange asks for the client's with `resumeReading`.
    private func beginTunnel(_ head: ResponseHead) {
        headBytesSent = connection.write(bound: H1Serializer.responseBound(head)) {
            H1Serializer.writeInformational(head, into: $0)
        }
        reading = .tunnel
        writing = .tunnel
        answerCloses = true
        isPaused = true
    }

    private func sendBody(_ slice: consuming ByteSlice) {
        switch writing {
        case .body(let framing): connection.writeBody(slice, framing: framing)
        case .tunnel: connection.write(slice)
        case .idle, .awaitingAnswer, .done: break
        }
    }

    private func sendEnd() {
        switch writing {
        case .body(let framing): connection.writeBodyEnd(framing: framing)
        case .tunnel: connection.endAfterFlush()
        case .idle, .awaitingAnswer, .done: return
        }
        writing = .done
    }

    override func exchangeEnded() {
        sink = nil
        guard !isClosed else { return giveHeadBack() }
        guard case .done = writing else { return abort() }
        if case .body = reading {
            guard !answerCloses, mayDiscardRest() else { return closeAfterFlush() }
            reading = .discarding
            discarded = 0
            isPaused = false
            connection.setDeadline(afterMilliseconds: H1ServerLimits.headMilliseconds)
            resumeParsing()
            return
        }
        nextRequest()
    }

    private func mayDiscardRest() -> Bool {
        guard case .length(let length) = requestHead.framing else { return true }
        return length <= UInt64(H1ServerLimits.discardedBodyBytes)
    }

    private func nextRequest() {
        if answerCloses || isDrained { return closeAfterFlush() }
        giveHeadBack()
        reading = .head
        writing = .idle
        isPaused = false
        connection.setDeadline(afterMilliseconds: host.idleMilliseconds)
        resumeParsing()
    }
}
