import CWeir
import Glibc

/// Starts plain threads: what runs on one is created on it.
enum Thread {
    /// Runs `body` on a new thread.
    ///
    /// All signals are blocked there, so that they reach the thread that waits for them.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) -> pthread_t {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var blocked = sigset_t()
        var former = sigset_t()
        sigfillset(&blocked)
        pthread_sigmask(SIG_SETMASK, &blocked, &former)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                let start = Unmanaged<Start>.fromOpaque(raw!).takeRetainedValue()
                start.name.withCString { weir_name_thread($0) }
                start.body()
                return nil
            }, start.toOpaque())
        pthread_sigmask(SIG_SETMASK, &former, nil)
        precondition(status == 0, "no thread could be started: \(String(cString: strerror(status)))")
        return thread
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
