/// The copies that one worker has under way, and those kept for reuse.
struct Mirrors: ~Copyable {
    /// Copies kept for reuse.
    static let keptCalls = 256

    private(set) var counts = MirrorCounts()
    /// What all copies have waiting to be sent, as far as was looked at.
    private(set) var queuedBytes = 0
    /// The part of each cluster in the copies under way, and in what they have waiting.
    private var parts: [Int32: (copies: Int, bytes: Int)] = [:]
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

    /// A copy for this cluster is under way.
    mutating func began(_ cluster: Int32) { parts[cluster, default: (0, 0)].copies += 1 }

    /// So many bytes more, or fewer, wait to be sent to a cluster.
    mutating func queued(_ change: Int, to cluster: Int32) {
        guard change != 0 else { return }
        queuedBytes += change
        parts[cluster, default: (0, 0)].bytes += change
    }

    /// Whether copies have less waiting than they may, all of them and those to this cluster.
    func hasRoom(for cluster: Int32) -> Bool {
        queuedBytes <= MirrorLimits.workerBytes
            && (parts[cluster]?.bytes ?? 0) <= MirrorLimits.workerBytes / MirrorLimits.clusterShare
    }

    /// Whether one more copy may be under way of the `most` that a worker may have.
    func admits(_ cluster: Int32, most: Int) -> Bool {
        activeCount < most && (parts[cluster]?.copies ?? 0) < max(most / MirrorLimits.clusterShare, 1)
    }

    /// The copy, which has nothing waiting any more, is not under way any more.
    mutating func ended(_ call: MirrorCall, _ outcome: MirrorCall.Outcome) {
        parts[call.clusterID]?.copies -= 1
        if parts[call.clusterID]?.copies == 0 { parts[call.clusterID] = nil }
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
        let most = min(MirrorLimits.activeCopies, maxUpstreams / MirrorLimits.connectionShare)
        guard mirrors.admits(plan.clusterID, most: most), hasRoomForMirrored(to: plan.clusterID) else {
            mirrors.count(.overflowed)
            return nil
        }
        let copy = takeRequestHead()
        MirrorHead.write(head, into: copy, own: stream.addresses.own, marksHost: marksMirrors, pool: loop.pool)
        let picked = cluster._withUnsafeGuaranteedRef { $0.pick(key: $0.usesKeys ? random.next() : 0, &random) }
        return mirrors.take(self)._withUnsafeGuaranteedRef { call in
            call.begin(copy, last: last, to: picked, of: plan.clusterID, timeout: timeout)
            return last ? nil : Borrowed(call)
        }
    }

    /// Whether copies have less waiting than they may.
    func hasRoomForMirrored(to cluster: Int32) -> Bool {
        if mirrors.hasRoom(for: cluster) { return true }
        for call in mirrors.outdated(at: loop.now) { call._withUnsafeGuaranteedRef { $0.recount() } }
        return mirrors.hasRoom(for: cluster)
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
