import WeirEngine
import WeirTestSupport

/// Clients that ask without a pause while a server is replaced by another: each request must be answered.
///
/// Half of them keep their connection until an answer says `Connection: close`; the others have one for each request.
final class RestartLoad: Sendable {
    private struct State {
        var total = 0
        var isDone = false
        var failure: (any Error)?
    }

    private let state: Guarded<State>
    private let crew: TestCrew

    init(clients: Int, port: Int) {
        let state = Guarded(State())
        self.state = state
        crew = TestCrew(clients) { number in
            do {
                try Self.run(keepsConnection: number.isMultiple(of: 2), port: port, state)
            } catch {
                state.withLock { $0.failure = $0.failure ?? error }
            }
        }
    }

    deinit {
        state.withLock { $0.isDone = true }
        // Clients note their failures themselves.
        try? crew.join()
    }

    private static func run(keepsConnection: Bool, port: Int, _ state: Guarded<State>) throws {
        var open: TestClient?
        while !state.withLock({ $0.isDone }) {
            var client = if let open { open } else { try TestClient(port: port) }
            let answer: TestMessage
            do {
                answer = try client.request("GET", "/asked")
            } catch {
                let kind = open == nil ? "a new connection" : "one that had answers before"
                throw TestSocketError(description: "\(error), on \(kind), from port \(client.socket.localPort)")
            }
            guard answer.status == 200, answer.text == "/asked" else {
                throw TestSocketError(description: "answered \(answer.startLine): \(answer.text)")
            }
            open = keepsConnection && answer["connection"] != "close" ? client : nil
            state.withLock { $0.total += 1 }
        }
    }

    /// Waits until this many more requests were answered.
    func goesOn(_ requests: Int = 200) throws {
        let before = state.withLock { $0.total }
        try eventually("requests are answered", seconds: 60) {
            try state.withLock { state in
                if let failure = state.failure { throw failure }
                return state.total >= before + requests
            }
        }
    }

    /// Stops the clients; throws what went wrong with the first that failed.
    func end() throws {
        state.withLock { $0.isDone = true }
        try crew.join()
        try state.withLock { state in
            if let failure = state.failure { throw failure }
        }
    }
}
