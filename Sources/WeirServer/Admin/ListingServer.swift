import WeirEngine

/// `/routes`, `/clusters`, `/endpoints`, `/listeners` and `/secrets`: made row by row as the client takes them.
///
/// Answers on the servers' thread; the workers are asked for the endpoints' load alone.
final class ListingServer: Sendable {
    /// Listings being made at one time; beyond, 503.
    static let concurrentListings = 4
    /// Seconds after which a listing whose client takes nothing gives way to another.
    static let stallSeconds = 30.0

    private struct State {
        /// Waiting for the workers.
        var waiting = 0
        var listings: [Listing] = []
    }

    private let engine: Engine
    private let status: ServerStatus
    private let servers: LocalServers
    private let state = Guarded(State())

    init(engine: Engine, status: ServerStatus, servers: LocalServers) {
        self.engine = engine
        self.status = status
        self.servers = servers
    }

    /// The listing at a path, if it is one of a listing.
    func answer(_ path: String) -> ((LocalRequest) -> LocalResponse)? {
        guard let kind = ListingKind.allCases.first(where: { $0.path == path }) else { return nil }
        return { self.answer($0, kind) }
    }

    private func answer(_ request: LocalRequest, _ kind: ListingKind) -> LocalResponse {
        let filter: ListingFilter
        do throws(OptionError) {
            filter = try ListingFilter(query: request.query, of: kind)
        } catch {
            return .text(400, error.description)
        }
        guard let snapshot = status.snapshot else { return .text(503, "no configuration yet") }
        guard makeRoom() else { return .text(503, "too many listings at one time") }
        switch kind {
        case .routes: return send(kind, snapshot, RouteCursor(snapshot, filter))
        case .clusters: return send(kind, snapshot, ClusterCursor(snapshot, filter))
        case .listeners:
            let listeners = status.current.configuration.listeners
            return send(kind, snapshot, ListenerCursor(listeners, snapshot, filter))
        case .secrets:
            return send(kind, snapshot, SecretCursor(status.current.configuration.certificates, filter))
        case .endpoints:
            return LocalResponse { completion in
                self.state.withLock { $0.waiting += 1 }
                self.engine.gatherEndpoints(execute: { self.servers.post($0) }) { loads in
                    self.state.withLock { $0.waiting -= 1 }
                    completion.send(self.send(kind, snapshot, EndpointCursor(snapshot, loads, filter)))
                }
            }
        }
    }

    private func makeRoom() -> Bool {
        state.withLock { state in
            for listing in state.listings { listing.giveWay(afterSeconds: Self.stallSeconds) }
            state.listings.removeAll { $0.isOver }
            return state.listings.count + state.waiting < Self.concurrentListings
        }
    }

    private func send(_ kind: ListingKind, _ snapshot: Snapshot, _ cursor: any RowCursor) -> LocalResponse {
        let listing = Listing(kind, generation: snapshot.generation, cursor)
        state.withLock { $0.listings.append(listing) }
        let body = ListingBody(listing)
        return LocalResponse(status: 200, contentType: LocalAnswer.jsonType, pieces: { body.next() })
    }
}
