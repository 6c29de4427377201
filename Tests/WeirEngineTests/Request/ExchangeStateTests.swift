import Testing

@testable import WeirEngine

@Suite struct ExchangeStateTests {
    private enum Event: CaseIterable {
        case requestEnd, head, lastHead, responseEnd, upstreamFailure, downstreamFailure, localAnswer
    }

    private static let failure = ProxyError(source: .upstream, cause: .connectionClosed)

    private static func apply(_ event: Event, _ state: inout ExchangeState) -> ExchangeState.Action {
        switch event {
        case .requestEnd: return state.requestEnded()
        case .head: return state.responseBegan(last: false)
        case .lastHead: return state.responseBegan(last: true)
        case .responseEnd: return state.responseEnded()
        case .upstreamFailure: return state.upstreamFailed(failure)
        case .downstreamFailure: return state.downstreamFailed()
        case .localAnswer:
            guard !state.isOver else { return .nothing }
            state.answeredLocally()
            return .nothing
        }
    }

    /// What a client would see of the actions; `nil` when an invariant is broken.
    private struct Observed {
        var heads = 0
        var ends = 0
        var finishes = 0

        mutating func see(_ event: Event, _ action: ExchangeState.Action) {
            switch (event, action) {
            case (.head, .forward): heads += 1
            case (.lastHead, .forwardAndFinish):
                heads += 1
                ends += 1
                finishes += 1
            case (.responseEnd, .forwardAndFinish):
                ends += 1
                finishes += 1
            case (_, .reply):
                heads += 1
                ends += 1
                finishes += 1
            case (_, .cut), (_, .drop): finishes += 1
            default: break
            }
        }
    }

    @Test func anyOrderOfEventsGivesAtMostOneAnswerAndOneFinish() {
        var random = FastRandom(seed: 42)
        var finished: [String: Int] = [:]
        for _ in 0..<200_000 {
            var state = ExchangeState()
            state.requestBegan(last: random.below(2) == 0)
            var observed = Observed()
            for _ in 0..<(1 + random.below(8)) {
                let event = Event.allCases[Int(random.below(7))]
                let wasOver = state.isOver
                let action = Self.apply(event, &state)
                if wasOver { #expect(action == .nothing, "something happened after the end") }
                observed.see(event, action)
                if case .reply = action { #expect(observed.heads == 1, "an answer behind an answer") }
                if case .cut = action { #expect(observed.heads == 1 && observed.ends == 0) }
                finished["\(action)".prefix(12).description, default: 0] += 1
            }
            #expect(observed.heads <= 1 && observed.ends <= observed.heads && observed.finishes <= 1)
        }
        // The walk has really been everywhere.
        for action in ["nothing", "forward", "forwardAndFi", "reply(WeirEn", "cut(WeirEngi", "drop"] {
            #expect(finished[action, default: 0] > 1000, "\(action) was hardly reached: \(finished)")
        }
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
        _ = state.responseBegan(last: false)
        #expect(state.upstreamFailed(Self.failure) == .cut(Self.failure))
        #expect(state.upstreamFailed(Self.failure) == .nothing)
    }
}
