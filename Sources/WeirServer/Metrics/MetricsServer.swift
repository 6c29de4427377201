package import WeirEngine

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
        engine: Engine, names: DestinationNames, source: SourceLabels, server: ServerMetrics, servers: LocalServers
    ) {
        self.engine = engine
        self.names = names
        self.source = source
        self.servers = servers
        self.server = server
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

    /// Scrapes that the workers have not answered yet.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

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
