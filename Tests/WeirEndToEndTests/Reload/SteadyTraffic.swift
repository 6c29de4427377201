import WeirEngine
import WeirTestSupport

/// Clients that ask without a pause while a test changes files: every request has to be answered, by a backend that may
/// answer at that time.
///
/// Ends with the object; `end` says whether all went well.
final class SteadyTraffic: Sendable {
    private struct State {
        var allowed: Set<UInt32>
        var answers: [UInt32: Int] = [:]
        /// What each client was last answered by.
        var latest: [Int: UInt32] = [:]
        var total = 0
        var isDone = false
        var failure: (any Error)?
    }

    private let state: Guarded<State>
    private let crew: TestCrew

    /// Starts `clients` connections to a port; `lines` are header lines, each with its CRLF.
    init(clients: Int, port: Int, lines: String = "", allowed: Set<UInt32>) {
        let state = Guarded(State(allowed: allowed))
        self.state = state
        crew = TestCrew(clients) { number in
            do {
                var client = try LoadClient(port: port)
                var sent = 0
                while !state.withLock({ $0.isDone }) {
                    let before = state.withLock { $0.allowed }
                    let backend = try client.backend(of: "/client-\(number)/request-\(sent)", lines: lines)
                    sent += 1
                    try state.withLock { state in
                        // What was allowed when the request left may answer it, and so may what became so since.
                        guard before.contains(backend) || state.allowed.contains(backend) else {
                            throw TestSocketError(description: "answered by \(SteadyTraffic.name(backend))")
                        }
                        state.answers[backend, default: 0] += 1
                        state.latest[number] = backend
                        state.total += 1
                    }
                }
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

    /// Requests answered so far.
    var total: Int { state.withLock { $0.total } }

    /// The backends that may answer now.
    var allowed: Set<UInt32> { state.withLock { $0.allowed } }

    /// From now on these backends may answer; what is under way may still be answered by those of before.
    func allow(_ backends: Set<UInt32>) { state.withLock { $0.allowed = backends } }

    /// Waits until each of these backends has answered from now on, and some requests have.
    func sees(_ backends: Set<UInt32>, seconds: Double = 30) throws {
        let (before, total) = state.withLock { ($0.answers, $0.total) }
        let names = backends.sorted().map(Self.name).joined(separator: ", ")
        try eventually("requests are answered by \(names)", seconds: seconds) {
            try state.withLock { state in
                if let failure = state.failure { throw failure }
                return state.total >= total + 50
                    && backends.allSatisfy { state.answers[$0, default: 0] > before[$0, default: 0] }
            }
        }
    }

    /// Waits until each client is answered by this backend, which then is the only one that may.
    ///
    /// A client's connection stays with one worker, so what it has seen of a change is seen from then on.
    func seesOnly(_ backend: UInt32, seconds: Double = 30) throws {
        try eventually("all clients are answered by \(Self.name(backend))", seconds: seconds) {
            try state.withLock { state in
                if let failure = state.failure { throw failure }
                return state.latest.values.allSatisfy { $0 == backend }
            }
        }
        allow([backend])
    }

    /// Stops the clients and returns the answers by backend; throws what went wrong with the first that failed.
    func end() throws -> [UInt32: Int] {
        state.withLock { $0.isDone = true }
        try crew.join()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return state.answers
        }
    }

    private static func name(_ backend: UInt32) -> String {
        "\(backend >> 24).\(backend >> 16 & 255).\(backend >> 8 & 255).\(backend & 255)"
    }
}
