import Glibc
import WeirEngine

/// Threads that do the same work, each with its own number.
package final class TestCrew: Sendable {
    private struct State {
        var threads: [pthread_t] = []
        var failures: [any Error] = []
    }

    private let state = Guarded(State())

    /// Starts the threads; whoever makes a crew joins it.
    package init(_ count: Int, _ work: @escaping @Sendable (Int) throws -> Void) {
        for number in 0..<count {
            let thread = Self.thread { [state] in
                do {
                    try work(number)
                } catch {
                    state.withLock { $0.failures.append(error) }
                }
            }
            state.withLock { $0.threads.append(thread) }
        }
    }

    /// Waits for all; throws what the first to fail threw.
    package func join() throws {
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { pthread_join(thread, nil) }
        if let failure = state.withLock({ $0.failures.first }) { throw failure }
    }

    private static func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(Work(body)).toOpaque())
        precondition(status == 0, "no thread for a test")
        return thread
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
