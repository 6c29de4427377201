/// Bounds on one HTTP/2 connection, of clients and to upstreams alike.
enum H2Limits {
    /// Streams a peer may have open at once, as announced.
    static let maxStreams = 128
    /// Bytes a peer may send on one stream that have not left Weir on the other side.
    static let streamWindowBytes = 256 * 1024
    /// The same over all streams of a connection.
    static let connectionWindowBytes = 2 * 1024 * 1024
    /// Header list a peer may send, as announced; names and values alone count when it is enforced.
    static let maxHeaderListBytes = 60 * 1024
    /// A head that is refused for its size may still grow to this, unread, before the connection ends.
    static let maxRefusedHeadBytes = 512 * 1024
    /// Compressed head that may be sent; above everything that other limits let a head become.
    static let maxSentHeadBytes = 128 * 1024
    /// CONTINUATION frames of one head.
    static let maxContinuations = 8
    /// Entries of one SETTINGS frame.
    static let maxSettings = 32
    /// Bytes of our side's HPACK table, each way.
    static let headerTableBytes = 4096

    /// Body bytes queued on one stream above which its source waits.
    static let highMarkBytes = 128 * 1024
    /// Below this it goes on.
    static let lowMarkBytes = 32 * 1024
    /// Body bytes queued on all streams of a connection above which the low mark is every stream's high one.
    static let connectionMarkBytes = 2 * 1024 * 1024
    /// Bytes framed ahead of what the socket has taken.
    static let framedAheadBytes = 128 * 1024
    /// Answers to control frames that may wait for a peer that does not read.
    static let maxQueuedAcks = 256
    /// Frames that may wait for the socket before no more is read.
    static let maxQueuedFrames = 1024

    /// Streams we have reset whose late frames are known to be late; those before them get the benefit of the doubt.
    static let rememberedResets = 32
    /// Runs of stream ids a client has skipped that are remembered.
    static let rememberedGaps = 4

    /// Frames that bring nothing on, such as PING, that a peer may send at once.
    static let idleFrames = 2_000
    /// Such frames that it may send a second, in the long run.
    static let idleFramesPerSecond = 500
}
