/// What the chosen route does with one request besides sending it on, until the answer's head is out.
///
/// A plain route costs a test of `isActive`. Borrows from the pinned snapshot and from the request's head.
struct ActivePolicies {
    private var route: UnsafePointer<RoutePolicies>?
    private var destination: UnsafePointer<DestinationPolicies>?
    /// The other site whose script may read the answer; empty = none.
    private var origin = UnsafeRawBufferPointer(start: nil, count: 0)

    /// None, as before a route is chosen and once its snapshot is let go.
    init() {}

    init(route: UnsafePointer<RoutePolicies>?, destination: UnsafePointer<DestinationPolicies>?) {
        self.route = route
        self.destination = destination
    }

    @inline(__always)  // the whole price of a route without policies
    var isActive: Bool { route != nil }

    /// What the route makes up failures of.
    var fault: UnsafePointer<FaultPlan>? { route?.pointee.fault }

    /// Who gets copies of the request.
    var mirrors: UnsafeBufferPointer<MirrorPlan> {
        route?.pointee.mirrors ?? UnsafeBufferPointer(start: nil, count: 0)
    }

    // MARK: The request

    /// The answer that the route gives by itself, if it does.
    mutating func answer(to head: RequestHead, worker: Int) -> LocalReply? {
        guard let route = route?.pointee else { return nil }
        if let redirect = route.redirect {
            if redirect.pointee.path == .prefix {
                head.replacePath(first: Int(redirect.pointee.prefixLength), by: redirect.pointee.text)
            }
            return .redirect(redirect)
        }
        if let direct = route.direct { return .direct(direct) }
        return route.cors.flatMap { crossOrigin($0, head, worker: worker) }
    }

    private mutating func crossOrigin(
        _ cors: UnsafePointer<CORSPlan>, _ head: RequestHead, worker: Int
    ) -> LocalReply? {
        let asking = head.block.value("origin")
        guard !asking.isEmpty else { return nil }
        if cors.pointee.allows(asking, worker: worker) {
            origin = asking
        } else if !cors.pointee.answersUnmatched {
            return nil
        }
        return CORSPlan.isPreflight(head) ? .preflight(cors, origin) : nil
    }

    /// Changes the head as the route and its destination say; `false` when it becomes too large.
    func prepare(_ head: RequestHead, _ scene: PolicyScene) -> Bool {
        guard let route = route?.pointee else { return true }
        if let destination = destination?.pointee {
            guard Self.edit(head, destination.requestEdits, scene) else { return false }
            head.rewrite(destination.authority, noting: false)
        }
        guard Self.edit(head, route.requestEdits, scene) else { return false }
        head.rewrite(route.rewrite.authority, noting: true)
        guard head.rewrite(route.rewrite, worker: scene.worker.index, scene.worker.headerValues) else { return false }
        let startLine = head.methodBytes.count + head.target.count + head.authority.count
        return startLine + head.block.lineBytes <= ChangedHead.maxBytes
    }

    private static func edit(_ head: RequestHead, _ plan: HeaderEditPlan, _ scene: PolicyScene) -> Bool {
        if plan.isEmpty { return true }
        head.block.removeLines(plan)
        if plan.hasPrograms, !scene.read(plan, head, answer: nil) { return false }
        return head.block.writeLines(plan, scene.worker.headerValues, copies: true)
    }

    // MARK: The answer

    /// Changes the head of an answer, upstream's or Weir's own, as destination and route say; `false` when it becomes too
    /// large.
    func prepare(_ head: ResponseHead, to request: RequestHead, _ scene: PolicyScene) -> Bool {
        guard let route = route?.pointee else { return true }
        if let destination = destination?.pointee {
            guard Self.edit(head, request, destination.responseEdits, scene) else { return false }
        }
        guard Self.edit(head, request, route.responseEdits, scene) else { return false }
        return head.block.lineBytes <= ChangedHead.maxBytes
    }

    /// Lets the script that asked read the answer, if it may.
    func openToOrigin(_ head: ResponseHead) {
        guard !origin.isEmpty, let cors = route?.pointee.cors else { return }
        cors.pointee.writeAnswer(origin, into: &head.block)
    }

    private static func edit(
        _ head: ResponseHead, _ request: RequestHead, _ plan: HeaderEditPlan, _ scene: PolicyScene
    ) -> Bool {
        if plan.isEmpty { return true }
        head.block.removeLines(plan)
        if plan.hasPrograms, !scene.read(plan, request, answer: head.block.lines) { return false }
        // The answer is written out before the plan can go.
        return head.block.writeLines(plan, scene.worker.headerValues, copies: false)
    }
}

/// Bounds of a head that a route has changed.
enum ChangedHead {
    /// Start line and lines; a head that becomes longer is not sent.
    ///
    /// A client's may have 60 KiB; the rest is for what Weir and the route add.
    static let maxBytes = 64 * 1024
}

/// Everything that values of header operations may tell of, gathered where it is known.
struct PolicyScene {
    let worker: Worker
    let stream: Borrowed<ServerStream>
    var record: RequestRecord
    let endpoint: Borrowed<Endpoint>?
    let upstream: Borrowed<ClientStream>?
    /// See `LogCapture.failureText`.
    let failure: UnsafeRawBufferPointer

    /// Makes the values of a plan; `false` when they are too long.
    func read(
        _ plan: HeaderEditPlan, _ request: RequestHead, answer: UnsafeBufferPointer<HeaderField>?
    ) -> Bool {
        let downstream = stream.downstream
        var subject = LogSubject(
            record: record, peer: nil, local: nil, connectionID: downstream.pointee.connectionID,
            scheme: downstream.pointee.scheme,
            endedAt: worker.loop.now, wallOffset: worker.wallClockOffset(), head: request)
        subject.layer = downstream.pointee.layer
        subject.failure = failure
        if plan.namesConnection { (subject.peer, subject.local) = stream.addresses }
        if plan.namesDirect { subject.direct = stream.with { $0.directAddress } }
        subject.upstream = endpoint?.with { $0.pool.addressText }
        subject.clusterName = endpoint?.with { $0.pool.clusterName } ?? worker.clusterName(record.clusterID)
        let source = HeaderValueSource(
            subject: subject, answer: answer, upstreamLocal: answer == nil ? nil : upstream?.localAddress)
        return worker.headerValues.read(plan, source, random: &worker.random)
    }
}
