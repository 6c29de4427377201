import Glibc

/// A value of the control thread on its way through other threads, opened only on its own.
struct ControlBound<Value>: @unchecked Sendable {
    // Sendable: the value is reachable through `value` alone, which traps on any other thread.
    private let bound: Value
    private let thread: pthread_t

    /// On the control thread.
    init(_ value: Value) {
        bound = value
        thread = pthread_self()
    }

    var value: Value {
        precondition(pthread_equal(thread, pthread_self()) != 0, "a value of the control thread was opened elsewhere")
        return bound
    }
}
