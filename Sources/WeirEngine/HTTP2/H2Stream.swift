/// What a session keeps of one stream: the body on its way out, and what it owes its peer.
///
/// A bare handle, so that passing it on costs no counting; whoever owns the stream's object makes one and frees it. While the
/// stream is open nghttp2 holds it as well.
struct H2Stream: Equatable {
    struct Fields: ~Copyable {
        /// 0 while no stream of a connection is bound.
        var id: Int32 = 0
        /// The object of the stream, which outlives this handle's binding.
        var owner: UnsafeRawPointer?
        /// Body bytes that wait for the peer's window.
        var out = BufferChain()
        /// What follows the body's last byte.
        var trailers: Trailers?
        /// nghttp2 pulls from `out`.
        var isPulled = false
        /// It found nothing there and waits to be told of more.
        var isDeferred = false
        /// No more bytes follow those in `out`.
        var hasEnd = false
        /// Our side has ended on the wire.
        var endIsOut = false
        /// Reset with NO_ERROR once our side has ended: nobody wants the rest of what the peer sends.
        var stopsPeerAtEnd = false
        /// The source of `out` waits to hear of room.
        var wasCongested = false
        /// The receiver of the peer's bytes has no room: what comes is not credited.
        var isPaused = false
        /// Received, passed on, and not yet credited to the peer.
        var uncredited = 0
        /// The peer has ended its side.
        var peerHasEnded = false
        /// It has reset the stream.
        var peerHasReset = false
        /// Next in the session's list of streams that have room.
        var nextWithRoom: UnsafeMutablePointer<Fields>?
    }

    let fields: UnsafeMutablePointer<Fields>

    /// A handle that `free` ends.
    init() {
        fields = .allocate(capacity: 1)
        fields.initialize(to: Fields())
    }

    init(_ fields: UnsafeMutablePointer<Fields>) { self.fields = fields }

    init?(_ raw: UnsafeMutableRawPointer?) {
        guard let raw else { return nil }
        fields = raw.assumingMemoryBound(to: Fields.self)
    }

    func free() {
        fields.deinitialize(count: 1)
        fields.deallocate()
    }

    var id: Int32 { fields.pointee.id }
    var peerHasEnded: Bool { fields.pointee.peerHasEnded }
    /// Body bytes that wait to go out.
    var queuedBytes: Int { fields.pointee.out.count }

    /// Binds the handle to a stream of a connection, as new.
    func begin(_ id: Int32) {
        fields.pointee.id = id
        fields.pointee.isPulled = false
        fields.pointee.isDeferred = false
        fields.pointee.hasEnd = false
        fields.pointee.endIsOut = false
        fields.pointee.stopsPeerAtEnd = false
        fields.pointee.wasCongested = false
        fields.pointee.isPaused = false
        fields.pointee.uncredited = 0
        fields.pointee.peerHasEnded = false
        fields.pointee.peerHasReset = false
        fields.pointee.nextWithRoom = nil
    }
}
