/// The head of an answer that Weir makes itself, in the order its parts have their say: the answer's own lines, the route's
/// header operations, what the body or gRPC asks for, CORS, and last what every answer carries.
extension LocalReply {
    func write(
        _ head: ResponseHead, _ body: UnsafeRawBufferPointer, _ scene: PolicyScene, _ policies: ActivePolicies
    ) {
        let request = scene.stream.requestHead
        head.status = status
        writeOwnLines(head, request, scene.stream.downstream.pointee.scheme)
        guard !isPreflight else {
            return Self.fill(head, status: status, body: body, host: scene.worker)
        }
        // Values that are too long for an answer of our own are left out with their operations.
        if policies.isActive { _ = policies.prepare(head, to: request, scene) }
        if body.isEmpty { head.block.remove(.contentType) }
        policies.openToOrigin(head)
        if request.isGRPC {
            let message = request.method == .head ? UnsafeRawBufferPointer(rebasing: body.prefix(0)) : body
            return fillGRPC(head, message: message, host: scene.worker)
        }
        Self.fill(head, status: status, body: body, host: scene.worker)
        if request.method == .head { Self.describe(head, body) }
    }

    /// Gateways answer scripts themselves, whatever content they ask with.
    var isPreflight: Bool {
        if case .preflight = self { return true }
        return false
    }

    private func writeOwnLines(_ head: ResponseHead, _ request: RequestHead, _ scheme: Scheme) {
        switch self {
        case .redirect(let plan): head.locate(plan.pointee, request, scheme)
        case .redirectToHTTPS: head.locate(.https, request)
        // As Envoy has it: who is told of something new or something elsewhere is told where (RFC 9110 section 10.2.2).
        case .direct where status == 201 || (300...399).contains(status): head.locate(scheme, request)
        case .preflight(let cors, let origin): cors.pointee.writePreflight(origin, request, into: &head.block)
        case .failure(let error, _) where error.cause == .overflow:
            head.block.append(.xEnvoyOverloaded, "x-envoy-overloaded", value: "true")
        default: break
        }
    }

    /// Writes what a gRPC client is told, which is a head alone (semantics 6.2); the message stands for the body, so
    /// `HEAD` gets none.
    private func fillGRPC(_ head: ResponseHead, message: UnsafeRawBufferPointer, host: ServerHost) {
        head.status = 200
        head.framing = .length(0)
        head.block.remove(.contentType)
        head.block.append(.contentType, "content-type", value: "application/grpc")
        head.block.remove(.grpcStatus)
        head.block.append(.grpcStatus, "grpc-status", number: UInt64(grpcStatus))
        if !message.isEmpty {
            let told = UnsafeRawBufferPointer(rebasing: message.prefix(Self.maxMessageBytes))
            let room = head.block.reserve(3 * told.count)
            head.block.remove("grpc-message")
            head.block.append(.other, "grpc-message", room, GRPCStatus.writeMessage(told, into: room))
        }
        host.stampResponse(head)
    }

    /// An answer to HEAD tells the length of the body it does not have.
    private static func describe(_ head: ResponseHead, _ body: UnsafeRawBufferPointer) {
        if case .length(let length) = head.framing, length > 0 {
            head.block.append(.contentLength, "content-length", number: length)
        }
        head.framing = .none
    }
}
