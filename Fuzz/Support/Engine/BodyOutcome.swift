@testable import WeirEngine

/// What the decoder made of a body's bytes.
struct BodyOutcome: Equatable {
    var body: [UInt8] = []
    var consumed = 0
    var finished = false
    var failed = false

    /// Decodes bytes that arrive in pieces.
    init(decoding message: ArraySlice<UInt8>, _ framing: BodyFraming, _ cuts: FuzzCuts) {
        var decoder = H1BodyDecoder(framing)
        var cuts = cuts
        while consumed < message.count, !finished {
            let piece = ExactBytes(message.dropFirst(consumed).prefix(cuts.next(of: message.count - consumed)))
            var used = 0
            while used < piece.count, !finished {
                let step = decoder.next(piece.start + used, count: piece.count - used)
                guard !step.failed else {
                    // What came before a failure depends on the cuts, and is of no use.
                    self = BodyOutcome(failed: true)
                    return
                }
                require(step.consumed <= piece.count - used, "more consumed than given")
                require(step.bodyStart + step.bodyCount <= step.consumed, "a body outside of what is consumed")
                body += UnsafeBufferPointer(start: piece.start + used + step.bodyStart, count: step.bodyCount)
                used += step.consumed
                consumed += step.consumed
                finished = step.finished
                require(finished || step.consumed > 0, "no progress")
            }
        }
    }

    private init(failed: Bool) { self.failed = failed }
}
