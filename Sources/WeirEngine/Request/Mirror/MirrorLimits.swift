/// Bounds of what mirroring may cost: copies beyond them are dropped and counted, and no client ever waits for one.
enum MirrorLimits {
    /// What one copy has waiting to be sent; so much of a body fits in whole however slow the mirror is.
    static let queuedBytes = 2 * 1024 * 1024
    /// What all copies of a worker together have waiting.
    static let workerBytes = 64 * 1024 * 1024
    /// Copies of one worker under way at a time.
    static let activeCopies = 1024
    /// Of these two one cluster takes one part in so many: a mirror that is stuck leaves the others their place.
    static let clusterShare = 2
    /// Of the connections to endpoints that a worker may have, copies take one in so many.
    static let connectionShare = 4
    /// From a copy's last byte to its answer's.
    static let answerMilliseconds = 60_000
}
