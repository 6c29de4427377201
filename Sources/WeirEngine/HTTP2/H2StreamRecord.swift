/// Which streams a client has opened, as far as that tells what a frame on one that is not open means (RFC 9113 section 5.1).
///
/// nghttp2 ignores all of them; but only frames that were on their way when we reset their stream are to be ignored.
struct H2StreamRecord {
    private typealias IDs = InlineArray<32, Int32>
    private typealias Gaps = InlineArray<4, (first: Int32, last: Int32)>

    /// The highest stream a client has opened.
    private var last: Int32 = 0
    /// The stream whose head is being read and which nghttp2 has not taken yet; 0 = none.
    private var opening: Int32 = 0
    /// Streams closed by us while their client had more to send, the latest at `resetCount - 1`.
    private var resets = IDs(repeating: 0)
    private var resetCount = 0
    /// Up to this stream, resets have been forgotten.
    private var forgotten: Int32 = 0
    /// Streams the client has never opened and now cannot.
    private var gaps = Gaps(repeating: (0, 0))
    private var gapCount = 0

    /// Whether a head with this id opens a stream.
    func isNew(_ id: Int32) -> Bool { id > last }

    /// A head that opens a stream begins.
    mutating func began(_ id: Int32) {
        settle()
        if id > last + 2 || (last == 0 && id > 1) {
            gaps[gapCount % H2Limits.rememberedGaps] = (last + 1, id - 1)
            gapCount += 1
        }
        last = id
        opening = id
    }

    /// nghttp2 has taken the stream that began.
    mutating func accepted() { opening = 0 }

    /// We have reset a stream whose client may not know yet.
    mutating func wasReset(_ id: Int32) {
        let place = resetCount % H2Limits.rememberedResets
        if resetCount >= H2Limits.rememberedResets { forgotten = max(forgotten, resets[place]) }
        resets[place] = id
        resetCount += 1
    }

    /// A stream that nghttp2 has not taken was refused by it.
    private mutating func settle() {
        guard opening != 0 else { return }
        wasReset(opening)
        opening = 0
    }

    /// What a head or a body on a stream that is not open makes of the connection; `nil`: it may have been late.
    func judge(_ id: Int32) -> H2ErrorCode? {
        // It was refused: its client does not know yet.
        if id == opening { return nil }
        // Even numbers are ours and idle, higher ones are the client's and idle: nghttp2 says so.
        guard id > 0, id & 1 == 1, id <= last else { return nil }
        for place in 0..<min(resetCount, H2Limits.rememberedResets) where resets[place] == id { return nil }
        for place in 0..<min(gapCount, H2Limits.rememberedGaps)
        where gaps[place].first <= id && id <= gaps[place].last { return .protocolError }
        return id <= forgotten ? nil : .streamClosed
    }
}
