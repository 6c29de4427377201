/// What one exchange has seen of both sides: a pure machine, without sockets, clocks or memory of its own.
///
/// Each method is an event; the action it returns is performed by `Exchange` after the state is settled, so a re-entrant event
/// finds a true state. Invariants: one answer a request, nothing after an end, exactly one `finish`; no try beside another,
/// and none once a byte of an answer has gone out. A tunnel is over when both its sides have ended.
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
        /// The try has failed: wait, then make another. `cancelUpstream`: it has an answer under way that nobody wants.
        case waitForRetry(cancelUpstream: Bool)
        /// The wait is over: send the request again.
        case retry
        /// The route's delay is over: send the request for the first time.
        case goOn
        /// Answer with an error of our own; then the exchange is over.
        case reply(ProxyError)
        /// The answer has begun and cannot be completed: cut it off; then the exchange is over.
        case cut(ProxyError)
        /// The client is gone: stop the upstream's work, tell nobody.
        case drop

        /// An upstream whose answer goes nowhere after all is to be cut off: it has bytes left to send or to take.
        var cancelsUpstream: Bool {
            if case .forwardAndFinish(let cancelUpstream) = self { return cancelUpstream }
            return true
        }
    }

    /// Whether the request is one for a tunnel.
    enum Tunnel: Equatable {
        case none
        case asked
        /// Both sides pass bytes, each until its own end.
        case open
    }

    private(set) var request = Side.open
    private(set) var response = Response.awaited
    private(set) var tunnel = Tunnel.none
    private(set) var isOver = false
    /// Between two tries, or held in front of the first one: nothing is under way upstream.
    private(set) var isWaiting = false
    /// The route delays the request before anything of it is sent.
    private(set) var isHeld = false
    /// A try was worth repeating and there was none left.
    private(set) var isExhausted = false
    /// The number of the try under way, or of the last one.
    private(set) var attempt: Int32 = 1
    private var retriesLeft: Int32 = 0
    /// The route retries, and nothing stands in the way of sending the request again.
    private var canRepeat = false

    /// What comes of the request is to be kept for a further try.
    var keepsRequest: Bool { canRepeat && retriesLeft > 0 }

    /// A try that fails now is followed by another, if it is worth one.
    var mayTryAgain: Bool { canRepeat && retriesLeft > 0 && response == .awaited && !isWaiting && !isOver }

    /// Nothing more of the request is to be waited for before its answer is.
    var isRequestWhole: Bool { request == .complete || tunnel == .asked }

    /// What comes of the request may be sent on: neither before a tunnel is open nor behind a refusal of one.
    var passesRequest: Bool { request == .open && tunnel != .asked }

    /// The request's head has arrived; `last` when it has no body, and asks for no tunnel.
    mutating func requestBegan(last: Bool, asksForTunnel: Bool = false) {
        if last { request = .complete }
        if asksForTunnel { tunnel = .asked }
    }

    /// The route delays the request.
    mutating func held() {
        isWaiting = true
        isHeld = true
    }

    /// A destination was chosen that may be tried so many times more.
    mutating func routed(retries: Int32) {
        retriesLeft = retries
        canRepeat = retries > 0
    }

    mutating func requestEnded() -> Action {
        guard !isOver, request == .open else { return .nothing }
        request = .complete
        if tunnel == .open, response == .complete {
            isOver = true
            return .forwardAndFinish(cancelUpstream: false)
        }
        return isWaiting || tunnel == .asked ? .nothing : .forward
    }

    /// The upstream has said 101: the answer has begun, and no try comes after this one.
    mutating func tunnelBegan() -> Action {
        guard !isOver, response == .awaited, !isWaiting, tunnel == .asked else { return .nothing }
        tunnel = .open
        canRepeat = false
        response = .begun
        return .forward
    }

    /// More of the request than can be kept has come, or an interim answer has gone out: there is no further try.
    mutating func cannotRepeat() { canRepeat = false }

    /// `isRetriable`: the answer is of a kind that the route wants another try for.
    mutating func responseBegan(last: Bool, isRetriable: Bool = false) -> Action {
        guard !isOver, response == .awaited, !isWaiting else { return .nothing }
        if isRetriable, takeRetry() { return .waitForRetry(cancelUpstream: !last || !isRequestWhole) }
        canRepeat = false
        if tunnel == .asked {
            // Refused: it was a request without a body.
            tunnel = .none
            request = .complete
        }
        guard last else {
            response = .begun
            return .forward
        }
        return complete()
    }

    mutating func responseEnded() -> Action {
        guard !isOver, response == .begun else { return .nothing }
        if tunnel == .open, request == .open {
            response = .complete
            return .forward
        }
        return complete()
    }

    private mutating func complete() -> Action {
        response = .complete
        isOver = true
        return .forwardAndFinish(cancelUpstream: request == .open)
    }

    /// The upstream failed, or could not be had.
    ///
    /// `isRetriable`: in a way that the route wants another try for.
    mutating func upstreamFailed(_ error: ProxyError, isRetriable: Bool = false) -> Action {
        guard !isOver, !isWaiting else { return .nothing }
        guard response == .awaited else {
            isOver = true
            return .cut(error)
        }
        if isRetriable, takeRetry() { return .waitForRetry(cancelUpstream: false) }
        isOver = true
        return .reply(error)
    }

    /// The try has taken as long as a try may; once an answer has begun there is no such limit.
    mutating func tryTimedOut(isRetriable: Bool) -> Action {
        guard !isOver, !isWaiting, response == .awaited else { return .nothing }
        if isRetriable, takeRetry() { return .waitForRetry(cancelUpstream: true) }
        isOver = true
        return .reply(ProxyError(source: .upstream, cause: .tryTimeout))
    }

    private mutating func takeRetry() -> Bool {
        guard canRepeat else { return false }
        guard retriesLeft > 0 else {
            isExhausted = true
            return false
        }
        retriesLeft -= 1
        isWaiting = true
        return true
    }

    /// The wait before the next try has passed, or the route's delay.
    mutating func waitPassed() -> Action {
        guard !isOver, isWaiting else { return .nothing }
        isWaiting = false
        guard !isHeld else {
            isHeld = false
            return .goOn
        }
        attempt += 1
        return .retry
    }

    /// What has come of the request shows that it is none to be sent on, whatever is under way.
    mutating func requestRefused(_ error: ProxyError) -> Action {
        guard !isOver else { return .nothing }
        isOver = true
        return response == .awaited ? .reply(error) : .cut(error)
    }

    /// Nothing has passed through the tunnel for as long as it may be silent; `false` when there is none.
    mutating func tunnelIdled() -> Bool {
        guard !isOver, tunnel == .open else { return false }
        isOver = true
        return true
    }

    /// The route's timeout has passed.
    mutating func timedOut() -> Action {
        guard !isOver else { return .nothing }
        isOver = true
        let error = ProxyError(source: .upstream, cause: .timeout)
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
