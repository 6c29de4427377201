/// A client's connection and one to an endpoint, whose bytes pass both ways as they are.
///
/// Decisions live in `StreamState`; this class performs them. Its host keeps it until it is over; loop thread only. It holds no
/// generation: a route that leaves the configuration leaves the connection as it is.
final class StreamConnection: DrainableConnection {
    private let host: Worker
    private let down: HandledConnection<StreamSide>
    private var up: HandledConnection<StreamSide>?
    /// What the two connections call; kept here for them.
    private var sides: [StreamSide] = []
    private var state = StreamState()
    private var client: DownstreamInfo
    private var record = RequestRecord()
    private var capture = LogCapture()
    /// Alive for as long as it counts this connection as active.
    private var endpoint: Borrowed<Endpoint>?
    /// Of the cluster's limits, to which the connection to the endpoint counts.
    private var breaker: CircuitBreaker?
    /// Where bytes are counted while they pass; a table's series never move.
    private var series: MetricSeries?
    /// 0 = it may be silent for ever.
    private var idleMilliseconds = StreamLimits.idleMilliseconds
    /// Monotonic nanoseconds when it ends whatever passes; 0 = never (Istio: `tcp.maxConnectionDuration`).
    private var endsAt: UInt64 = 0
    /// Monotonic nanoseconds when bytes last passed either way.
    private var lastPassedAt: UInt64
    var hostIndex = -1
    var downstream: DownstreamInfo { client }

    /// `connection` is open; the client may have spoken already.
    init(host: Worker, connection: HandledConnection<StreamSide>, downstream: DownstreamInfo) {
        self.host = host
        down = connection
        client = downstream
        lastPassedAt = host.loop.now
        record.startedAt = host.loop.now
        record.isStream = true
        record.details = .none
        if let log = host.accessLogger {
            client.local = log.wantsDownstreamLocal ? down.localText : nil
            client.remote = log.wantsDownstreamRemote ? down.peerText(client.peer) : nil
        }
        host.opened(self)
        down.setHandler(handler(for: .down))
    }

    private func handler(for side: StreamState.Side) -> StreamSide {
        let handler = StreamSide(self, side)
        sides.append(handler)
        return handler
    }

    // MARK: Beginning

    /// Connects to where the plan says, for a client that has asked for this server.
    func begin(_ plan: StreamPlan, serverName: UnsafeRawBufferPointer) {
        guard case .cluster(let id, _) = plan.choose(serverName: serverName, random: host.random.next()) else {
            return refuse(.noRoute)
        }
        record.clusterID = id
        guard let cluster = host.currentCluster(id) else { return refuse(.noCluster) }
        cluster._withUnsafeGuaranteedRef { cluster in
            idleMilliseconds = cluster.plan.idleTimeoutMilliseconds
            let most = UInt64(cluster.plan.life.maxMilliseconds)
            if most > 0 { endsAt = record.startedAt + most * 1_000_000 }
            // There is no request to make a key of but the client's address.
            let key = cluster.usesKeys ? HashPolicyPlan.hash(source: client.peer) ?? host.random.next() : 0
            guard let endpoint = cluster.pick(key: key, &host.random) else { return refuse(.noHealthyUpstream) }
            connect(to: endpoint, within: cluster.plan.connectTimeoutMilliseconds)
        }
    }

    private func connect(to endpoint: Unmanaged<Endpoint>, within milliseconds: Int) {
        let opened = endpoint._withUnsafeGuaranteedRef { endpoint in
            endpoint.requestBegan()
            self.endpoint = Borrowed(endpoint)
            record.workload = endpoint.workload
            let wantsEnds = endpoint.pool.transportPlan.proxyHeader != nil
            return endpoint.pool.openStream(wantsEnds ? ends : nil)
        }
        switch opened {
        case .failure(let error):
            record.connectError = error.code
            if error.code != 0 { endpoint._withUnsafeGuaranteedRef { $0.noteFailure(.unconnected) } }
            if error.code == ProxyError.transportFailed {
                capture.keep(failure: endpoint._withUnsafeGuaranteedRef { $0.pool.transportProblem ?? [] })
            }
            return refuse(error.code == 0 ? .upstreamOverflow : .upstreamConnectFailure)
        case .success(let socket):
            let up = HandledConnection<StreamSide>(
                loop: host.loop, connecting: socket.descriptor, transport: socket.transport)
            self.up = up
            breaker = socket.breaker
            up.setHandler(handler(for: .up))
            up.setDeadline(afterMilliseconds: milliseconds)
        }
        count { $0.streamOpened() }
        series = host.streamSeries(record)
        down.startReading()
        setDeadline()
    }

    /// The client's connection, as an endpoint may be told of it.
    private var ends: ProxiedEnds? {
        EndpointAddress(down.localAddress).map { ProxiedEnds(client: client.peer, own: $0) }
    }

    /// There is nowhere to go.
    private func refuse(_ flag: ResponseFlags) {
        count { $0.streamOpened() }
        record.flags.insert(flag)
        _ = state.failed()
        over(reset: false)
    }

    private func count(_ body: (MetricSeries) -> Void) { body(host.streamSeries(record)) }

    // MARK: From the two sides

    func received(_ slice: consuming ByteSlice, from side: StreamState.Side) {
        guard let up, !state.isOver else { return }
        lastPassedAt = host.loop.now
        let length = UInt64(slice.count)
        if side == .down {
            record.requestBodyBytes += length
            series?.streamReceived(length)
            pass(slice, from: down, to: up)
        } else {
            record.responseBodyBytes += length
            series?.streamSent(length)
            pass(slice, from: up, to: down)
        }
    }

    private func pass(_ slice: consuming ByteSlice, from source: Connection, to target: Connection) {
        target.write(slice)
        guard target.isCongested else { return }
        target.noteCongestion()
        source.stopReading()
        setDeadline()
    }

    func hasRoom(_ side: StreamState.Side) {
        guard !state.isOver, !state.hasEnded(side.other) else { return }
        connection(side.other)?.startReading()
    }

    func ended(_ side: StreamState.Side) { perform(state.ended(side)) }

    func outputEnded(_ side: StreamState.Side) { perform(state.flushed(side)) }

    func connected() {
        guard let up else { return }
        state.connected()
        endpoint?.with { $0.noteConnected() }
        up.clearDeadline()
        up.startReading()
        if host.accessLogger?.wantsUpstreamLocal == true { capture.upstreamLocal = up.localText }
    }

    func failed(_ side: StreamState.Side, code: Int32) {
        if side == .down {
            record.flags.insert(.downstreamLeft)
        } else if state.isConnected {
            record.flags.insert(.upstreamClosed)
        } else {
            record.flags.insert(.upstreamConnectFailure)
            record.connectError = code
            endpoint?.with { $0.noteFailure(.unconnected) }
            if code == ProxyError.transportFailed, let up { capture.keep(failure: up.transport.failureText) }
            host.connectFailureCount += 1
        }
        perform(state.failed())
    }

    // MARK: Time

    func deadlinePassed(_ side: StreamState.Side) {
        // The endpoint's side has no deadline but that of being connected.
        guard side == .down else { return failed(.up, code: 0) }
        if isGone(.down) { return failed(.down, code: 0) }
        if state.isConnected, isGone(.up) { return failed(.up, code: 0) }
        if endsAt != 0, host.loop.now >= endsAt {
            record.flags.insert(.durationLimit)
            return perform(state.failed())
        }
        if remaining == 0 {
            if !state.isEnding { record.flags.insert(.idleTimeout) }
            return perform(state.failed())
        }
        setDeadline()
    }

    /// Whether a side has left whose bytes are not being read.
    private func isGone(_ side: StreamState.Side) -> Bool {
        guard let connection = connection(side), !connection.isReading, !state.hasEnded(side) else { return false }
        return connection.isBroken
    }

    /// Milliseconds until this has been silent for too long; `nil` = never.
    private var remaining: UInt64? {
        let limit = state.isEnding ? Connection.closingStallMilliseconds : idleMilliseconds
        guard limit > 0 else { return nil }
        let silent = (host.loop.now - lastPassedAt) / 1_000_000
        return UInt64(limit) > silent ? UInt64(limit) - silent : 0
    }

    private func setDeadline() {
        // A side that is not read is asked whether it is still there.
        let isPaused = up != nil && (isPaused(.down) || isPaused(.up))
        let look = isPaused ? UInt64(H1ServerLimits.presenceMilliseconds) : nil
        let now = host.loop.now
        let end = endsAt == 0 ? nil : endsAt > now ? (endsAt - now + 999_999) / 1_000_000 : 0
        guard let next = [remaining, look, end].compactMap({ $0 }).min() else { return down.clearDeadline() }
        down.setDeadline(afterMilliseconds: Int(clamping: next))
    }

    private func isPaused(_ side: StreamState.Side) -> Bool {
        guard let connection = connection(side), !state.hasEnded(side) else { return false }
        return !connection.isReading && (side == .down || state.isConnected)
    }

    // MARK: Performing

    private func connection(_ side: StreamState.Side) -> Connection? { side == .down ? down : up }

    private func perform(_ action: StreamState.Action) {
        switch action {
        case .nothing: break
        case .end(let side):
            connection(side)?.endAfterFlush()
            // From now on the last bytes have to make progress.
            if state.isEnding {
                lastPassedAt = host.loop.now
                setDeadline()
            }
        case .finish: over(reset: false)
        case .cut: over(reset: state.isConnected)
        }
    }

    /// Closes both connections, and tells of this one.
    private func over(reset: Bool) {
        down.closeNow(reset: reset)
        if let up {
            up.closeNow(reset: reset)
            host.upstreamCount -= 1
            breaker?.connectionOver()
        }
        count { $0.streamClosed() }
        host.streamEnded(record, client, endpoint, capture)
        endpoint?.with { $0.requestEnded() }
        endpoint = nil
        host.loop.releaseLater(self)
        host.closed(self)
    }

    // MARK: DrainableConnection

    /// Goes on until it ends by itself, or the drain does.
    func drain() {}

    func closeNow() {
        guard !state.isOver else { return }
        record.flags.insert(.localReset)
        perform(state.failed())
    }
}

/// One side of a `StreamConnection`, which owns it, as its connection calls it.
final class StreamSide: ConnectionHandler {
    private let owner: Borrowed<StreamConnection>
    private let side: StreamState.Side

    init(_ owner: StreamConnection, _ side: StreamState.Side) {
        self.owner = Borrowed(owner)
        self.side = side
    }

    func received(_ slice: consuming ByteSlice) {
        var moved = Optional(slice)
        owner.with { owner in
            guard let slice = moved.take() else { return }
            owner.received(slice, from: side)
        }
    }
    func receivedEnd() { owner.with { $0.ended(side) } }
    func writeRoomAvailable() { owner.with { $0.hasRoom(side) } }
    func connectionFailed(_ code: Int32, unsentIntact: Bool) { owner.with { $0.failed(side, code: code) } }
    func connectionDeadlinePassed() { owner.with { $0.deadlinePassed(side) } }
    func connected() { owner.with { $0.connected() } }
    func outputEnded() { owner.with { $0.outputEnded(side) } }
}
