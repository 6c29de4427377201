package import WeirEngine
import WeirSources

/// `/stats/prometheus`: asks the workers, merges their numbers, and sends the text as fast as the client takes it.
///
/// Answers on the servers' thread. Questions that come while the workers are being asked share their answer.
package final class MetricsServer: Sendable {
    /// Answers being made at one time; beyond, 503.
    package static let concurrentScrapes = 4
    /// Seconds after which an answer whose client takes nothing gives way to another.
    static let stallSeconds = 30.0

    private struct State {
        var waiting: [LocalCompletion] = []
        var texts: [Scrape] = []
    }

    private let engine: Engine
    private let names: DestinationNames
    private let source: SourceLabels
    private let server: ServerMetrics
    private let servers: LocalServers
    private let state = Guarded(State())

    package init(
        engine: Engine, names: DestinationNames, source: SourceLabels, status: ServerStatus, servers: LocalServers
    ) {
        self.engine = engine
        self.names = names
        self.source = source
        self.servers = servers
        server = ServerMetrics(status: status)
    }

    /// The metrics port's answers.
    package func answer(_ request: LocalRequest) -> LocalResponse {
        LocalAnswer.routed(request) { path in
            path == "/stats/prometheus" ? { self.scrape() } : nil
        }
    }

    /// The text, once the workers have answered.
    package func scrape() -> LocalResponse {
        let isRefused = state.withLock { state in
            for scrape in state.texts { scrape.giveWay(afterSeconds: Self.stallSeconds) }
            state.texts.removeAll { $0.isOver }
            return state.waiting.count + state.texts.count >= Self.concurrentScrapes
        }
        if isRefused { return .text(503, "too many scrapes at one time") }
        return LocalResponse { completion in
            let isFirst = self.state.withLock { state in
                state.waiting.append(completion)
                return state.waiting.count == 1
            }
            guard isFirst else { return }
            self.engine.gatherMetrics(names: self.names, execute: { self.servers.post($0) }) { self.gathered($0) }
        }
    }

    private func gathered(_ metrics: GatheredMetrics) {
        let waiting = state.withLock { state in
            let all = state.waiting
            state.waiting = []
            return all
        }
        for completion in waiting {
            let scrape = Scrape(metrics, source: source, server: server)
            state.withLock { $0.texts.append(scrape) }
            let body = ScrapeBody(scrape)
            completion.send(
                LocalResponse(status: 200, contentType: MetricText.contentType, pieces: { body.next() }))
        }
    }
}

/// Ends its scrape with the connection that it is sent over.
private final class ScrapeBody: Sendable {
    private let scrape: Scrape

    init(_ scrape: Scrape) { self.scrape = scrape }
    deinit { scrape.end() }

    func next() -> LocalPiece { scrape.next() }
}

/// One answer on its way.
private final class Scrape: Sendable {
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
