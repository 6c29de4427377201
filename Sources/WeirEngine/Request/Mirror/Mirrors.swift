/// The copies that one worker has under way, and those kept for reuse.
struct Mirrors: ~Copyable {
    /// Copies kept for reuse.
    static let keptCalls = 256

    private(set) var counts = MirrorCounts()
    /// What all copies have waiting to be sent, as far as was looked at.
    var queuedBytes = 0
    /// When all were last looked at.
    private var countedAt: UInt64 = 0
    /// Each is kept by its own reference, which `put` finds again.
    private var active: [Unmanaged<MirrorCall>] = []
    private var spare = Freelist<Unmanaged<MirrorCall>>(limit: Mirrors.keptCalls)

    var activeCount: Int { active.count }

    /// A copy for use; its reference is nobody's until `put`.
    mutating func take(_ worker: Worker) -> Unmanaged<MirrorCall> {
        let call = spare.take() ?? Unmanaged.passRetained(MirrorCall(worker: worker))
        call._withUnsafeGuaranteedRef { $0.place = active.count }
        active.append(call)
        counts.active += 1
        return call
    }

    /// `false` when it is not kept: then its reference is the caller's.
    mutating func put(_ call: Unmanaged<MirrorCall>) -> Bool { spare.put(call) }

    /// The copy is not under way any more.
    mutating func ended(_ call: MirrorCall, _ outcome: MirrorCall.Outcome) {
        let place = call.place
        call.place = -1
        if let last = active.popLast(), last.toOpaque() != Unmanaged.passUnretained(call).toOpaque() {
            active[place] = last
            last._withUnsafeGuaranteedRef { $0.place = place }
        }
        counts.active -= 1
        count(outcome)
    }

    mutating func count(_ outcome: MirrorCall.Outcome) {
        switch outcome {
        case .answered: counts.answered += 1
        case .failed: counts.failed += 1
        case .timedOut: counts.timedOut += 1
        case .overflowed: counts.overflowed += 1
        case .incomplete: counts.incomplete += 1
        }
    }

    /// The last of those under way.
    var last: Unmanaged<MirrorCall>? { active.last }

    /// Those to look at again because what they had waiting may be gone; none when that has been done in this wake-up.
    mutating func outdated(at now: UInt64) -> [Unmanaged<MirrorCall>] {
        guard countedAt != now else { return [] }
        countedAt = now
        return active
    }

    /// Lets go of what is kept, at the worker's end.
    mutating func releaseKept() {
        while let call = spare.take() { call.release() }
    }
}

extension Worker {
    /// Begins a copy of a request whose head is as it was sent on; `nil` when the exchange has nothing more to tell it.
    func mirror(
        _ head: RequestHead, last: Bool, by plan: MirrorPlan, _ pinned: Borrowed<PinnedSnapshot>,
        _ stream: Borrowed<ServerStream>, timeout: UInt64
    ) -> Borrowed<MirrorCall>? {
        guard let cluster = cluster(plan.clusterID, pinned) else {
            mirrors.count(.failed)
            return nil
        }
        guard mirrors.activeCount < min(MirrorLimits.activeCopies, maxUpstreams / MirrorLimits.connectionShare),
            hasRoomForMirrored()
        else {
            mirrors.count(.overflowed)
            return nil
        }
        let copy = takeRequestHead()
        MirrorHead.write(head, into: copy, own: stream.addresses.own, marksHost: marksMirrors, pool: loop.pool)
        let picked = cluster._withUnsafeGuaranteedRef { $0.pick(key: $0.usesKeys ? random.next() : 0, &random) }
        return mirrors.take(self)._withUnsafeGuaranteedRef { call in
            call.begin(copy, last: last, to: picked, timeout: timeout)
            return last ? nil : Borrowed(call)
        }
    }

    /// Whether copies have less waiting than they may.
    func hasRoomForMirrored() -> Bool {
        if mirrors.queuedBytes <= MirrorLimits.workerBytes { return true }
        for call in mirrors.outdated(at: loop.now) { call._withUnsafeGuaranteedRef { $0.recount() } }
        return mirrors.queuedBytes <= MirrorLimits.workerBytes
    }

    /// A copy is over.
    func mirrored(_ call: MirrorCall, _ outcome: MirrorCall.Outcome) { mirrors.ended(call, outcome) }

    /// Nobody refers to the copy any more; its callers may still be using it.
    func recycle(_ call: MirrorCall) {
        let reference = Unmanaged.passUnretained(call)
        if mirrors.put(reference) { return }
        loop.releaseLater(call)
        reference.release()
    }

    /// Gives up every copy, at the worker's end.
    func abandonMirrored() {
        while let call = mirrors.last { call._withUnsafeGuaranteedRef { $0.abandon() } }
    }
}
