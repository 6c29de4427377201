import Testing

@testable import WeirEngine

@Suite struct StreamStateTests {
    @Test func anyOrderOfEventsPassesEachEndOnOnceAndEndsOnce() {
        var random = FastRandom(seed: 5)
        var reached: [String: Int] = [:]
        for _ in 0..<50_000 {
            var state = StreamState()
            var ends: [StreamState.Side] = []
            var over = 0
            for _ in 0..<(1 + random.below(12)) {
                let side: StreamState.Side = random.below(2) == 0 ? .down : .up
                let action: StreamState.Action
                switch random.below(10) {
                case 0...3: action = state.ended(side)
                case 4...8: action = state.flushed(side)
                default: action = random.below(3) == 0 ? state.failed() : .nothing
                }
                switch action {
                case .nothing: break
                case .end(let to): ends.append(to)
                case .finish:
                    over += 1
                    #expect(ends.count == 2, "over before both ends were passed on")
                case .cut: over += 1
                }
                reached["\(action)".prefix(6).description, default: 0] += 1
            }
            #expect(Set(ends).count == ends.count && over == (state.isOver ? 1 : 0))
        }
        for action in ["nothin", "end(We", "finish", "cut"] { #expect(reached[action, default: 0] > 500, "\(reached)") }
    }

    @Test func aSideEndsWhenTheOtherHasAndItsQueueIsEmpty() {
        var state = StreamState()
        #expect(state.ended(.down) == .end(.up))
        #expect(state.flushed(.up) == .nothing && !state.isEnding)
        #expect(state.ended(.up) == .end(.down))
        #expect(state.isEnding)
        #expect(state.flushed(.down) == .finish)
        #expect(state.failed() == .nothing)
    }

    @Test func aBrokenSideCutsTheOther() {
        var state = StreamState()
        _ = state.ended(.up)
        #expect(state.failed() == .cut)
        #expect(state.ended(.down) == .nothing && state.flushed(.up) == .nothing)
    }
}
