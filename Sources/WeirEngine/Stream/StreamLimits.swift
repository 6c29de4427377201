/// What a connection may do whose bytes pass through as they are.
enum StreamLimits {
    /// Without a byte either way it is closed after so long (Istio: `tcp.idleTimeout`, which takes its place).
    static let idleMilliseconds = 3_600_000
}
