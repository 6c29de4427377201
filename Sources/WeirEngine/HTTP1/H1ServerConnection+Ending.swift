/// How a client's HTTP/1.1 connection ends.
extension H1ServerConnection {
    /// Answers what cannot be served as a request, and closes (RFC 9112 section 9.6).
    func refuse(_ error: H1Error) {
        guard !isClosed else { return }
        let sink = sink
        self.sink = nil
        reading = .ended
        let hasBegun =
            switch writing {
            case .idle, .awaitingAnswer: false
            case .body, .tunnel, .done: true
            }
        // Before the sink is told, since its record says what was answered.
        var bodyBytes = 0
        if !hasBegun { (headBytesSent, bodyBytes) = connection.writeRefusal(error, host: host) }
        if let sink {
            let cause: ProxyError.Cause = error == .timedOut ? .timeout : .protocolError
            sink.receive(
                fromDownstream: .reset(
                    ProxyError(
                        source: .downstream, cause: cause, status: UInt16(error.status),
                        answeredBytes: UInt32(bodyBytes))))
        } else if !hasBegun {
            host.requestRefused(
                error, downstream, overHTTP2: false, headBytes: headBytesSent, bodyBytes: bodyBytes)
        }
        if hasBegun { abort() } else { closeAfterFlush() }
    }

    /// The client will not get, or not send, the rest: tell the other side and close.
    func abandon(_ error: ProxyError) {
        guard !isClosed else { return }
        let sink = sink
        self.sink = nil
        sink?.receive(fromDownstream: .reset(error))
        close()
    }

    /// Cuts an answer short in a way no client can take for its end.
    func abort() {
        guard !isClosed else { return }
        switch writing {
        case .body(.length), .body(.chunked), .done: closeAfterFlush()
        // An end would make what has been sent a whole body.
        case .body(.untilClose), .tunnel: close(reset: true)
        default: close()
        }
    }

    func closeAfterFlush() {
        guard !isClosed else { return }
        isClosed = true
        connection.closeAfterFlush()
        released()
    }

    func close(reset: Bool = false) {
        guard !isClosed else { return }
        isClosed = true
        connection.closeNow(reset: reset)
        released()
    }

    private func released() {
        unparsed.removeAll()
        // An exchange that cuts its answer off still has its record to write.
        if sink == nil { giveHeadBack() }
        host.loop.releaseLater(self)
        host.closed(self)
    }

    func drain() {
        isDrained = true
        answerCloses = true
        // A request may be on its way: it has a moment to arrive and is answered with `Connection: close`.
        if isBetweenRequests { connection.setDeadline(afterMilliseconds: H1ServerLimits.drainIdleMilliseconds) }
    }

    func closeNow() {
        let sink = sink
        self.sink = nil
        sink?.receive(fromDownstream: .reset(ProxyError(source: .internal, cause: .cancelled)))
        close()
    }
}
