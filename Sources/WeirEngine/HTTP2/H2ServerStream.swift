/// One request on a client's HTTP/2 connection.
///
/// Pooled by its host; bound to a connection from its head's first frame until the stream is over on the wire. The exchange
/// may end before that, never after.
final class H2ServerStream: ServerStream {
    private enum Answer {
        case awaited
        case begun
        /// Handed over whole, its end included.
        case complete
        /// Reset: nothing more is said.
        case cut
    }

    let wire = H2Stream()
    /// Outlives the binding.
    private var connection: Borrowed<H2ServerConnection>?
    private var head: RequestHead?
    private var reader = H2RequestReader()
    /// Its host owns it; cleared when it says that the exchange has ended, or when it has heard of a reset.
    private var sink: Borrowed<MessageSink>?
    private var answer = Answer.awaited
    private var headBytesSent = 0
    override var sentHeadBytes: Int { headBytesSent }
    /// The request has been told to the exchange as one without a body.
    private var wasLast = false
    /// Being read, from the client.
    private var trailers: Trailers?
    private var trailerBytes = 0
    /// To be sent behind the answer's body.
    private var answerTrailers: Trailers?
    /// When the request's body last grew, in monotonic nanoseconds.
    private(set) var progressAt: UInt64 = 0
    // The connection's list of its streams.
    var next: Unmanaged<H2ServerStream>?
    var previous: Unmanaged<H2ServerStream>?

    override init() {
        super.init()
        wire.fields.pointee.owner = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { wire.free() }

    /// The stream a handle belongs to.
    @inline(__always)  // from every event of a stream
    static func of<Result>(_ wire: H2Stream, _ body: (H2ServerStream) -> Result) -> Result {
        guard let owner = wire.fields.pointee.owner else { preconditionFailure("a stream without an object") }
        return Unmanaged<H2ServerStream>.fromOpaque(owner)._withUnsafeGuaranteedRef(body)
    }

    // MARK: From the connection

    /// Binds it to a stream whose first head begins.
    func begin(_ id: Int32, on connection: H2ServerConnection) {
        wire.begin(id)
        self.connection = Borrowed(connection)
        connectionInfo = connection.info
        head = connection.host.takeRequestHead()
        reader = H2RequestReader()
        answer = .awaited
        headBytesSent = 0
        wasLast = false
        progressAt = connection.loop.now
    }

    func trailersBegan() {
        trailers = Trailers()
        trailerBytes = 0
    }

    func received(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ store: inout H2FieldStore, _ pool: BufferPool
    ) {
        if let trailers {
            trailerBytes += name.count + value.count
            guard trailerBytes <= H2Limits.maxHeaderListBytes else { return }
            H2TrailerFields.add(name, value, to: trailers, &store, pool)
        } else if let head {
            reader.add(name, value, to: head, &store, pool)
        }
    }

    /// Bytes of the head being read.
    var readBytes: Int { trailers == nil ? reader.bytes : trailerBytes }

    /// The request's head has come whole.
    func headComplete(isLast: Bool, on connection: H2ServerConnection) {
        guard let head else { return }
        if let error = reader.finish(
            head, &connection.store, scheme: connection.downstream.scheme, hasBody: !isLast)
        {
            return refuse(error)
        }
        let host = connection.host
        host.requestCount += 1
        if head.wantsUpgrade { WebSocketKey.add(to: head, &host.random) }
        // A tunnel's bytes are told of with an end of their own, even when there are none.
        wasLast = (isLast || head.framing.isEmpty) && !head.wantsUpgrade
        let sink = host.beginExchange(on: Borrowed(self))
        self.sink = sink
        sink.receive(fromDownstream: .request(head, last: wasLast))
        if isLast, !wasLast { self.sink?.receive(fromDownstream: .end) }
    }

    func received(_ slice: consuming ByteSlice, now: UInt64) {
        progressAt = now
        sink?.receive(fromDownstream: .body(slice))
    }

    /// The client's side has ended behind a body, or behind trailers.
    func ended() {
        guard !wasLast else { return }
        sink?.receive(fromDownstream: .end)
    }

    func trailersComplete(_ store: inout H2FieldStore) {
        let backing = store.finish()
        guard let trailers else { return }
        self.trailers = nil
        guard trailerBytes <= H2Limits.maxHeaderListBytes else {
            connection?.with { $0.reset(wire, .enhanceYourCalm) }
            return
        }
        trailers.backing = backing
        if !wasLast, trailers.block.count > 0 { sink?.receive(fromDownstream: .trailers(trailers)) }
        ended()
    }

    /// The answer's queue has drained.
    func hasRoom() { sink?.downstreamHasRoom() }

    /// No byte of the request's body has come for so long that the rest is not waited for any more.
    var isStalled: Bool {
        guard let head, sink != nil, !wasLast, !wire.peerHasEnded, !wire.fields.pointee.isPaused else { return false }
        return answer == .awaited && !head.isGRPC && !head.wantsUpgrade
    }

    /// Whether no final answer has begun.
    var isUnanswered: Bool { answer == .awaited }

    /// The stream is over on the wire.
    ///
    /// `error`: what the exchange is told if it is not over.
    func closed(_ error: ProxyError) {
        let sink = sink
        self.sink = nil
        sink?.receive(fromDownstream: .reset(error))
        giveHeadBack()
        trailers = nil
        answerTrailers = nil
    }

    private func giveHeadBack() {
        guard let head else { return }
        self.head = nil
        connection?.with { $0.host.recycle(head) }
    }

    // MARK: ServerStream

    override var requestHead: RequestHead {
        guard let head else { preconditionFailure("a head is asked for outside a request") }
        return head
    }

    override var ownAddress: EndpointAddress? { connection?.with { $0.ownAddress } }

    override var directAddress: LogAddress? { connection?.with { $0.directAddress } }

    override var addresses: (client: LogAddress?, own: LogAddress?) {
        connection?.with { $0.addresses } ?? (nil, nil)
    }

    override var isCongested: Bool { connection?.with { $0.isCongested(wire) } ?? false }
    override func pauseReading() { connection?.with { $0.pause(wire) } }
    override func resumeReading() {
        guard let connection else { return }
        connection.with {
            progressAt = $0.loop.now
            $0.resume(wire)
            $0.awaitBody()
        }
    }

    override func send(_ event: consuming MessageEvent) {
        guard wire.id != 0, let connection else { return }
        switch consume event {
        case .response(let head, let last):
            connection.with { sendHead(head, last: last, over: $0) }
        case .body(let slice):
            // As in `Borrowed.send`: a closure cannot consume what it captures.
            var moved = Optional(slice)
            connection.with {
                if let slice = moved.take() { $0.send(slice, on: wire) }
            }
        case .trailers(let trailers):
            answerTrailers = trailers
        case .end:
            answer = .complete
            let trailers = answerTrailers
            answerTrailers = nil
            connection.with { $0.sendEnd(on: wire, trailers: trailers) }
        case .reset:
            answer = .cut
            connection.with { $0.reset(wire, .internalError) }
        case .request:
            preconditionFailure("a server stream does not send requests")
        }
    }

    private func sendHead(_ head: ResponseHead, last: Bool, over connection: H2ServerConnection) {
        if head.isInformational {
            return H2ResponseFields.with(head, status: head.status) { list, _ in connection.inform(on: wire, list) }
        }
        // A tunnel opens with an ordinary answer here (RFC 8441 section 5).
        let isTunnel = head.status == 101
        if isTunnel { head.block.remove("sec-websocket-accept") }
        H2ResponseFields.with(head, status: isTunnel ? 200 : head.status) { list, bytes in
            headBytesSent = bytes
            connection.respond(on: wire, list, hasBody: !last)
        }
        answer = last ? .complete : .begun
    }

    override func exchangeEnded() {
        sink = nil
        giveHeadBack()
        guard wire.id != 0 else { return }
        connection?.with { connection in
            switch answer {
            case .complete:
                connection.resume(wire)
                connection.stopPeerAtEnd(wire)
            case .cut: break
            case .awaited, .begun: connection.reset(wire, .internalError)
            }
        }
    }

    // MARK: Refusing

    /// Answers what cannot be served as a request.
    func refuse(_ error: H1Error) {
        guard let connection, answer == .awaited else { return }
        let sink = sink
        self.sink = nil
        // Before the sink is told, since its record says what was answered.
        let bodyBytes = connection.with { sendRefusal(error, over: $0) }
        if let sink {
            let cause: ProxyError.Cause = error == .timedOut ? .timeout : .protocolError
            sink.receive(
                fromDownstream: .reset(
                    ProxyError(
                        source: .downstream, cause: cause, status: UInt16(error.status),
                        answeredBytes: UInt32(bodyBytes))))
        } else {
            connection.with {
                $0.host.requestRefused(
                    error, $0.downstream, overHTTP2: true, headBytes: headBytesSent, bodyBytes: bodyBytes)
            }
        }
        giveHeadBack()
        connection.with { $0.stopPeerAtEnd(wire) }
    }

    /// Sends an answer about the request itself; returns its body's bytes.
    private func sendRefusal(_ error: H1Error, over connection: H2ServerConnection) -> Int {
        let head = connection.host.takeResponseHead()
        defer { connection.host.recycle(head) }
        let body = LocalReply.reason(error)
        LocalReply.fill(head, status: error.status, body: body, host: connection.host)
        sendHead(head, last: body.isEmpty, over: connection)
        guard !body.isEmpty else { return 0 }
        connection.send(ByteSlice(copying: body, pool: connection.loop.pool), on: wire)
        connection.sendEnd(on: wire)
        answer = .complete
        return body.count
    }
}
