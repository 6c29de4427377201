/// Copies of a request, sent beside it: they follow what is sent of it, and it never waits for them.
extension Exchange {
    /// Begins the copies that the tosses are for, once the request itself is on its way.
    func mirror(_ head: RequestHead, last: Bool, to mirrors: UnsafeBufferPointer<MirrorPlan>) {
        // What passes through a tunnel is no request.
        guard let pinned, let stream, !head.wantsUpgrade else { return }
        for plan in mirrors where plan.share.takes(&worker.random) {
            let copy = worker.mirror(head, last: last, by: plan, pinned, stream, timeout: tries.timeout)
            guard let copy else { continue }
            copy.with { $0.next = copies }
            copies = copy
        }
    }

    /// A part of the body, which the copies share.
    func mirror(_ slice: borrowing ByteSlice) {
        var following = copies
        while let copy = following {
            // As in `Borrowed.send`: a closure cannot consume what it captures.
            var shared = Optional(slice.share())
            copy.with {
                following = $0.next
                if let slice = shared.take() { $0.pass(slice) }
            }
        }
    }

    func mirror(_ trailers: Trailers) { Self.each(from: copies) { $0.pass(trailers) } }

    /// The copies have all of the request.
    func endCopies() {
        Self.each(from: copies) { $0.requestEnded() }
        leaveCopies()
    }

    /// Whatever has not come of the request by now will not reach its copies.
    func leaveCopies() {
        let first = copies
        copies = nil
        Self.each(from: first) { $0.leave() }
    }

    /// Each of them may be over by now, or with this.
    private static func each(from first: Borrowed<MirrorCall>?, _ tell: (MirrorCall) -> Void) {
        var following = first
        while let copy = following {
            copy.with {
                following = $0.next
                tell($0)
            }
        }
    }

    /// Tells the copies what came of the request while it was held.
    func mirrorKept() {
        for index in 0..<tries.replay.pieces { mirror(tries.replay.piece(index)) }
        if let trailers = tries.replay.trailers { mirror(trailers) }
        if state.request == .complete { endCopies() }
    }
}
