import WeirEngine
import WeirSources

/// One answer on its way.
final class Scrape: Sendable {
    private struct State {
        /// `nil` once there is nothing left.
        var requests: RequestMetricsText?
        /// Everything else: short, written first.
        var isHeadWritten = false
        /// The rest was given up for another scrape.
        var isCut = false
        /// When the client last took something.
        var movedAt = SystemClock.now
    }

    private let metrics: GatheredMetrics
    private let server: ServerMetrics
    private let state: Guarded<State>

    init(_ metrics: GatheredMetrics, source: SourceLabels, server: ServerMetrics) {
        self.metrics = metrics
        self.server = server
        state = Guarded(State(requests: RequestMetricsText(metrics, source: source)))
    }

    var isOver: Bool { state.withLock { $0.requests == nil } }

    func end() { state.withLock { $0.requests = nil } }

    /// Lets go of what a client has not asked for in this time.
    func giveWay(afterSeconds limit: Double) {
        state.withLock { state in
            guard state.requests != nil, SystemClock.now - state.movedAt > limit else { return }
            state.requests = nil
            state.isCut = true
        }
    }

    func next() -> LocalPiece {
        state.withLock { state in
            if state.isCut { return .cut }
            state.movedAt = SystemClock.now
            var text = MetricText()
            if !state.isHeadWritten {
                state.isHeadWritten = true
                server.write(metrics.stats, into: &text)
                return .bytes(text.take())
            }
            guard let requests = state.requests, requests.write(into: &text) else {
                state.requests = nil
                return .end
            }
            return .bytes(text.take())
        }
    }
}
