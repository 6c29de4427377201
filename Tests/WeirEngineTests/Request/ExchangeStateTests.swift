import Testing

@testable import WeirEngine

@Suite struct ExchangeStateTests {
    private enum Event: CaseIterable {
        case requestEnd, head, lastHead, retriableHead, responseEnd, upstreamFailure, retriableFailure
        case interimHead, waitPassed, timeout, downstreamFailure, localAnswer
    }

    private static let failure = ProxyError(source: .upstream, cause: .connectionClosed)

    private static func apply(_ event: Event, _ state: inout ExchangeState) -> ExchangeState.Action {
        switch event {
        case .requestEnd: return state.requestEnded()
        case .head: return state.responseBegan(last: false)
        case .lastHead: return state.responseBegan(last: true)
        case .retriableHead: return state.responseBegan(last: true, isRetriable: true)
        case .responseEnd: return state.responseEnded()
        case .upstreamFailure: return state.upstreamFailed(failure)
        case .retriableFailure: return state.upstreamFailed(failure, isRetriable: true)
        case .waitPassed: return state.waitPassed()
        case .timeout: return state.timedOut()
        case .downstreamFailure: return state.downstreamFailed()
        case .interimHead:
            state.cannotRepeat()
            return .nothing
        case .localAnswer:
            guard !state.isOver else { return .nothing }
            state.answeredLocally()
            return .nothing
        }
    }

    /// What a client and the upstreams would see of the actions.
    private struct Observed {
        var heads = 0
        var ends = 0
        var finishes = 0
        var tries = 1
        /// Tries under way; -1 while waiting would be a try that ended twice.
        var underWay = 1
        var mayRepeat = true

        mutating func see(_ event: Event, _ action: ExchangeState.Action) {
            switch (event, action) {
            case (.head, .forward): heads += 1
            case (.lastHead, .forwardAndFinish), (.retriableHead, .forwardAndFinish):
                heads += 1
                ends += 1
                finishes += 1
            case (.responseEnd, .forwardAndFinish):
                ends += 1
                finishes += 1
            case (_, .waitForRetry):
                #expect(heads == 0 && mayRepeat, "a retry behind an answer's byte, or of what is not kept")
                underWay -= 1
            case (_, .retry):
                tries += 1
                underWay += 1
            case (_, .reply):
                heads += 1
                ends += 1
                finishes += 1
            case (_, .cut), (_, .drop): finishes += 1
            default: break
            }
            if event == .interimHead { mayRepeat = false }
        }
    }

    @Test func anyOrderOfEventsGivesAtMostOneAnswerOneFinishAndOneTryAtATime() {
        var random = FastRandom(seed: 42)
        var finished: [String: Int] = [:]
        var exhausted = 0
        for _ in 0..<200_000 {
            var state = ExchangeState()
            state.requestBegan(last: random.below(2) == 0)
            let retries = Int32(random.below(4))
            let isOfTries = random.below(2) == 0
            state.routed(retries: retries)
            var observed = Observed()
            for _ in 0..<(1 + random.below(10)) {
                // Half of the walks are of what tries are made of, or they would seldom get to their end.
                let events = isOfTries ? [.requestEnd, .retriableHead, .retriableFailure, .waitPassed] : Event.allCases
                let event = events[Int(random.below(UInt32(events.count)))]
                let (wasOver, wasWaiting) = (state.isOver, state.isWaiting)
                let action = Self.apply(event, &state)
                if wasOver { #expect(action == .nothing, "something happened after the end") }
                if wasWaiting, case .forward = action { Issue.record("there is no upstream to forward to") }
                observed.see(event, action)
                if case .reply = action { #expect(observed.heads == 1, "an answer behind an answer") }
                if case .cut = action { #expect(observed.heads == 1 && observed.ends == 0) }
                finished["\(action)".prefix(12).description, default: 0] += 1
            }
            #expect(observed.heads <= 1 && observed.ends <= observed.heads && observed.finishes <= 1)
            #expect(observed.tries <= Int(retries) + 1 && observed.tries == Int(state.attempt))
            #expect(observed.underWay == (state.isWaiting ? 0 : 1))
            if state.isExhausted {
                exhausted += 1
                #expect(observed.tries == Int(retries) + 1 && retries > 0)
            }
        }
        // The walk has really been everywhere.
        for action in [
            "nothing", "forward", "forwardAndFi", "reply(WeirEn", "cut(WeirEngi", "drop", "waitForRetry", "retry",
        ] {
            #expect(finished[action, default: 0] > 1000, "\(action) was hardly reached: \(finished)")
        }
        #expect(exhausted > 1000)
    }

    @Test func anAnswerThatOvertakesItsRequestCancelsTheUpstream() {
        var state = ExchangeState()
        state.requestBegan(last: false)
        #expect(state.responseBegan(last: true) == .forwardAndFinish(cancelUpstream: true))
    }

    @Test func aWholeRequestLeavesTheConnectionForTheNextOne() {
        var state = ExchangeState()
        state.requestBegan(last: false)
        #expect(state.requestEnded() == .forward)
        #expect(state.responseBegan(last: false) == .forward)
        #expect(state.responseEnded() == .forwardAndFinish(cancelUpstream: false))
    }

    @Test func aFailureBeforeTheAnswerIsAnswered() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        #expect(state.upstreamFailed(Self.failure) == .reply(Self.failure))
    }

    @Test func aFailureInsideTheAnswerCutsIt() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        state.routed(retries: 2)
        _ = state.responseBegan(last: false)
        #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .cut(Self.failure))
        #expect(state.upstreamFailed(Self.failure) == .nothing)
    }

    // MARK: Tries

    @Test func aRetriableFailureIsRepeatedAsOftenAsTheRouteSays() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        state.routed(retries: 2)
        for attempt in 1...2 {
            #expect(state.keepsRequest && state.attempt == attempt)
            #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .waitForRetry(cancelUpstream: false))
            #expect(state.waitPassed() == .retry)
        }
        #expect(state.attempt == 3 && !state.keepsRequest && !state.isExhausted)
        #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .reply(Self.failure))
        #expect(state.isExhausted)
    }

    @Test func withoutRetriesNothingIsRepeatedOrExhausted() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        state.routed(retries: 0)
        #expect(!state.keepsRequest)
        #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .reply(Self.failure))
        #expect(!state.isExhausted)
    }

    @Test func anAnswerThatIsRepeatedIsCancelledUnlessBothSidesAreWhole() {
        for (last, hasBody, cancels) in [(true, false, false), (false, false, true), (true, true, true)] {
            var state = ExchangeState()
            state.requestBegan(last: !hasBody)
            state.routed(retries: 1)
            #expect(state.responseBegan(last: last, isRetriable: true) == .waitForRetry(cancelUpstream: cancels))
        }
    }

    @Test func theLastAnswerIsPassedOnWhenTriesRunOut() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        state.routed(retries: 1)
        _ = state.responseBegan(last: true, isRetriable: true)
        #expect(state.waitPassed() == .retry)
        #expect(state.responseBegan(last: false, isRetriable: true) == .forward)
        #expect(state.isExhausted)
    }

    @Test func theRequestMayEndWhileNoTryIsUnderWay() {
        var state = ExchangeState()
        state.requestBegan(last: false)
        state.routed(retries: 1)
        _ = state.upstreamFailed(Self.failure, isRetriable: true)
        #expect(state.requestEnded() == .nothing)
        #expect(state.request == .complete)
        #expect(state.waitPassed() == .retry)
    }

    @Test func aTimeoutAnswersOrCutsAlsoBetweenTries() {
        var waiting = ExchangeState()
        waiting.routed(retries: 1)
        _ = waiting.upstreamFailed(Self.failure, isRetriable: true)
        #expect(waiting.timedOut() == .reply(ProxyError(source: .upstream, cause: .timeout)))
        #expect(waiting.waitPassed() == .nothing)
        var begun = ExchangeState()
        _ = begun.responseBegan(last: false)
        #expect(begun.timedOut() == .cut(ProxyError(source: .upstream, cause: .timeout)))
    }

    // MARK: Delays

    @Test func whatIsHeldGoesOnAsTheFirstTry() {
        var state = ExchangeState()
        state.requestBegan(last: false)
        state.held()
        #expect(state.isHeld && state.isWaiting && state.requestEnded() == .nothing)
        #expect(state.waitPassed() == .goOn && !state.isHeld && !state.isWaiting && state.attempt == 1)
        state.routed(retries: 1)
        #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .waitForRetry(cancelUpstream: false))
        #expect(state.waitPassed() == .retry && state.attempt == 2)
    }

    @Test func aClientMayLeaveWhileItsRequestIsHeld() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        state.held()
        #expect(state.downstreamFailed() == .drop && state.waitPassed() == .nothing)
    }

    @Test func aRequestCanBeRefusedWhileNothingIsUnderWay() {
        let error = ProxyError(source: .downstream, cause: .protocolError, status: 400)
        var state = ExchangeState()
        state.held()
        #expect(state.requestRefused(error) == .reply(error) && state.requestRefused(error) == .nothing)
        var begun = ExchangeState()
        _ = begun.responseBegan(last: false)
        #expect(begun.requestRefused(error) == .cut(error))
    }

    // MARK: Tunnels

    @Test func aTunnelIsOverWhenBothSidesHaveEndedInAnyOrder() {
        var random = FastRandom(seed: 7)
        var reached: [String: Int] = [:]
        for _ in 0..<50_000 {
            var state = ExchangeState()
            state.requestBegan(last: false, asksForTunnel: true)
            state.routed(retries: 1)
            var (up, down, finishes) = (0, 0, 0)
            for _ in 0..<(1 + random.below(8)) {
                let action: ExchangeState.Action
                let wasOpen = state.tunnel == .open
                switch random.below(8) {
                case 0, 1: action = state.tunnelBegan()
                case 2, 3:
                    action = state.requestEnded()
                    if action != .nothing { up += 1 }
                    if action == .forward { #expect(wasOpen, "an end was sent on before the tunnel was open") }
                case 4, 5:
                    action = state.responseEnded()
                    if action != .nothing { down += 1 }
                case 6 where random.below(4) == 0: action = state.upstreamFailed(Self.failure)
                case 7 where random.below(4) == 0: action = state.downstreamFailed()
                default: continue
                }
                switch action {
                case .forwardAndFinish(let cancels):
                    finishes += 1
                    #expect(!cancels && state.request == .complete && state.response == .complete)
                case .cut, .drop, .reply: finishes += 1
                case .nothing, .forward, .waitForRetry, .retry, .goOn: break
                }
                if action != .nothing { reached["\(action)".prefix(8).description, default: 0] += 1 }
            }
            #expect(up <= 1 && down <= 1 && finishes == (state.isOver ? 1 : 0))
        }
        for action in ["forward", "forwardA", "cut(Weir", "drop", "reply(We"] {
            #expect(reached[action, default: 0] > 300, "\(action) was hardly reached: \(reached)")
        }
    }

    @Test func aRefusedTunnelIsARequestWithoutABody() {
        var state = ExchangeState()
        state.requestBegan(last: false, asksForTunnel: true)
        #expect(!state.passesRequest)
        #expect(state.responseBegan(last: true) == .forwardAndFinish(cancelUpstream: false))
        #expect(state.requestEnded() == .nothing)
    }

    @Test func nothingIsTriedAgainBehindAnAgreement() {
        var state = ExchangeState()
        state.requestBegan(last: false, asksForTunnel: true)
        state.routed(retries: 3)
        #expect(state.tunnelBegan() == .forward && state.passesRequest && !state.keepsRequest)
        #expect(state.upstreamFailed(Self.failure, isRetriable: true) == .cut(Self.failure))
    }

    @Test func nobodyIsGivenATunnelWhoHasNotAskedForOne() {
        var state = ExchangeState()
        state.requestBegan(last: true)
        #expect(state.tunnelBegan() == .nothing && !state.tunnelIdled())
    }
}
