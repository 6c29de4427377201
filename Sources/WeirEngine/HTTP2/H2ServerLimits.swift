/// What a client's HTTP/2 connection may take its time for, and how often it may change its mind.
enum H2ServerLimits {
    /// The preface must have come this long after the connection was opened, and a head this long after its beginning.
    static let headMilliseconds = 15_000
    /// A request body must make progress this often while no answer has begun; gRPC excepted.
    static let bodyStallMilliseconds = 60_000
    /// A client that does not read what it has asked for is read no further, and cut off after this.
    static let holdOffMilliseconds = 60_000
    /// Between the notice that no further requests will be taken and the moment they are not.
    static let drainNoticeMilliseconds = 1_000
    /// Requests a client may take back at once before they are answered, or have reset for what it did.
    static let wastedStreams = 200
    /// The same a second, in the long run; each request that is answered makes up for another.
    static let wastedStreamsPerSecond = 50
}
