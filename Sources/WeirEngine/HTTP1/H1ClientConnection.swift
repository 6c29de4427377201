import Glibc

/// An HTTP/1.1 connection to an endpoint: one request at a time, then back to its pool or closed.
final class H1ClientConnection: ClientStream, ConnectionHandler {
    private enum State {
        case connecting
        /// In the pool.
        case idle
        case busy
        /// A tunnel that both sides have ended; the last bytes for the endpoint are going out.
        case ending
        case closed
    }

    private let host: ServerHost
    /// Strong: the pool may have left the configuration while this connection is still busy.
    ///
    /// The cycle ends with `pool.ended`.
    private let pool: H1Pool
    private let connection: HandledConnection<H1ClientConnection>
    private var state: State
    /// The exchange, owned by its worker; cleared with the last thing it is told, or when it cancels.
    private var sink: Borrowed<MessageSink>?
    private var parser = H1Parser()
    private var decoder = H1BodyDecoder(.none)
    private var gathered = GatheredHead()
    private var requestMethod = MethodToken.other
    private var requestFraming = BodyFraming.none
    private var tunnel = ExchangeState.Tunnel.none
    /// The request has been handed to the connection whole.
    private var requestSent = false
    private var interimHeads = 0
    private var responseBegun = false
    private var responseDone = false
    private var responseKeepsAlive = false
    /// The connection has carried a request before: its peer may close it at any moment.
    private var isReused = false
    /// Received and not passed on because the other side is full.
    private var held = BufferChain()
    private var isPaused = false
    private var isParsing = false
    private var endSeen = false
    /// Place in the pool's idle list; -1 outside.
    ///
    /// Only the pool writes it.
    var poolIndex = -1
    // Likewise: what this holds of its cluster's limits, and what there is to say of its own.
    var permits: ConnectionPermits = []
    var requestCount = 0
    /// Monotonic nanoseconds from which it takes no further request; 0 = never.
    var expiresAt: UInt64 = 0

    init(
        host: ServerHost, pool: H1Pool, descriptor: Int32, established: Bool, transport: Transport,
        connectMilliseconds: Int
    ) {
        self.host = host
        self.pool = pool
        // A layer has something to say before there is anything to hear.
        let established = established && !transport.needsHandshake
        connection =
            established
            ? HandledConnection(loop: host.loop, accepted: descriptor)
            : HandledConnection(loop: host.loop, connecting: descriptor, transport: transport)
        state = established ? .idle : .connecting
        super.init()
        connection.setHandler(self)
        if established {
            connection.startReading()
        } else {
            connection.setDeadline(afterMilliseconds: connectMilliseconds)
        }
    }

    var isIdle: Bool { state == .idle }
    /// Carries a request, or will.
    var isBusy: Bool { sink != nil }

    // MARK: For the pool and the exchange

    /// Binds the connection to a request's sink.
    ///
    /// While connecting, what is sent waits in the connection's queue.
    func lease(to sink: Borrowed<MessageSink>) {
        self.sink = sink
        requestSent = false
        interimHeads = 0
        responseBegun = false
        responseDone = false
        responseKeepsAlive = false
        isPaused = false
        tunnel = .none
        connection.markExchange()
        if state != .connecting {
            state = .busy
            connection.clearDeadline()
        }
    }

    /// Waits in the pool until it is leased, the peer closes it, `milliseconds` have passed or the moment `end` has come; 0 = no
    /// limit.
    func park(milliseconds: Int, until end: UInt64) {
        state = .idle
        isReused = true
        // The client of the last request may have been slow; the next one is another.
        isPaused = false
        let idleEnd = milliseconds > 0 ? host.loop.now + UInt64(milliseconds) * 1_000_000 : .max
        let moment = end == 0 ? idleEnd : min(idleEnd, end)
        if moment != .max {
            connection.setDeadline(moment)
        } else {
            connection.clearDeadline()
        }
        connection.startReading()
    }

    /// The next request follows at once, without a wait in the pool.
    func goOn() {
        state = .idle
        isReused = true
        connection.startReading()
    }

    /// Closes an idle connection, or one that is not wanted any more.
    func close() {
        guard state != .closed else { return }
        state = .closed
        sink = nil
        held.removeAll()
        connection.closeNow()
        host.loop.releaseLater(self)
        requestOver()
        pool.ended(self)
    }

    // MARK: ClientStream

    override var reach: Reach { state == .connecting ? .connecting : .connected }
    override var localAddress: LogAddress? { connection.localText }
    override var queuedBytes: Int { connection.queuedBytes }

    override var isCongested: Bool {
        // Until it is established, everything queued waits.
        guard connection.isCongested else { return false }
        connection.noteCongestion()
        return true
    }

    override func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        connection.stopReading()
    }

    override func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        guard !isParsing, state == .busy else { return }
        if let slice = held.popFirst() { parse(slice) }
        guard state == .busy, !isPaused else { return }
        if endSeen { return endReached() }
        connection.startReading()
    }

    override func send(_ event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last):
            requestMethod = head.method
            requestFraming = head.framing
            requestSent = last
            if head.wantsUpgrade {
                tunnel = .asked
                WebSocketKey.add(to: head, &host.random)
            }
            _ = connection.write(bound: H1Serializer.requestBound(head)) { H1Serializer.writeRequest(head, into: $0) }
        case .body(let slice):
            connection.writeBody(slice, framing: requestFraming)
        case .end:
            requestSent = true
            if tunnel == .open { return endTunnel() }
            connection.writeBodyEnd(framing: requestFraming)
        case .trailers:
            break  // Dropped (design: deliberate answers).
        case .reset:
            cancel()
        case .response:
            preconditionFailure("a client stream does not send responses")
        }
    }

    /// The request is not wanted any more.
    ///
    /// A connection whose request is broken off cannot carry another.
    override func cancel() {
        sink = nil
        if state == .connecting && connection.queuedBytes == 0 { return requestOver() }
        close()
    }

    /// The request counts no more, which has to be before anybody hears of its end: that may set off another.
    private func requestOver() {
        if !permits.isEmpty { pool.giveBack([.request, .pending], of: &permits) }
    }

    // MARK: From the connection

    func connected() {
        if !permits.isEmpty { pool.giveBack(.pending, of: &permits) }
        pool.established(self)
        connection.startReading()
        connection.clearDeadline()
        guard let sink else { return pool.returned(self) }
        state = .busy
        sink.upstreamConnected()
    }

    func received(_ slice: consuming ByteSlice) {
        guard state == .busy, sink != nil || responseBegun else {
            // Bytes nobody asked for: the connection cannot be trusted with a request (response splitting).
            return close()
        }
        // As above, though the next request waits to be written already: the connection is as good as closed by its peer.
        if isReused, connection.bytesTaken == 0 { return lost(0, unsentIntact: true) }
        if isPaused || isParsing || !held.isEmpty {
            held.append(slice, pool: host.loop.pool)
            return
        }
        parse(slice)
    }

    private func parse(_ first: consuming ByteSlice) {
        isParsing = true
        var rest: ByteSlice? = consume first
        while state == .busy, var slice = rest.take() {
            if isPaused {
                held.prepend(slice, pool: host.loop.pool)
                break
            }
            if responseDone {
                // More than the answer: nothing after it can be trusted.
                responseKeepsAlive = false
                break
            }
            if responseBegun { parseBody(&slice) } else { parseHead(&slice) }
            rest = slice.count > 0 ? consume slice : held.popFirst()
        }
        isParsing = false
        finishIfDone()
    }

    private func parseHead(_ slice: inout ByteSlice) {
        let head = host.takeResponseHead()
        defer { host.recycle(head) }
        let before = gathered.count
        if !gathered.isEmpty { gathered.append(slice, pool: host.loop.pool) }
        let bytes = gathered.bytes ?? slice.bytes
        let count = gathered.isEmpty ? slice.count : gathered.count
        switch parser.parseResponse(bytes, count: count, requestMethod: requestMethod, into: head) {
        case .needMore:
            if gathered.isEmpty { gathered.append(slice, pool: host.loop.pool) }
            slice.removeFirst(slice.count)
        case .failed:
            slice.removeFirst(slice.count)
            fail(ProxyError(source: .upstream, cause: .protocolError))
        case .complete(let length):
            if gathered.isEmpty {
                head.backing = ByteSlice(retaining: slice.chunk, start: slice.start, count: length)
            } else {
                head.backing = gathered.take(length)
            }
            slice.removeFirst(length - before)
            parser.reset()
            headComplete(head, nothingFollows: slice.count == 0)
        }
    }

    private func headComplete(_ head: ResponseHead, nothingFollows: Bool) {
        guard head.status != 101 else { return openTunnel(head) }
        if head.isInformational {
            interimHeads += 1
            guard interimHeads <= H1ClientLimits.interimHeads else {
                return fail(ProxyError(source: .upstream, cause: .protocolError))
            }
            sink?.receive(fromUpstream: .response(head, last: false))
            return
        }
        if tunnel == .asked {
            // Refused: it was a request without a body.
            tunnel = .none
            requestSent = true
        }
        responseBegun = true
        responseKeepsAlive = head.keepAlive
        decoder = H1BodyDecoder(head.framing)
        let last = head.framing.isEmpty
        let receiver = sink
        if last { responseComplete(nothingFollows: nothingFollows) }
        receiver?.receive(fromUpstream: .response(head, last: last))
    }

    /// Gives the connection back before the sink hears of the end, so that what the end sets off can lease it again.
    private func responseComplete(nothingFollows: Bool) {
        responseDone = true
        requestOver()
        guard nothingFollows, held.isEmpty, requestSent, responseKeepsAlive, !endSeen, connection.queuedBytes == 0
        else {
            return
        }
        sink = nil
        pool.returned(self)
    }

    private func parseBody(_ slice: inout ByteSlice) {
        let step = decoder.next(slice.bytes, count: slice.count)
        if step.failed {
            slice.removeFirst(slice.count)
            return fail(ProxyError(source: .upstream, cause: .protocolError))
        }
        if step.bodyCount > 0 {
            sink?.receive(
                fromUpstream: .body(
                    ByteSlice(retaining: slice.chunk, start: slice.start + step.bodyStart, count: step.bodyCount)))
        }
        guard state == .busy else { return }
        slice.removeFirst(step.consumed)
        if step.finished {
            let receiver = sink
            responseComplete(nothingFollows: slice.count == 0)
            receiver?.receive(fromUpstream: .end)
        }
    }

    /// An answer that overtook its request, or that more bytes follow, leaves a connection no other request may use.
    private func finishIfDone() {
        guard state == .busy, responseDone, !isParsing else { return }
        close()
    }

    func receivedEnd() {
        endSeen = true
        if isPaused || isParsing || !held.isEmpty { return }
        endReached()
    }

    private func endReached() {
        guard state == .busy else { return close() }
        if tunnel == .open { return peerEndedTunnel() }
        if responseBegun, !responseDone, decoder.isUntilClose {
            responseDone = true
            requestOver()
            sink?.receive(fromUpstream: .end)
            return close()
        }
        lost(0, unsentIntact: connection.bytesTaken == 0)
    }

    // MARK: Tunnels

    private func openTunnel(_ head: ResponseHead) {
        guard tunnel == .asked, head.namesWebSocket else {
            // Nobody asked for this.
            return fail(ProxyError(source: .upstream, cause: .protocolError))
        }
        tunnel = .open
        responseBegun = true
        // What follows is no message: nothing tells its end but the connection's.
        decoder = H1BodyDecoder(.untilClose)
        sink?.receive(fromUpstream: .response(head, last: false))
    }

    private func peerEndedTunnel() {
        guard !responseDone else { return }
        responseDone = true
        let receiver = sink
        if requestSent { settleTunnel() }
        receiver?.receive(fromUpstream: .end)
    }

    private func endTunnel() {
        connection.endAfterFlush()
        if responseDone { settleTunnel() }
    }

    /// Both sides have ended: nobody needs to know of the connection any more, which ends with its last byte.
    private func settleTunnel() {
        sink = nil
        if connection.outputHasEnded { return close() }
        state = .ending
        connection.markExchange()
        connection.setDeadline(afterMilliseconds: Connection.closingStallMilliseconds)
    }

    func outputEnded() {
        if state == .ending { close() }
    }

    func writeRoomAvailable() { sink?.upstreamHasRoom() }

    func connectionFailed(_ code: Int32, unsentIntact: Bool) { lost(code, unsentIntact: unsentIntact) }

    private func lost(_ code: Int32, unsentIntact: Bool) {
        guard state == .busy || state == .connecting else { return close() }
        if state == .connecting {
            return unconnected(ProxyError(source: .upstream, cause: .connectFailure, code: code))
        }
        if isReused, unsentIntact, !responseBegun, let sink {
            // The peer closed the pooled connection before the kernel took a byte of this request: not an attempt.
            self.sink = nil
            if pool.replace(self, for: sink) { return close() }
            self.sink = sink
        }
        fail(ProxyError(source: .upstream, cause: .connectionClosed, isUnsent: unsentIntact))
    }

    /// Before `handOver`, where the endpoint must not see both connections at a time.
    func closeSocket() { connection.closeSocket() }

    /// Moves what was queued for the endpoint, and what is known of the request, to another connection.
    func handOver(to other: H1ClientConnection) {
        other.requestMethod = requestMethod
        other.requestFraming = requestFraming
        other.requestSent = requestSent
        other.tunnel = tunnel
        connection.moveQueue(to: other.connection)
    }

    func connectionDeadlinePassed() {
        switch state {
        case .connecting: unconnected(ProxyError(source: .upstream, cause: .connectTimeout))
        case .ending where connection.bytesTaken > 0: settleTunnel()
        case .idle, .busy, .ending, .closed: close()
        }
    }

    /// The connection could not be established.
    private func unconnected(_ error: ProxyError) {
        pool.failed(connection.transport)
        // Before anybody hears of it: whoever comes to wait then has a try of its own.
        let waiting = pool.waiting.count
        fail(error)
        pool.failWaiting(waiting, error)
    }

    private func fail(_ error: ProxyError) {
        guard state != .closed else { return }
        let sink = sink
        self.sink = nil
        close()
        sink?.receive(fromUpstream: .reset(error))
    }
}
