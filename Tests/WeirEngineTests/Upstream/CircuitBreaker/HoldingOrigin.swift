import Glibc
import WeirTestSupport

@testable import WeirEngine

/// An origin that answers nothing under `/hold` until it is told to, and counts what it carries at a time.
final class HoldingOrigin: Sendable {
    private struct State {
        var served: [String] = []
        var under: Int = 0
        var most: Int = 0
        var released = 0
    }

    private let state: Guarded<State>
    let origin: OriginServer
    var port: Int { origin.port }

    init() throws {
        let state = Guarded(State())
        self.state = state
        origin = try OriginServer { request, socket in
            let place = state.withLock { state in
                state.served.append(request.target)
                state.under += 1
                state.most = max(state.most, state.under)
                return state.served.filter { $0.hasPrefix("/hold") }.count
            }
            if request.target.hasPrefix("/hold") {
                while state.withLock({ $0.released }) < place { usleep(500) }
            }
            let text = request.method == "POST" ? "\(request.body.count)" : request.target
            state.withLock { $0.under -= 1 }
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n"
            let closes = request.target.hasSuffix("close")
            try socket.send("\(head)\(closes ? "Connection: close\r\n" : "")\r\n\(text)")
            return !closes
        }
    }

    /// Answers one more of those it holds, in the order they came.
    func release(_ count: Int = 1) { state.withLock { $0.released += count } }

    /// Answers everything.
    func stop() {
        state.withLock { $0.released = .max / 2 }
        origin.stop()
    }

    /// Targets in the order in which they came.
    var served: [String] { state.withLock { $0.served } }
    var mostAtOnce: Int { state.withLock { $0.most } }
    var connections: Int { origin.acceptedConnections - origin.endedConnections }
}
