/// Sends a request on: for the first time, and again where that has failed.
extension Exchange {
    /// Begins a try; `false` when it has ended already, and maybe the request with it.
    func send(_ head: RequestHead, last: Bool, to endpoint: Unmanaged<Endpoint>?) -> Bool {
        guard let endpoint else {
            answer(.noHealthyUpstream)
            return false
        }
        let leased = endpoint._withUnsafeGuaranteedRef { endpoint -> Borrowed<ClientStream>? in
            endpoint.requestBegan()
            self.endpoint = Borrowed(endpoint)
            record.workload = endpoint.workload
            return endpoint.pool.lease(for: head, to: Borrowed(self))
        }
        guard let leased else {
            fail(unleased(from: endpoint))
            return false
        }
        upstream = leased
        captureAddress(leased)
        if head.isGRPCWeb, web == nil, leased.carriesTrailers {
            web = GRPCWebCall(head)
            record.isGRPC = true
        }
        leased.send(.request(head, last: last))
        return true
    }

    /// Why there was no connection.
    private func unleased(from endpoint: Unmanaged<Endpoint>) -> ProxyError {
        guard worker.upstreamCount < worker.maxUpstreams else { return ProxyError(source: .upstream, cause: .overflow) }
        let code = endpoint._withUnsafeGuaranteedRef { $0.pool.openError }
        return ProxyError(source: .upstream, cause: .connectFailure, code: code)
    }

    func waitForRetry(cancelUpstream: Bool) {
        let upstream = upstream
        self.upstream = nil
        // Its text goes with its connection.
        capture.upstreamLocal = nil
        endpoint?.with { $0.requestFailed() }
        tries.note(endpoint, attempt: state.attempt)
        tries.wait(before: state.attempt, self, worker)
        if cancelUpstream { upstream?.cancel() }
    }

    /// The wait before a further try has passed.
    func waitPassed() { perform(state.waitPassed()) }

    /// The route's timeout has passed.
    func timeoutPassed() { perform(state.timedOut()) }

    /// Sends what has come of the request once more, to the endpoints of this moment.
    func sendAgain() {
        guard let stream else { return }
        let head = stream.requestHead
        endpoint?.with { $0.failureForgotten() }
        endpoint = nil
        record.connectError = 0
        worker.retryCount += 1
        record.attempts = UInt16(clamping: state.attempt)
        tries.prepare(head, attempt: state.attempt, now: loop.now)
        guard let cluster = worker.currentCluster(record.clusterID) else { return answer(.noHealthyUpstream) }
        let picked = cluster._withUnsafeGuaranteedRef { cluster in
            let key = cluster.usesKeys ? affinity.key(head, stream, &worker.random) : 0
            return tries.pick(from: cluster, key: key, &worker.random)
        }
        let last = head.framing.isEmpty && !head.wantsUpgrade
        guard send(head, last: last, to: picked), !last, !head.wantsUpgrade else { return }
        sendKept()
        // After the last try nothing of the request is needed, yet it fails for want of a further one.
        if !state.keepsRequest {
            tries.replay.drop(worker)
        } else if !tries.replay.hasRoom(for: 0, worker) {
            giveUpRepeating()
        }
        if upstream?.isCongested ?? false { stream.pauseReading() } else { stream.resumeReading() }
    }

    /// Sends what has come of the request behind its head.
    func sendKept() {
        for index in 0..<tries.replay.pieces { upstream?.send(.body(tries.replay.piece(index))) }
        if let trailers = tries.replay.trailers { upstream?.send(.trailers(trailers)) }
        if state.request == .complete { upstream?.send(.end) }
    }

    /// Keeps a part of the body for a further try, or gives up on one when it has become too long.
    func keep(_ slice: borrowing ByteSlice) {
        guard state.isWaiting || tries.replay.hasRoom(for: slice.count, worker) else { return giveUpRepeating() }
        tries.replay.keep(slice.share(), worker)
        // Nobody takes it now: the client waits as well.
        if state.isWaiting, !tries.replay.hasRoom(for: 1, worker) { stream?.pauseReading() }
    }

    func giveUpRepeating() {
        state.cannotRepeat()
        tries.replay.drop(worker)
    }
}
