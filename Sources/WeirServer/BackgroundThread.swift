import Glibc

/// A plain thread for work that waits, such as a command's own traffic.
///
/// Signals go to the thread that started it.
enum BackgroundThread {
    /// Starts a thread that nobody joins; it may still run when the process ends.
    static func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Body(body))
        let status = pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        precondition(status == 0, "no thread could be started: \(String(cString: strerror(status)))")
        pthread_detach(thread)
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
