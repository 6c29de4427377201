/// Sends a request on: for the first time, and again where that has failed.
extension Exchange {
    /// Begins a try; `false` when the request may be over with it already.
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
            fail(endpoint._withUnsafeGuaranteedRef { $0.leaseFailure })
            return false
        }
        upstream = leased
        captureAddress(leased)
        if head.isGRPCWeb, web == nil, leased.carriesTrailers {
            let call = GRPCWebCall(head)
            web = call
            record.isGRPC = true
            if !tries.replay.isEmpty, !decodeKept(call) {
                refuseRequest()
                return false
            }
        }
        let requests = worker.requestCount
        leased.send(.request(head, last: last))
        // What is refused at once may be over, and this exchange busy with its client's next request already.
        guard worker.requestCount == requests, stream != nil else { return false }
        if tries.limitsTries { startTryClock() }
        return true
    }

    /// What came of a call before anybody took it is decoded as what follows will be; `false` when it cannot be.
    private func decodeKept(_ call: GRPCWebCall) -> Bool {
        guard tries.replay.replacePieces(worker, { call.request($0, loop.pool) }) else { return false }
        return state.request != .complete || call.requestIsWhole
    }

    func waitForRetry(cancelUpstream: Bool) {
        let upstream = upstream
        self.upstream = nil
        // Its text goes with its connection.
        capture.upstreamLocal = nil
        endpoint?.with { $0.requestFailed() }
        tries.note(endpoint, attempt: state.attempt)
        tries.stopTryClock()
        tries.wait(before: state.attempt, self, worker)
        if cancelUpstream { upstream?.cancel() }
    }

    /// The wait before a further try has passed, or the route's delay.
    func waitPassed() { perform(state.waitPassed()) }

    /// The route's timeout has passed.
    func timeoutPassed() {
        noteTimeout()
        perform(state.timedOut())
    }

    /// Whether a try that is worth another may have one, for all but their number.
    func grantsRetry() -> Bool {
        guard state.mayTryAgain, let stream else { return true }
        if tries.sparesRepeating(stream.requestHead) {
            worker.sparedRetryCount += 1
            return false
        }
        // First: the try that has just ended may have been a further one.
        tries.retryOver()
        let cluster = worker.currentCluster(record.clusterID)
        guard let breaker = cluster?._withUnsafeGuaranteedRef({ $0.breaker }) else { return true }
        if tries.admitRetry(breaker) { return true }
        record.flags.insert(.upstreamOverflow)
        return false
    }

    // MARK: The time of one try

    /// A try's time runs once its request is whole and a connection takes it; both are bounded otherwise.
    func startTryClock() {
        guard state.isRequestWhole, state.response == .awaited, let upstream else { return }
        guard upstream.reach == .connected else { return tries.stopTryClock() }
        tries.tryBegan(self, loop)
    }

    /// The try under way has taken as long as one may.
    func tryTimedOut() {
        noteTimeout()
        let isRetriable = tries.repeats(ProxyError(source: .upstream, cause: .tryTimeout)) && grantsRetry()
        let action = state.tryTimedOut(isRetriable: isRetriable)
        if isRetriable { noteExhaustion() }
        perform(action)
    }

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
        let isTunnel = head.wantsUpgrade
        let last = head.framing.isEmpty && !isTunnel
        if send(head, last: last, to: picked), !last, !isTunnel { passOnKept() }
    }

    /// Sends what has come of the request while nobody took it; the client may go on.
    func passOnKept() {
        // Refused at once, the request waits for its next try.
        guard upstream != nil else { return }
        sendKept()
        // After the last try nothing of the request is needed, yet it fails for want of a further one.
        if !state.keepsRequest {
            tries.replay.drop(worker)
        } else if !tries.replay.hasRoom(for: 0, worker) {
            giveUpRepeating()
        }
        if upstream?.isCongested ?? false { stream?.pauseReading() } else { stream?.resumeReading() }
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
        // What came early for a tunnel waits for that one, and not for another try.
        if state.tunnel == .none { tries.replay.drop(worker) }
    }
}
