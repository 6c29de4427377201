/// Connections to endpoints that carry no requests: they belong to no pool.
extension ConnectionPool {
    struct StreamSocket {
        let descriptor: Int32
        let transport: Transport
        /// To be told when it has closed; `nil` where the cluster has no limits.
        let breaker: CircuitBreaker?
    }

    /// What it is made with; `nil` when that cannot be had.
    ///
    /// Where the configuration writes no name to ask for, none is asked for or expected: bytes name no host.
    private func streamTransport(_ ends: ProxiedEnds?) -> Transport? {
        guard transportProblem == nil else { return nil }
        let tls = transportPlan.tls.map { contexts in
            TLSClientLayer(
                contexts: contexts, worker: host.workerIndex,
                serverName: contexts.spec.serverName.map { Array($0.utf8) },
                offering: "", sessions: TLSSessionSlot(), loop: host.loop)
        }
        return transportPlan.transport(over: tls, ends)
    }

    /// Opens one, which whoever asks for it owns and counts; with code 0 there are as many as there may be.
    ///
    /// `ends`: the client's connection, for endpoints that are told of it.
    func openStream(_ ends: ProxiedEnds?) -> Result<StreamSocket, SocketError> {
        guard host.hasRoomForUpstream() else {
            host.overflowCount += 1
            return .failure(SocketError(operation: "connect", code: 0))
        }
        guard let transport = streamTransport(ends) else {
            return .failure(SocketError(operation: "connect", code: ProxyError.transportFailed))
        }
        // Bytes do not wait: there is nobody to tell for how long (as Envoy has it).
        guard breaker?.admitStream() ?? true else { return .failure(SocketError(operation: "connect", code: 0)) }
        host.connectCount += 1
        switch address.withSockAddr({ Socket.connect($0, $1) }) {
        case .success(let socket):
            host.upstreamCount += 1
            if let keepAlive = life.keepAlive { Socket.setKeepAlive(socket.descriptor, keepAlive) }
            return .success(StreamSocket(descriptor: socket.descriptor, transport: transport, breaker: breaker))
        case .failure(let error):
            host.connectFailureCount += 1
            breaker?.connectionOver()
            return .failure(error)
        }
    }
}
