/// Connections to ports that speak TLS.
extension Worker {
    /// The server behind a listener for the name in a client's hello, or for none when it is empty.
    func tlsServer(listener: Int, name: UnsafeRawBufferPointer) -> TLSServerPlan? {
        listenerPlan(listener)?._withUnsafeGuaranteedRef { $0.tls?.server(for: name)?.takeUnretainedValue() }
    }

    /// The routes of the server that a TLS connection was opened to, as this configuration has it; `nil` once it is gone.
    func routes(of tls: Unmanaged<TLSServerLayer>?) -> Unmanaged<ListenerPlan>? {
        tls?._withUnsafeGuaranteedRef { $0.routes(self) }
    }

    /// Whether a host that is not served on an HTTP/2 connection may be on one that is opened for it: clients use a
    /// connection for what its certificate is for, and learn by 421 that this is not (RFC 9110 section 15.5.20).
    func isMisdirected(_ head: RequestHead, on tls: Unmanaged<TLSServerLayer>?) -> Bool {
        guard let tls, head.version == .http2 else { return false }
        return !tls._withUnsafeGuaranteedRef { $0.covers(head.authority) }
    }

    /// Tells the clients of servers that are gone to go.
    func leaveLostServers() {
        guard tlsHandshakes > 0 else { return }
        // A stream has found its way when it began.
        drain { $0.downstream.tls != nil && !($0 is StreamConnection) && routes(of: $0.downstream.tls) == nil }
    }

    func speaksTLS(_ slot: Int) -> Bool {
        listenerPlan(slot)?._withUnsafeGuaranteedRef { $0.tls != nil } ?? false
    }

    /// Begins the handshake of a connection just accepted.
    func greet(_ descriptor: Int32, _ downstream: DownstreamInfo, _ permits: ListenerPermits?) {
        let layer = TLSHelloLayer(loop: loop, listener: downstream.listener, worker: self)
        let connection = HandledConnection<TLSGreeting>(loop: loop, accepted: descriptor, transport: .layered(layer))
        connection.permits = permits
        _ = TLSGreeting(worker: self, connection: connection, downstream: downstream)
    }

    /// The handshake is over: hands the connection to its codec.
    func greeted(_ released: ReleasedConnection, _ downstream: DownstreamInfo) {
        guard case .layered(let transport) = released.transport else { return giveUp(released) }
        if let layer = transport as? TLSServerLayer {
            established(layer, released, downstream)
        } else if let layer = transport as? PrereadLayer {
            passThrough(released, downstream, layer.serverName) {
                if case .passthrough(let plan) = $0 { plan } else { nil }
            }
        } else {
            giveUp(released)
        }
    }

    private func established(_ layer: TLSServerLayer, _ released: ReleasedConnection, _ downstream: DownstreamInfo) {
        tlsHandshakes += 1
        if layer.isResumed { tlsResumptions += 1 }
        var downstream = downstream
        downstream.scheme = .https
        downstream.tls = Unmanaged.passUnretained(layer)
        downstream.layer = Unmanaged.passUnretained(layer)
        guard layer.routes(self) != nil else {
            return passThrough(released, downstream, layer.serverName) {
                if case .stream(let plan) = $0 { plan } else { nil }
            }
        }
        if layer.speaksHTTP2 { return speakHTTP2(released, downstream) }
        let connection = HandledConnection<H1ServerConnection>(loop: loop, adopting: released)
        fillAddresses(&downstream, connection)
        let server = H1ServerConnection(host: self, connection: connection, downstream: downstream)
        if isDraining { server.drain() }
        connection.readAtOnce()
    }

    private func speakHTTP2(_ released: ReleasedConnection, _ downstream: DownstreamInfo) {
        let connection = HandledConnection<H2ServerConnection>(loop: loop, adopting: released)
        var downstream = downstream
        fillAddresses(&downstream, connection)
        _ = H2ServerConnection(host: self, connection: connection, downstream: downstream)
        connection.readAtOnce()
    }

    /// Hands the connection on as a stream of bytes, if there is such a plan for its server.
    private func passThrough(
        _ released: ReleasedConnection, _ downstream: DownstreamInfo, _ serverName: [UInt8],
        _ plan: (TLSServerPlan.Content) -> StreamPlan?
    ) {
        serverName.withUnsafeBytes { name in
            // It may have left the configuration while the handshake lasted.
            guard let server = tlsServer(listener: downstream.listener, name: name), let plan = plan(server.content)
            else { return giveUp(released) }
            var downstream = downstream
            if case .layered(let layer) = released.transport { downstream.layer = Unmanaged.passUnretained(layer) }
            let connection = HandledConnection<StreamSide>(loop: loop, adopting: released)
            StreamConnection(host: self, connection: connection, downstream: downstream)
                .begin(plan, serverName: name)
            connection.readAtOnce()
        }
    }

    /// Nobody takes the connection over.
    private func giveUp(_ released: ReleasedConnection) {
        released.close()
        connectionClosed()
    }

    /// A handshake came to nothing.
    func handshakeFailed(_ connection: Connection, _ downstream: DownstreamInfo) {
        tlsFailures += 1
        // Scanners that speak no TLS, or give up, leave no line.
        guard case .layered(let layer) = connection.transport, let hello = layer as? TLSHelloLayer,
            hello.isUnknownServer
        else { return }
        var downstream = downstream
        downstream.layer = Unmanaged.passUnretained(layer)
        fillAddresses(&downstream, connection, local: hello.local)
        var record = RequestRecord()
        record.startedAt = loop.now
        record.isStream = true
        record.flags = .noRoute
        record.details = .filterChainNotFound
        streamEnded(record, downstream, nil, LogCapture())
    }
}
