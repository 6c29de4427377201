/// Leasing where there are limits to keep to: those that the workers share of the cluster, and those of each connection's life.
extension H2Pool {
    /// As `lease(for:to:)`: the stream may also be one that waits for a connection.
    func leaseLimited(to holder: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        guard let breaker = endpoint.breaker else {
            guard let connection = open.last ?? openConnection() else { return nil }
            return stream(for: holder, on: connection)._withUnsafeGuaranteedRef { Borrowed($0) }
        }
        yieldIfWanted(breaker)
        if let connection = open.last, connection._withUnsafeGuaranteedRef({ $0.isReady }) {
            guard breaker.admitRequest() else { return refuse() }
            return stream(for: holder, on: connection, .request)._withUnsafeGuaranteedRef { Borrowed($0) }
        }
        guard breaker.admitPending() else { return refuse() }
        guard !open.isEmpty || breaker.admitConnection() else { return Borrowed(breaker.wait(at: self, holder)) }
        guard let connection = open.last ?? openPermitted(breaker) else {
            breaker.pendingOver()
            return nil
        }
        guard breaker.admitRequest() else {
            breaker.pendingOver()
            return refuse()
        }
        return stream(for: holder, on: connection, [.request, .pending])._withUnsafeGuaranteedRef { Borrowed($0) }
    }

    private func refuse() -> Borrowed<ClientStream>? {
        endpoint.noteFull()
        return nil
    }

    /// Opens a connection with a permit, which goes back when none opens.
    private func openPermitted(_ breaker: CircuitBreaker) -> Unmanaged<H2ClientConnection>? {
        guard let connection = openConnection() else {
            breaker.connectionOver()
            return nil
        }
        connection._withUnsafeGuaranteedRef { _ = $0.permits.insert(.connection) }
        return connection
    }

    /// Lets a connection end where others have waited for one for too long: it could serve requests for ever.
    ///
    /// One at a time; of those that have not been left alone for long enough, none.
    private func yieldIfWanted(_ breaker: CircuitBreaker) {
        guard breaker.wantsEnd(of: self), !all.values.contains(where: { $0.yielding.isOn }) else { return }
        let now = host.loop.now
        let others = open.lazy.map { $0.takeUnretainedValue() }.filter { $0.isReady && now >= $0.yielding.nextFrom }
        // Each in its turn, that first which is likely to be empty first.
        others.min { ($0.yielding.nextFrom, $0.streamCount) < ($1.yielding.nextFrom, $1.streamCount) }?.yield()
    }

    // MARK: Those who wait

    /// See `BoundPool.open`.
    func openLimited(for waiting: PendingStream, _ breaker: CircuitBreaker) -> Bool {
        guard let opened = openConnection()?.takeUnretainedValue() else {
            breaker.take(waiting)
            breaker.pendingOver()
            waiting.fail(openFailure)
            waiterLeft()
            return false
        }
        opened.permits.insert(.connection)
        serve(waiting, on: opened, breaker)
        serveWaiting(on: opened, breaker)
        return true
    }

    private func serveWaiting(on connection: H2ClientConnection, _ breaker: CircuitBreaker) {
        while connection.hasRoom, !waiting.isEmpty {
            // One that carries nothing can close at once; see `CircuitBreaker.next`.
            if connection.isIdle, breaker.wantsEnd(of: self) { return }
            yieldIfWanted(breaker)
            guard connection.hasRoom, let first = waiting.first?.takeUnretainedValue() else { return }
            serve(first, on: connection, breaker)
        }
    }

    private func serve(_ waiting: PendingStream, on connection: H2ClientConnection, _ breaker: CircuitBreaker) {
        breaker.take(waiting)
        guard let holder = waiting.holder, breaker.admitRequest() else {
            breaker.pendingOver()
            return waiting.fail(ProxyError(source: .upstream, cause: .overflow))
        }
        let isReady = connection.isReady
        if isReady { breaker.pendingOver() }
        let permits: ConnectionPermits = isReady ? .request : [.request, .pending]
        stream(for: holder, on: Unmanaged.passUnretained(connection), permits)._withUnsafeGuaranteedRef {
            waiting.move(to: $0)
        }
    }

    /// See `left`.
    func leftLimited(_ connection: H2ClientConnection, _ breaker: CircuitBreaker) {
        serveWaiting(on: connection, breaker)
        while connection.isIdle, !connection.isCountedIdle {
            switch breaker.next(at: self) {
            case .serve(let stream):
                serve(stream, on: connection, breaker)
            case .close:
                return connection.close()
            case .park:
                // Opened for one who waited when this drained already: no request will come, and nobody would find it.
                guard !isDraining else { return connection.close() }
                connection.isCountedIdle = true
                if !breaker.idleChanged(by: 1) { return connection.close() }
            }
        }
    }

    func noteBusy(_ connection: H2ClientConnection) {
        connection.isCountedIdle = false
        endpoint.breaker?.idleChanged(by: -1)
    }

    /// As `move`: the request counts on, or waits with the others.
    func moveLimited(
        _ former: H2ClientStream, of holder: Borrowed<MessageSink>, _ breaker: CircuitBreaker
    ) -> Bool {
        if !open.isEmpty || breaker.admitConnection() {
            guard let connection = open.last ?? openPermitted(breaker) else { return false }
            let stream = stream(for: holder, on: connection, former.permits.intersection(.request))
            former.permits.subtract(.request)
            // First, as in `move`.
            holder.leaseMoved(to: stream._withUnsafeGuaranteedRef { Borrowed($0) })
            stream._withUnsafeGuaranteedRef { $0.take(over: former) }
            return true
        }
        guard breaker.admitPending() else { return false }
        let stream = breaker.wait(at: self, holder)
        former.replay(into: stream)
        holder.leaseMoved(to: Borrowed(stream))
        return true
    }

    /// See `BoundPool.count`.
    func countAll(for breaker: CircuitBreaker) {
        for connection in all.values {
            connection.permits.insert(.connection)
            breaker.note(connections: 1, requests: connection.countRequests())
            guard connection.isIdle else { continue }
            connection.isCountedIdle = true
            breaker.idleChanged(by: 1)
        }
    }
}
