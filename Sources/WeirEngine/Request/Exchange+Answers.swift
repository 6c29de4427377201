/// What the client is answered: by an upstream, or by Weir itself.
extension Exchange {
    func receivedHead(_ head: ResponseHead, last: Bool) {
        guard let stream else { return }
        if head.isInformational {
            guard state.response == .awaited else { return }
            // What the client has seen of this try cannot be taken back.
            giveUpRepeating()
            stream.send(.response(head, last: false))
            if stream.isCongested { upstream?.pauseReading() }
            return
        }
        let isTunnel = head.status == 101
        let isRetriable = !isTunnel && tries.repeats(head) && grantsRetry()
        let action = isTunnel ? state.tunnelBegan() : state.responseBegan(last: last, isRetriable: isRetriable)
        guard action != .nothing else { return }
        noteAnswer(head)
        if isTunnel { worker.tunnelOpened() }
        if isRetriable {
            if case .waitForRetry = action { return perform(action) }
            noteExhaustion()
        }
        let upstreamMilliseconds = (loop.now - sentAt) / 1_000_000
        record.answered(by: head, upstreamMilliseconds: upstreamMilliseconds)
        if !isTunnel { worker.stampTime(head, upstreamMilliseconds: upstreamMilliseconds) }
        // First: the route's operations may replace or remove them.
        affinity.addCookies(to: head)
        if policies.isActive, let error = change(head) {
            return answer(.failure(error), cancelUpstream: action.cancelsUpstream)
        }
        web?.answer(head)
        worker.stampProxied(head)
        captureHeaders(head)
        stream.send(.response(head, last: last))
        record.responseHeadBytes = UInt64(stream.sentHeadBytes)
        unpin()
        if isTunnel { return openTunnel() }
        if !tries.replay.isEmpty { tries.replay.drop(worker) }
        perform(action)
    }

    func receivedTrailers(_ trailers: Trailers) {
        guard let stream, state.response == .begun else { return }
        let status = record.isGRPC ? trailers.block.grpcStatus : -1
        if status >= 0 { record.grpcStatus = status }
        guard let web, let message = web.answer(trailers, loop.pool) else { return stream.send(.trailers(trailers)) }
        passAnswer(message, to: stream)
    }

    /// Changes an upstream's answer as the route says; an error when that cannot be sent.
    func change(_ head: ResponseHead) -> ProxyError? {
        guard let scene else { return nil }
        guard policies.prepare(head, to: scene.stream.requestHead, scene) else {
            return ProxyError(source: .internal, cause: .headTooLarge)
        }
        policies.openToOrigin(head)
        return nil
    }

    /// No answer is to be expected of the try under way.
    func fail(_ error: ProxyError) {
        noteFailure(error)
        if error.isOfTransport, let endpoint { capture.keep(failure: endpoint.with { $0.pool.failureText }) }
        let isRetriable = tries.repeats(error) && grantsRetry()
        let action = state.upstreamFailed(error, isRetriable: isRetriable)
        if isRetriable { noteExhaustion() }
        record.connectError = error.code
        perform(action)
    }

    func noteExhaustion() {
        if state.isExhausted { record.flags.insert(.retryLimitExceeded) }
    }

    func answer(_ reply: LocalReply, cancelUpstream: Bool = true) {
        state.answeredLocally()
        record.answered(by: reply)
        if var scene {
            // Header operations find no status yet, as in Envoy.
            scene.record.status = 0
            reply.send(scene, policies, &record) {
                web?.answer($0)
                captureHeaders($0)
            }
        }
        finish(cancelUpstream: cancelUpstream)
    }

    /// What the route's policies may tell of at this moment.
    var scene: PolicyScene? {
        guard let stream else { return nil }
        return PolicyScene(
            worker: worker, stream: stream, record: record, endpoint: endpoint, upstream: upstream,
            failure: capture.failureText)
    }
}
