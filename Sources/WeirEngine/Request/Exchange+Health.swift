/// What an endpoint is told of its tries: what each was answered, and what broke it off.
extension Exchange {
    /// A try was answered with this head.
    @inline(__always)  // one test on every answer
    func noteAnswer(_ head: ResponseHead) {
        endpoint?.with { $0.noteAnswer(head, isGRPC: record.isGRPC) }
    }

    /// A try has failed, or could not begin; inside of an answer as well, as in Envoy.
    func noteFailure(_ error: ProxyError) {
        if state.response != .complete, isUnderWay { endpoint?.with { $0.noteFailure(error) } }
    }

    /// The time of a try is over, or that of the request in the midst of one.
    func noteTimeout() {
        guard state.response == .awaited, isUnderWay, let upstream else { return }
        endpoint?.with { $0.noteTimeout(of: upstream) }
    }

    private var isUnderWay: Bool { !state.isWaiting && !state.isOver }
}

/// What requests and copies of them have in common.
extension Endpoint {
    /// Why there was no connection just now.
    var leaseFailure: ProxyError {
        guard pool.host.upstreamCount < pool.host.maxUpstreams, !pool.isFull else {
            return ProxyError(source: .upstream, cause: .overflow)
        }
        return ProxyError(source: .upstream, cause: .connectFailure, code: pool.openError)
    }
}
