/// Turns what the compiler states into plans, in a virtual host's memory.
struct RoutePolicyBuilder: ~Copyable {
    private var memory = PlanMemory()

    init() {}

    /// The memory of all plans made.
    consuming func finish() -> PlanMemory { memory }

    /// `nil` for a plain route; a route whose destinations do something is never plain.
    mutating func policies(of spec: RouteSpec) -> UnsafePointer<RoutePolicies>? {
        let actions = spec.actions
        let isPlain = actions == nil && spec.mirrors.isEmpty && spec.destinations.allSatisfy { $0.actions == nil }
        guard !isPlain else { return nil }
        let name = spec.origin.name
        var policies = RoutePolicies(
            redirect: nil, direct: nil, cors: actions?.cors.map { cors($0) },
            fault: actions?.fault.map { memory.copy([FaultPlan($0)]) }, mirrors: mirrors(spec.mirrors),
            rewrite: rewrite(actions?.rewrite ?? RouteRewrite()),
            requestEdits: edits(actions?.requestEdits ?? HeaderEdits(), routeName: name),
            responseEdits: edits(actions?.responseEdits ?? HeaderEdits(), routeName: name))
        switch actions?.answer {
        case .redirect(let redirect): policies.redirect = memory.copy([plan(redirect)])
        case .direct(let status, let body):
            policies.direct = memory.copy([
                DirectResponsePlan(status: UInt16(clamping: status), body: memory.bytes(body))
            ])
        case nil: break
        }
        return memory.copy([policies])
    }

    mutating func policies(
        of destination: RouteSpec.Destination, routeName: String
    )
        -> UnsafePointer<DestinationPolicies>?
    {
        guard let actions = destination.actions else { return nil }
        return memory.copy([
            DestinationPolicies(
                authority: authority(actions.authority),
                requestEdits: edits(actions.requestEdits, routeName: routeName),
                responseEdits: edits(actions.responseEdits, routeName: routeName))
        ])
    }

    private mutating func mirrors(_ specs: [MirrorSpec]) -> UnsafeBufferPointer<MirrorPlan> {
        let plans = specs.map { MirrorPlan(clusterID: $0.clusterID, share: $0.share) }
        return UnsafeBufferPointer(start: plans.isEmpty ? nil : memory.copy(plans), count: plans.count)
    }

    // MARK: Headers

    private mutating func edits(_ spec: HeaderEdits, routeName: String) -> HeaderEditPlan {
        var edits = spec.removals.map { edit($0, []) }
        var setCount = 0
        var addCount = 0
        var codes: Set<LogOperator> = []
        for line in spec.sets {
            guard let edit = edit(line, routeName, &codes) else { continue }
            edits.append(edit)
            setCount += 1
        }
        for line in spec.additions {
            guard let edit = edit(line, routeName, &codes) else { continue }
            edits.append(edit)
            addCount += 1
        }
        return HeaderEditPlan(
            edits: memory.copy(edits), removeCount: Int32(spec.removals.count), setCount: Int32(setCount),
            addCount: Int32(addCount), hasPrograms: edits.contains { $0.program != nil },
            namesConnection: !codes.isDisjoint(with: [.downstreamLocal, .downstreamRemote]),
            namesDirect: codes.contains(.downstreamDirect))
    }

    /// `nil` when the value turns out to be empty: then the operation is none (semantics 3.15).
    private mutating func edit(
        _ line: HeaderEdits.Line, _ routeName: String, _ codes: inout Set<LogOperator>
    ) -> HeaderEdit? {
        let pieces = HeaderValueProgram.resolved(line.pieces, routeName: routeName)
        if let constant = HeaderValueProgram.constant(pieces) {
            return constant.isEmpty ? nil : edit(line.name, constant)
        }
        var edit = edit(line.name, [])
        let format = memory.format(pieces)
        for step in 0..<format.stepCount { codes.insert(format.steps[step].operation.code) }
        edit.program = Unmanaged.passUnretained(format)
        return edit
    }

    private mutating func edit(_ name: String, _ value: [UInt8]) -> HeaderEdit {
        let text = memory.copy(Array(name.utf8) + Array(": ".utf8) + value)
        let length = name.utf8.count
        return HeaderEdit(
            header: LogHeaderName(
                token: HeaderName.lookup(text, length: length), name: text, length: UInt32(length)),
            valueLength: UInt32(value.count), program: nil)
    }

    // MARK: Targets

    private mutating func authority(_ text: String?) -> AuthorityPlan {
        let bytes = memory.text(text ?? "")
        return AuthorityPlan(text: bytes, hostLength: H1Authority.hostLength(bytes) ?? bytes.count)
    }

    private mutating func rewrite(_ spec: RouteRewrite) -> RewritePlan {
        var plan = RewritePlan(
            path: .kept, prefixLength: 0, text: memory.text(""), regex: nil, authority: authority(spec.authority))
        switch spec.path {
        case .kept: break
        case .whole(let text):
            plan.path = .whole
            plan.text = memory.text(text)
        case .prefix(let length, let text):
            plan.path = .prefix
            plan.prefixLength = Int32(clamping: length)
            plan.text = memory.text(text)
        case .regex(let regex, let text):
            plan.path = .regex
            plan.regex = memory.handles(of: regex)
            plan.text = memory.text(text)
        }
        return plan
    }

    private mutating func plan(_ spec: RouteAnswer.Redirect) -> RedirectPlan {
        var plan = RedirectPlan(
            status: UInt16(clamping: spec.status), path: .kept, prefixLength: 0, text: memory.text(""),
            scheme: memory.text(spec.scheme ?? ""), authority: memory.text(spec.authority ?? ""),
            port: memory.text(spec.port == 0 ? "" : ":\(spec.port)"))
        switch spec.path {
        case .kept: break
        case .whole(let text):
            plan.path = text.contains("?") ? .wholeWithQuery : .whole
            plan.text = memory.text(text)
        case .prefix(let length, let text):
            plan.path = .prefix
            plan.prefixLength = Int32(clamping: length)
            plan.text = memory.text(text)
        }
        return plan
    }

    // MARK: CORS

    private mutating func cors(_ spec: CORSPolicy) -> UnsafePointer<CORSPlan> {
        let matchers = spec.origins.map { origin -> TextMatcher in
            switch origin {
            case .exact(let text): matcher(text, .exact)
            case .prefix(let text): matcher(text, .prefix)
            case .regex(let regex): TextMatcher(bytes: memory.handles(of: regex), count: 0, kind: .regex)
            }
        }
        // Whoever lets the origin `*` in lets all in, as Envoy reads it.
        let star = Array("*".utf8)
        let allowsEvery = star.withUnsafeBytes { star in matchers.contains { $0.matches(star, worker: 0) } }
        return memory.copy([
            CORSPlan(
                origins: memory.copy(matchers), originCount: Int32(matchers.count), allowsEveryOrigin: allowsEvery,
                allowsCredentials: spec.allowsCredentials, answersUnmatched: spec.answersUnmatched,
                methods: memory.text(spec.methods), headers: memory.text(spec.headers),
                exposed: memory.text(spec.exposed), maxAge: memory.text(spec.maxAge))
        ])
    }

    private mutating func matcher(_ text: String, _ kind: TextMatcher.Kind) -> TextMatcher {
        let bytes = memory.copy(Array(text.utf8))
        return TextMatcher(bytes: UnsafeRawPointer(bytes), count: Int32(text.utf8.count), kind: kind)
    }
}
