/// Requests that wait for a connection, the one that waits longest first.
///
/// Linked through the streams themselves, each of which is in two queues at a time: in its cluster's, and in that of the pool it
/// waits at. Owns nothing.
struct PendingQueue: ~Copyable {
    /// Which of a stream's links the queue uses.
    enum Lane: Int {
        case cluster
        case pool
    }

    /// A stream's neighbours in one queue.
    struct Links {
        fileprivate var previous: Unmanaged<PendingStream>?
        fileprivate var next: Unmanaged<PendingStream>?
    }

    private let lane: Int
    private(set) var first: Unmanaged<PendingStream>?
    private var last: Unmanaged<PendingStream>?
    private(set) var count = 0

    init(_ lane: Lane) { self.lane = lane.rawValue }

    deinit { precondition(count == 0, "a queue died with requests in it") }

    var isEmpty: Bool { count == 0 }
    /// When the longest wait began; `nil` when nobody waits.
    var since: UInt64? { first?._withUnsafeGuaranteedRef { $0.since } }

    mutating func append(_ stream: PendingStream) {
        let added = Unmanaged.passUnretained(stream)
        stream.links[lane] = Links(previous: last, next: nil)
        if let last { last._withUnsafeGuaranteedRef { $0.links[lane].next = added } } else { first = added }
        last = added
        count += 1
    }

    /// The stream must be in the queue.
    mutating func remove(_ stream: PendingStream) {
        let links = stream.links[lane]
        if let previous = links.previous {
            previous._withUnsafeGuaranteedRef { $0.links[lane].next = links.next }
        } else {
            first = links.next
        }
        if let next = links.next {
            next._withUnsafeGuaranteedRef { $0.links[lane].previous = links.previous }
        } else {
            last = links.previous
        }
        stream.links[lane] = Links()
        count -= 1
    }
}
