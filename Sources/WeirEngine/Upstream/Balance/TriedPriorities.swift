/// The priorities whose endpoints have failed a request (Istio: `retryRemoteLocalities`).
///
/// After every second try those tried so far are left out of the choice, as long as others can take the request (see
/// `PriorityLoads.shares(without:)`).
struct TriedPriorities {
    /// Tries after which the choice changes, as Istio configures it.
    static let frequency = 2

    private var tried: UInt64 = 0
    private var count = 0
    /// For `Cluster.pick`: a bit each.
    private(set) var excluded: UInt64 = 0

    mutating func reset() { self = TriedPriorities() }

    /// An endpoint of this priority has failed the request.
    mutating func add(_ priority: Int) {
        tried |= 1 << UInt64(min(priority, 63))
        count += 1
        if count % Self.frequency == 0 { excluded = tried }
    }
}
