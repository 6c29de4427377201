/// What a connection may do whose bytes pass through as they are.
enum StreamLimits {
    /// Without a byte either way it is closed after so long (Istio: `tcp.idleTimeout`, which takes its place).
    static let idleMilliseconds = 3_600_000
    /// A TLS client's hello that is looked at for the server's name: complete this long after it was accepted (Istio's gateway:
    /// 15 s).
    static let helloMilliseconds = 15_000
    /// Its longest, record headers included.
    static let maxHelloBytes = 16 * 1024
}
