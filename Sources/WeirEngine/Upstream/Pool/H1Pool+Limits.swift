/// Leasing where there are limits to keep to: those that the workers share of the cluster, and those of each connection's life.
extension H1Pool {
    /// As `lease(to:)`: the stream may also be one that waits for a connection.
    func leaseLimited(to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        closeWornOut()
        guard let breaker = endpoint.breaker else {
            guard let connection = takeIdle()?.takeUnretainedValue() ?? open() else { return nil }
            connection.requestCount += 1
            connection.lease(to: holder)
            return Borrowed(connection)
        }
        guard idle.isEmpty else {
            guard breaker.admitRequest() else { return refuse() }
            guard let connection = takeIdle()?.takeUnretainedValue() else { return nil }
            breaker.idleChanged(by: -1)
            bind(connection, to: holder)
            return Borrowed(connection)
        }
        guard breaker.admitPending() else { return refuse() }
        guard breaker.admitConnection() else { return Borrowed(breaker.wait(at: self, holder)) }
        guard breaker.admitRequest() else {
            breaker.pendingOver()
            breaker.connectionOver()
            return refuse()
        }
        guard let connection = openPermitted(breaker) else {
            breaker.connectionOver()
            return nil
        }
        bind(connection, to: holder)
        return Borrowed(connection)
    }

    private func refuse() -> Borrowed<ClientStream>? {
        endpoint.noteFull()
        return nil
    }

    /// Binds a connection to a request that counts already.
    private func bind(_ connection: H1ClientConnection, to holder: Borrowed<MessageSink>) {
        connection.permits.insert(.request)
        connection.requestCount += 1
        connection.lease(to: holder)
    }

    /// Opens a connection with the permits of the caller: to open it, for a request, and to wait until it is open.
    ///
    /// `nil` when it does not open; then only the first of them is still the caller's.
    private func openPermitted(_ breaker: CircuitBreaker) -> H1ClientConnection? {
        guard let connection = open() else {
            breaker.requestOver()
            breaker.pendingOver()
            return nil
        }
        connection.permits.insert(.connection)
        if connection.reach == .connecting { connection.permits.insert(.pending) } else { breaker.pendingOver() }
        return connection
    }

    /// Closes those that their timers have not closed yet.
    private func closeWornOut() {
        let now = host.loop.now
        while let connection = idle.last?.takeUnretainedValue(), connection.isWornOut(endpoint.life, now) {
            connection.close()
        }
    }

    /// A connection is established: from now on its time runs.
    func established(_ connection: H1ClientConnection) {
        let milliseconds = endpoint.life.maxMilliseconds
        guard milliseconds > 0 else { return }
        connection.expiresAt = host.loop.now + UInt64(milliseconds) * 1_000_000
    }

    /// As `returned`.
    func returnedLimited(_ connection: H1ClientConnection) {
        guard !connection.isWornOut(endpoint.life, host.loop.now) else { return connection.close() }
        guard let breaker = endpoint.breaker else { return park(connection) }
        while true {
            switch breaker.next(at: self) {
            case .serve(let stream):
                breaker.take(stream)
                breaker.pendingOver()
                guard let holder = stream.holder else { continue }
                guard breaker.admitRequest() else {
                    stream.fail(ProxyError(source: .upstream, cause: .overflow))
                    continue
                }
                connection.goOn()
                bind(connection, to: holder)
                return stream.move(to: Borrowed(connection))
            case .park:
                return parkCounted(connection, breaker)
            case .close:
                return connection.close()
            }
        }
    }

    private func parkCounted(_ connection: H1ClientConnection, _ breaker: CircuitBreaker) {
        park(connection)
        guard connection.poolIndex >= 0, !breaker.idleChanged(by: 1) else { return }
        connection.close()
    }

    /// See `BoundPool.open`.
    func openLimited(for waiting: PendingStream, _ breaker: CircuitBreaker) -> Bool {
        breaker.take(waiting)
        guard breaker.admitRequest() else {
            breaker.pendingOver()
            fail(waiting, ProxyError(source: .upstream, cause: .overflow))
            return false
        }
        guard let holder = waiting.holder, let connection = openPermitted(breaker) else {
            fail(waiting, openFailure)
            return false
        }
        bind(connection, to: holder)
        waiting.move(to: Borrowed(connection))
        return true
    }

    private func fail(_ waiting: PendingStream, _ error: ProxyError) {
        waiting.fail(error)
        waiterLeft()
    }

    /// See `BoundPool.count`.
    func countAll(for breaker: CircuitBreaker) {
        for connection in all.values {
            connection.permits.insert(.connection)
            let isBusy = connection.isBusy
            if isBusy { connection.permits.insert(.request) }
            breaker.note(connections: 1, requests: isBusy ? 1 : 0)
        }
        if !idle.isEmpty { breaker.idleChanged(by: idle.count) }
    }
}

extension H1ClientConnection {
    /// Takes no further request, though it works.
    func isWornOut(_ life: ConnectionLife, _ now: UInt64) -> Bool {
        life.maxRequests != 0 && requestCount >= life.maxRequests || expiresAt != 0 && now >= expiresAt
    }
}
