/// An HTTP/2 connection to an endpoint: many requests at a time.
///
/// Takes its first request's bytes once the peer's settings are there: until then nobody knows how many it takes, or whether
/// it speaks HTTP/2 at all, and requests that wait can still go elsewhere.
final class H2ClientConnection: H2Session, ConnectionHandler {
    /// Requests that may wait for the first connection that is being opened (RFC 9113 section 6.5.2 asks peers to take so
    /// many).
    static let streamsBeforeSettings = 100

    private enum State {
        case connecting
        /// The peer's settings are awaited.
        case greeting
        case open
        case closed
    }

    private let host: ServerHost
    /// Strong: the pool may have left the configuration while this connection is still busy.
    ///
    /// The cycle ends with `pool.ended`.
    private let pool: H2Pool
    private let connection: HandledConnection<H2ClientConnection>
    private var state = State.connecting
    /// Those that wait, and those that are not over on the wire.
    private var streams: [Unmanaged<H2ClientStream>] = []
    /// Takes no further requests.
    private var isDraining = false
    /// Place in the pool's list of connections with room; -1 outside.
    ///
    /// Only the pool writes it.
    var poolIndex = -1
    // Likewise: what this holds of its cluster's limits, whether it is known to wait for a request, and what there is to say of
    // its own life.
    var permits: ConnectionPermits = []
    var isCountedIdle = false
    private(set) var requestCount = 0
    private(set) var yielding = YieldingTurn()
    /// Monotonic nanoseconds from which it takes no further request; 0 = never.
    private var expiresAt: UInt64 = 0

    /// Counts the flushes, so that it is known what was framed and when.
    private var flushes: UInt64 = 1
    /// Since this flush the kernel has taken `connection.bytesTaken`.
    private var markedAt: UInt64 = 0
    private var answer: H2AnswerReader
    /// Monotonic nanoseconds when the last request ended.
    private var idleSince: UInt64 = 0
    /// When to ask next whether the peer is there, and until when its answer is waited for; 0 = not at all.
    private var pingAt: UInt64 = 0
    private var pongUntil: UInt64 = 0

    init(pool: H2Pool, descriptor: Int32, transport: Transport, connectMilliseconds: Int) {
        self.pool = pool
        host = pool.host
        // Also one that is established: the loop then says so.
        connection = HandledConnection(loop: pool.host.loop, connecting: descriptor, transport: transport)
        answer = H2AnswerReader(host: pool.host)
        super.init(role: .client, loop: pool.host.loop, carrier: connection)
        connection.setHandler(self)
        connection.setDeadline(afterMilliseconds: connectMilliseconds)
    }

    var isIdle: Bool { state == .open && streams.isEmpty }
    /// Takes requests: the peer has said how many.
    var isOpen: Bool { state == .open }
    var localAddress: LogAddress? { connection.localText }

    // MARK: For the pool

    /// Whether one request more may come.
    var hasRoom: Bool {
        guard !isDraining, !yielding.isOn, state != .closed, !(pool.isLimited && isWornOut) else { return false }
        let most = pool.endpoint.http2.maxConcurrentStreams
        return streams.count < min(most, state == .open ? peerMaxStreams : pool.expectedStreams)
    }

    private var isWornOut: Bool {
        let most = pool.endpoint.life.maxRequests
        return most != 0 && requestCount >= most
    }

    /// Requests go out on it: it is connected, and the peer has spoken.
    var isReady: Bool { state == .open }
    var streamCount: Int { streams.count }

    /// Has its requests count from now on; returns how many they are.
    func countRequests() -> Int {
        var count = 0
        for stream in streams {
            stream._withUnsafeGuaranteedRef { stream in
                guard stream.sink != nil else { return }
                stream.permits.insert(.request)
                count += 1
            }
        }
        return count
    }

    /// Tells the pool whether a request more may come.
    func roomChanged() { pool.roomChanged(of: self, hasRoom: hasRoom) }

    /// A stream that will send its request over this connection.
    func enter(_ stream: Unmanaged<H2ClientStream>) {
        stream._withUnsafeGuaranteedRef { $0.index = streams.count }
        streams.append(stream)
        requestCount += 1
        roomChanged()
        pool.entered(self)
        if streams.count == 1, state == .open { schedule() }
    }

    /// What is idle closes now, what is busy with its last request.
    func drain() {
        isDraining = true
        roomChanged()
        if streams.isEmpty, state == .open { close() }
    }

    /// Takes no requests for a while, for the sake of others: closes if it becomes empty.
    func yield() {
        guard !streams.isEmpty else { return close() }
        yielding.begin(loop.now)
        roomChanged()
        schedule()
    }

    /// Closes at once; nobody is told.
    func close() {
        guard shut() else { return }
        connection.closeNow()
        while let stream = streams.popLast() { stream._withUnsafeGuaranteedRef { forget($0) } }
        pool.ended(self)
    }

    /// `false` when it is shut already.
    private func shut() -> Bool {
        guard state != .closed else { return false }
        state = .closed
        roomChanged()
        answer.drop()
        host.loop.releaseLater(self)
        return true
    }

    // MARK: For its streams

    /// The stream's request is there: it goes out when the connection can take it.
    func ready(_ stream: H2ClientStream) {
        if state == .open { submit(stream) }
    }

    private func submit(_ stream: H2ClientStream) {
        guard let head = stream.head else { return }
        if head.wantsUpgrade, !peerTakesExtendedConnect {
            return fail(stream, ProxyError(source: .upstream, cause: .remoteReset, isUnsent: true), canMove: false)
        }
        stream.submittedAt = flushes
        if H2RequestWriter.submit(head, on: stream, of: self) { return stream.wasSubmitted() }
        // No ids are left, or the peer takes no more.
        drain()
        fail(stream, ProxyError(source: .upstream, cause: .refusedStream, isUnsent: true), canMove: true)
    }

    /// The sink of a stream has left it.
    func abandon(_ stream: H2ClientStream) {
        if stream.stream.id != 0 { return reset(stream.stream, .cancel) }
        guard stream.index >= 0 else { return }
        leave(stream)
        forget(stream)
    }

    private func leave(_ stream: H2ClientStream) {
        let index = stream.index
        stream.index = -1
        if let last = streams.popLast(), last.toOpaque() != Unmanaged.passUnretained(stream).toOpaque() {
            streams[index] = last
            last._withUnsafeGuaranteedRef { $0.index = index }
        }
        roomChanged()
        guard streams.isEmpty, state == .open else { return pool.left(self) }
        if isDraining || yielding.isOn || pool.isLimited && isWornOut { return close() }
        idleSince = loop.now
        schedule()
        pool.left(self)
    }

    /// What a request of this connection holds of its cluster's limits, among these, is free.
    func giveBack(_ given: ConnectionPermits, of permits: inout ConnectionPermits) {
        pool.giveBack(given, of: &permits)
    }

    private func forget(_ stream: H2ClientStream) {
        stream.index = -1
        stream.clear()
        pool.recycle(stream)
    }

    /// Ends a request without an answer, or moves it to another connection where nothing of it can have been looked at.
    ///
    /// The stream is not on the wire any more.
    private func fail(_ stream: H2ClientStream, _ error: ProxyError, canMove: Bool) {
        // First: whoever waits for its place on the connection counts in its stead.
        if !(canMove && isMovable(stream)) { stream.requestOver() }
        if stream.index >= 0 { leave(stream) }
        tell(stream, error, canMove: canMove)
        forget(stream)
    }

    private func tell(_ stream: H2ClientStream, _ error: ProxyError, canMove: Bool) {
        // Of a tunnel that has ended on both sides everything has been told.
        guard let sink = stream.sink, !(stream.answerEnded && stream.hasEnd) else { return }
        if canMove, isMovable(stream), pool.move(stream, of: sink) {
            _ = stream.takeSink()
            return
        }
        _ = stream.takeSink()
        sink.receive(fromUpstream: .reset(error))
    }

    private func isMovable(_ stream: H2ClientStream) -> Bool {
        stream.isWhole && !stream.answerBegun && stream.interimHeads == 0 && stream.moves < H2Pool.maxMoves
    }

    // MARK: From the connection

    func connected() {
        state = .greeting
        connection.startReading()
    }

    func received(_ slice: consuming ByteSlice) {
        guard state != .closed else { return }
        feed(slice)
    }

    func outputWanted() {
        if connection.queuedBytes == 0 {
            connection.markExchange()
            markedAt = flushes
        }
        frameOutput()
        flushes += 1
    }

    func writeRoomAvailable() { connection.askForOutput() }

    func receivedEnd() { lost(ProxyError(source: .upstream, cause: .connectionClosed)) }

    func connectionFailed(_ code: Int32, unsentIntact: Bool) {
        guard state == .connecting else { return lost(ProxyError(source: .upstream, cause: .connectionClosed)) }
        lost(ProxyError(source: .upstream, cause: .connectFailure, code: code))
    }

    func connectionDeadlinePassed() {
        switch state {
        case .connecting, .greeting: lost(ProxyError(source: .upstream, cause: .connectTimeout))
        case .open: timePassed()
        case .closed: break
        }
    }

    /// The connection has gone: everything on it fails, or goes on elsewhere if nothing of it has left.
    private func lost(_ error: ProxyError, isSilent: Bool = false) {
        let former = state
        guard shut() else { return }
        if former == .connecting || error.cause == .connectTimeout { pool.failed(connection.transport) }
        // Before anybody hears of it: whoever comes to wait then has a try of its own.
        let waiting = error.cause == .connectFailure || error.cause == .connectTimeout ? pool.waiting.count : 0
        // What was framed since then is still here.
        let unsentFrom = connection.bytesTaken == 0 ? markedAt : flushes
        if isSilent, !permits.contains(.connection) {
            connection.closeAfterFlush()
        } else {
            // A permit is free when the socket is closed, and not before.
            if isSilent { connection.flushNow() }
            connection.closeNow()
        }
        pool.giveBack(.connection, of: &permits)
        // Its place is free, and needed where there is but one.
        host.upstreamCount -= 1
        while let reference = streams.popLast() {
            reference._withUnsafeGuaranteedRef { stream in
                stream.index = -1
                let isUnsent = stream.stream.id == 0 || stream.submittedAt >= unsentFrom
                var error = error
                error.isUnsent = isUnsent
                tell(stream, error, canMove: isUnsent && former == .open)
                forget(stream)
            }
        }
        pool.failWaiting(waiting, error)
        host.upstreamCount += 1
        pool.ended(self)
    }

    // MARK: Time

    private func schedule() {
        let http2 = pool.endpoint.http2
        var moment = UInt64.max
        if http2.pingIntervalMilliseconds > 0 {
            if pingAt == 0 { pingAt = loop.now + UInt64(http2.pingIntervalMilliseconds) * 1_000_000 }
            moment = pongUntil != 0 ? min(pongUntil, pingAt) : pingAt
        }
        let idle = pool.idleMilliseconds
        if expiresAt != 0 { moment = min(moment, expiresAt) }
        if yielding.isOn { moment = min(moment, yielding.end) }
        if streams.isEmpty, idle > 0 { moment = min(moment, idleSince + UInt64(idle) * 1_000_000) }
        if moment == .max { connection.clearDeadline() } else { connection.setDeadline(moment) }
    }

    private func timePassed() {
        let http2 = pool.endpoint.http2
        let now = loop.now
        if pongUntil != 0, now >= pongUntil {
            return lost(ProxyError(source: .upstream, cause: .connectionClosed))
        }
        let idle = pool.idleMilliseconds
        if streams.isEmpty, idle > 0, now >= idleSince + UInt64(idle) * 1_000_000 { return close() }
        if expiresAt != 0, now >= expiresAt {
            // Once: what it carries may take longer.
            expiresAt = 0
            drain()
            guard state == .open else { return }
        }
        if yielding.isOn, now >= yielding.end {
            yielding.giveUp(now)
            roomChanged()
            pool.left(self)
            guard state == .open else { return }
        }
        if pingAt != 0, now >= pingAt {
            pingAt = now + UInt64(http2.pingIntervalMilliseconds) * 1_000_000
            if pongUntil == 0 {
                pongUntil = now + UInt64(http2.pingTimeoutMilliseconds) * 1_000_000
                ping()
            }
        }
        schedule()
    }

    override func pingAnswered() {
        pongUntil = 0
        if state == .open { schedule() }
    }

    // MARK: From the session

    override func settingsReceived() {
        switch state {
        // A peer that takes nothing yet may say otherwise in time.
        case .greeting where peerMaxStreams > 0: opened()
        case .open:
            roomChanged()
            pool.left(self)
        default: break
        }
    }

    private func opened() {
        state = .open
        pool.settled(maxStreams: peerMaxStreams)
        idleSince = loop.now
        let life = pool.endpoint.life.maxMilliseconds
        if life > 0 { expiresAt = loop.now + UInt64(life) * 1_000_000 }
        let most = min(pool.endpoint.http2.maxConcurrentStreams, peerMaxStreams)
        // First: those that are too many must not come back.
        roomChanged()
        for (place, reference) in Array(streams).enumerated() {
            reference._withUnsafeGuaranteedRef { stream in
                guard stream.index >= 0, stream.stream.id == 0 else { return }
                if place < most {
                    submit(stream)
                    stream.sink?.upstreamConnected()
                    return
                }
                fail(stream, ProxyError(source: .upstream, cause: .refusedStream, isUnsent: true), canMove: true)
            }
        }
        guard state == .open else { return }
        // Those who asked for it have left.
        if isDraining, streams.isEmpty { return close() }
        schedule()
        pool.left(self)
    }

    override func goAwayReceived(lastID: Int32, code: UInt32) {
        guard state != .closed else { return }
        isDraining = true
        roomChanged()
        for reference in Array(streams) {
            reference._withUnsafeGuaranteedRef { stream in
                let isUnseen = stream.stream.id > lastID || stream.submittedAt == flushes
                guard isUnseen, isMovable(stream), let sink = stream.sink, pool.move(stream, of: sink) else { return }
                // What is left of it here closes with the session's own end of it.
                _ = stream.takeSink()
            }
        }
        if streams.isEmpty, state == .open { close() }
    }

    override func headBegan(_ stream: H2Stream) {
        H2ClientStream.of(stream)?.with { answer.begin($0) }
    }

    override func received(_ stream: H2Stream, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        H2ClientStream.of(stream)?.with { if !answer.take(name, value) { $0.isBroken = true } }
    }

    override func headEnded(_ stream: H2Stream, isFirst: Bool, isLast: Bool) {
        H2ClientStream.of(stream)?.with { object in
            guard !object.isBroken, object.sink != nil else {
                answer.drop()
                return object.isBroken ? refuse(object) : ()
            }
            if object.answerBegun { return trailersEnded(object) }
            guard let head = answer.finish(object, isLast: isLast) else { return refuse(object) }
            defer { host.recycle(head) }
            if head.isInformational { return informed(object, head) }
            object.answerBegun = true
            if object.asksForTunnel { settleTunnel(object, head, isLast: isLast) }
            // What may come behind is an end without a body.
            let isLast = isLast && head.status != 101 || head.framing == .none && head.status != 101
            let sink = isLast ? object.takeSink() : object.sink
            sink?.receive(fromUpstream: .response(head, last: isLast))
        }
    }

    /// The answer to an extended CONNECT has come (RFC 8441 section 5): a tunnel is open, or our side of it ends.
    private func settleTunnel(_ stream: H2ClientStream, _ head: ResponseHead, isLast: Bool) {
        if head.status == 200, !isLast {
            stream.openTunnel(head)
        } else {
            sendEnd(on: stream.stream)
        }
    }

    private func informed(_ stream: H2ClientStream, _ head: ResponseHead) {
        stream.interimHeads += 1
        guard stream.interimHeads <= H1ClientLimits.interimHeads else { return refuse(stream) }
        stream.sink?.receive(fromUpstream: .response(head, last: false))
    }

    private func trailersEnded(_ stream: H2ClientStream) {
        let trailers = answer.finishTrailers()
        guard let sink = stream.takeSink() else { return }
        if let trailers { sink.receive(fromUpstream: .trailers(trailers)) }
        sink.receive(fromUpstream: .end)
    }

    /// What the endpoint sends on a stream is not to be trusted.
    private func refuse(_ stream: H2ClientStream) {
        reset(stream.stream, .protocolError)
        stream.takeSink()?.receive(fromUpstream: .reset(ProxyError(source: .upstream, cause: .protocolError)))
    }

    override func headRefused(_ id: Int32) { answer.drop() }

    override func received(_ stream: H2Stream, _ slice: consuming ByteSlice) {
        var moved = Optional(slice)
        H2ClientStream.of(stream)?.with { object in
            guard let slice = moved.take() else { return }
            object.sink?.receive(fromUpstream: .body(slice))
        }
    }

    override func bodyEnded(_ stream: H2Stream) {
        H2ClientStream.of(stream)?.with { object in
            object.answerEnded = true
            // A tunnel's other side has an end of its own.
            let sink = object.isTunnel ? object.sink : object.takeSink()
            sink?.receive(fromUpstream: .end)
        }
    }

    override func hasRoom(_ stream: H2Stream) {
        H2ClientStream.of(stream)?.with { $0.sink?.upstreamHasRoom() }
    }

    override func closed(_ stream: H2Stream, code: UInt32) {
        guard state != .closed else { return }
        H2ClientStream.of(stream)?.with { object in
            let isPeers = stream.fields.pointee.peerHasReset
            let isRefused = code == H2ErrorCode.refusedStream.rawValue
            // Behind a GOAWAY nghttp2 refuses what it has not sent, and ends what the peer has not looked at.
            let isUnseen = !isPeers && (isRefused || isDraining && object.submittedAt == flushes)
            let cause: ProxyError.Cause =
                isRefused || isUnseen ? .refusedStream : isPeers ? .remoteReset : .protocolError
            fail(object, ProxyError(source: .upstream, cause: cause, isUnsent: isUnseen), canMove: isUnseen)
        }
    }

    override func ended() {
        // With requests left, it was the peer who broke the rules.
        lost(ProxyError(source: .upstream, cause: .protocolError), isSilent: true)
    }
}
