/// What has come of a request's body, kept so that another try can send it again.
///
/// Holds slices of what was received, never copies (but of crumbs, as `BufferChain` does).
struct ReplayBuffer: ~Copyable {
    /// A request with a longer body is sent on, and not repeated (Istio's gateway: its buffer limit).
    static let maxBytes = 1024 * 1024
    /// What one worker keeps of all requests together; with more kept, what comes is sent on and not repeated.
    static let workerBytes = 64 * 1024 * 1024

    /// The whole of most bodies; beside the chain, which has more to do for its first slice.
    private var first: ByteSlice?
    private var rest = BufferChain()
    private(set) var count = 0
    private(set) var trailers: Trailers?
    private(set) var isEmpty = true

    /// Whether so many bytes more may be kept.
    func hasRoom(for length: Int, _ host: ServerHost) -> Bool {
        count + length <= Self.maxBytes && host.replayBytes + length <= Self.workerBytes
    }

    /// Keeps a slice, which is not empty, whether there is room or not.
    mutating func keep(_ slice: consuming ByteSlice, _ host: ServerHost) {
        isEmpty = false
        let length = slice.count
        host.replayBytes += length
        if count == 0 { first = consume slice } else { rest.append(slice, pool: host.loop.pool) }
        count += length
    }

    mutating func keep(_ trailers: Trailers) {
        isEmpty = false
        self.trailers = trailers
    }

    /// Pieces of the body, in order from 0.
    var pieces: Int32 { count == 0 ? 0 : rest.segmentCount + 1 }

    /// A piece to send; it stays kept.
    func piece(_ index: Int32) -> ByteSlice {
        if index > 0 { return rest.share(index - 1) }
        switch first {
        case .some(let slice): return slice.share()
        case .none: preconditionFailure("nothing is kept")
        }
    }

    /// Puts in place of each piece what `change` makes of it; `false` when it makes nothing of one.
    mutating func replacePieces(_ host: ServerHost, _ change: (consuming ByteSlice) -> ByteSlice?) -> Bool {
        var changed = ReplayBuffer()
        for index in 0..<pieces {
            guard let piece = change(piece(index)) else {
                changed.drop(host)
                return false
            }
            if piece.count > 0 { changed.keep(piece, host) }
        }
        if let trailers { changed.keep(trailers) }
        drop(host)
        self = changed
        return true
    }

    mutating func drop(_ host: ServerHost) {
        isEmpty = true
        host.replayBytes -= count
        count = 0
        first = nil
        if !rest.isEmpty { rest.removeAll() }
        trailers = nil
    }
}
