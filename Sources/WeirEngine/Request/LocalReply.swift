import Glibc

/// Every answer Weir makes itself: the one place where a failure becomes a status, a body and a flag.
enum LocalReply {
    case noRoute
    /// The connection's certificate is not for the host that is asked for: another connection may lead there.
    case misdirected
    case noCluster
    case noHealthyUpstream
    /// `retried`: the failure is that of a further try.
    case failure(ProxyError, retried: Bool = false)
    /// The answers of routes; their plans live as long as the request's snapshot.
    case redirect(UnsafePointer<RedirectPlan>)
    case direct(UnsafePointer<DirectResponsePlan>)
    /// The origin that asked, or nothing where the route does not allow it.
    case preflight(UnsafePointer<CORSPlan>, UnsafeRawBufferPointer)
    case redirectToHTTPS
    /// The failure that a route makes up; the plan lives likewise.
    case fault(UnsafePointer<FaultPlan>)
    /// A route has made the request's head longer than may be sent on.
    case requestTooLarge
    /// The client wants another protocol on its connection than is passed through.
    case upgradeRefused

    /// Longest body but a route's own.
    static let maxTextBytes = 256
    /// Of a route's own body, so much is told to a gRPC client, in a header.
    static let maxMessageBytes = 4096

    /// What a client that does not speak gRPC is told.
    var status: Int {
        switch self {
        case .noRoute: 404
        case .misdirected: 421
        case .noCluster, .noHealthyUpstream: 503
        case .redirect(let plan): Int(plan.pointee.status)
        case .direct(let plan): Int(plan.pointee.status)
        case .preflight: 200
        case .redirectToHTTPS: 301
        case .requestTooLarge: 431
        case .upgradeRefused: 403
        case .fault(let plan): Int(plan.pointee.status)
        case .failure(let error, _): Self.status(error)
        }
    }

    /// What a client that speaks gRPC is told.
    var grpcStatus: Int8 {
        if case .fault(let plan) = self, plan.pointee.grpcStatus >= 0 { return plan.pointee.grpcStatus }
        return GRPCStatus.code(http: status)
    }

    private static func status(_ error: ProxyError) -> Int {
        if error.status != 0 { return Int(error.status) }
        switch (error.source, error.cause) {
        case (.downstream, .timeout): return 408
        case (.downstream, _): return 400
        case (.upstream, .protocolError): return 502
        case (.upstream, _) where error.isTimeout: return 504
        case (.upstream, _): return 503
        case (.internal, _): return 500
        }
    }

    /// The body, which may lie in `room`; valid as long as both that and the plan.
    private func body(_ room: UnsafeMutablePointer<UInt8>) -> UnsafeRawBufferPointer {
        switch self {
        case .direct(let plan): plan.pointee.body
        case .requestTooLarge: Self.reason(.headTooLarge)
        default: UnsafeRawBufferPointer(start: room, count: write(into: room))
        }
    }

    /// Writes the body as Istio's gateway has it (semantics 3.6, 3.11, 3.12, 6.2); returns its bytes, none for an unknown
    /// route or cluster.
    private func write(into room: UnsafeMutablePointer<UInt8>) -> Int {
        switch self {
        case .noHealthyUpstream: return ASCII.write("no healthy upstream", into: room)
        case .fault: return ASCII.write("fault filter abort", into: room)
        case .failure(let error, let retried):
            guard error.source == .upstream else { return 0 }
            if error.isTimeout { return ASCII.write("upstream request timeout", into: room) }
            var length = ASCII.write("upstream connect error or disconnect/reset before headers. ", into: room)
            if retried { length += ASCII.write("retried and the latest ", into: room + length) }
            length += ASCII.write("reset reason: ", into: room + length)
            return length + ASCII.write(Self.reason(error.cause), into: room + length)
        default: return 0
        }
    }

    private static func reason(_ cause: ProxyError.Cause) -> StaticString {
        switch cause {
        case .connectFailure: "remote connection failure"
        case .connectTimeout: "connection timeout"
        case .overflow: "overflow"
        case .protocolError: "protocol error"
        case .refusedStream: "remote refused stream reset"
        case .remoteReset: "remote reset"
        case .connectionClosed, .cancelled, .timeout, .tryTimeout, .headTooLarge: "connection termination"
        }
    }

    /// Sends the whole answer.
    ///
    /// `HEAD` gets the headers alone, and a gRPC client what it understands. `noting` sees the head before it goes.
    func send(
        _ scene: PolicyScene, _ policies: ActivePolicies, _ record: inout RequestRecord,
        noting: (ResponseHead) -> Void
    ) {
        let head = scene.worker.takeResponseHead()
        defer { scene.worker.recycle(head) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maxTextBytes) { room in
            let text = body(room.baseAddress!)
            write(head, text, scene, policies)
            let last = head.framing.isEmpty
            noting(head)
            scene.stream.send(.response(head, last: last))
            record.responseHeadBytes = UInt64(scene.stream.sentHeadBytes)
            guard !last else { return }
            record.responseBodyBytes = UInt64(text.count)
            scene.stream.send(.body(ByteSlice(copying: text, pool: scene.worker.loop.pool)))
            scene.stream.send(.end)
        }
    }

    /// Writes status and headers of an answer with this body; the body itself is sent by the caller.
    static func fill(
        _ head: ResponseHead, status: Int, body: UnsafeRawBufferPointer, host: ServerHost,
        contentType: StaticString = "text/plain"
    ) {
        head.status = status
        frame(head, body)
        if !body.isEmpty, head.block.firstIndex(of: .contentType) < 0 {
            head.block.append(.contentType, "content-type", value: contentType)
        }
        host.stampResponse(head)
    }

    /// An empty answer still says its length, or the client would wait for one; these two never have a body.
    private static func frame(_ head: ResponseHead, _ body: UnsafeRawBufferPointer) {
        head.framing = head.status == 204 || head.status == 304 ? .none : .length(UInt64(body.count))
    }

    /// What a client is told whose request could not be read.
    static func reason(_ error: H1Error) -> UnsafeRawBufferPointer {
        let text: StaticString =
            switch error {
            case .malformed: "bad request: the message is not valid HTTP/1.1\n"
            case .missingHost: "bad request: HTTP/1.1 needs a Host header\n"
            case .badPath: "bad request: the path cannot be normalised\n"
            case .schemeMismatch: "this listener serves plain http\n"
            case .asteriskTarget, .connectMethod: ""
            case .timedOut: "the request took too long to arrive\n"
            case .versionTooLow: "HTTP/1.1 or newer is needed\n"
            case .headTooLarge: "the request head is too large\n"
            case .unsupportedTransferCoding: "only the transfer coding chunked is served\n"
            case .versionNotSupported: "HTTP/1.1 is served here\n"
            }
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
