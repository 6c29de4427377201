/// What one exchange has seen of both sides: a pure machine, without sockets, clocks or memory of its own.
///
/// Each method is an event; the action it returns is performed by `Exchange` after the state is settled, so a re-entrant event
/// finds a true state. Invariants: one answer a request, nothing after an end, exactly one `finish`.
struct ExchangeState: Equatable {
    enum Side: Equatable {
        case open
        case complete
    }

    enum Response: Equatable {
        /// No byte of a final answer has gone out.
        case awaited
        case begun
        case complete
    }

    enum Action: Equatable {
        case nothing
        /// Pass the event on to the other side.
        case forward
        /// Pass it on; then the exchange is over. `cancelUpstream`: the request has not been sent whole.
        case forwardAndFinish(cancelUpstream: Bool)
        /// Answer with an error of our own; then the exchange is over.
        case reply(ProxyError)
        /// The answer has begun and cannot be completed: cut it off; then the exchange is over.
        case cut(ProxyError)
        /// The client is gone: stop the upstream's work, tell nobody.
        case drop
    }

    private(set) var request = Side.open
    private(set) var response = Response.awaited
    private(set) var isOver = false

    /// The request's head has arrived; `last` when it has no body.
    mutating func requestBegan(last: Bool) {
        if last { request = .complete }
    }

    mutating func requestEnded() -> Action {
        guard !isOver, request == .open else { return .nothing }
        request = .complete
        return .forward
    }

    mutating func responseBegan(last: Bool) -> Action {
        guard !isOver, response == .awaited else { return .nothing }
        guard last else {
            response = .begun
            return .forward
        }
        return complete()
    }

    mutating func responseEnded() -> Action {
        guard !isOver, response == .begun else { return .nothing }
        return complete()
    }

    private mutating func complete() -> Action {
        response = .complete
        isOver = true
        return .forwardAndFinish(cancelUpstream: request == .open)
    }

    /// The upstream failed, or could not be had.
    mutating func upstreamFailed(_ error: ProxyError) -> Action {
        guard !isOver else { return .nothing }
        isOver = true
        return response == .awaited ? .reply(error) : .cut(error)
    }

    /// The client went away, broke the protocol, or was cut off by us.
    mutating func downstreamFailed() -> Action {
        guard !isOver else { return .nothing }
        isOver = true
        return .drop
    }

    /// Weir answers this request itself.
    mutating func answeredLocally() {
        isOver = true
        response = .complete
    }
}
