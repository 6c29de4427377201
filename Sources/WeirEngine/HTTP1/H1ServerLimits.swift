/// What a client's HTTP/1.1 connection may take its time for, and how much of it is dropped unread.
enum H1ServerLimits {
    /// Time between two requests, in milliseconds (Istio's gateway: 1 h).
    static let idleMilliseconds = 3_600_000
    /// A request head must be complete this long after its first byte.
    static let headMilliseconds = 15_000
    /// A request body must make progress this often while no answer has begun.
    static let bodyStallMilliseconds = 60_000
    /// While a request is served and its client's bytes are not read, how often it is asked whether the client has left.
    static let presenceMilliseconds = 1_000
    /// While draining, a connection without a request is kept this long for one that may be on its way.
    static let drainIdleMilliseconds = 1_000
    /// What is left of a body behind an early answer is read and dropped up to this size; beyond it the connection closes.
    static let discardedBodyBytes = 64 * 1024
}
