import Glibc

/// Every answer Weir makes itself: the one place where a failure becomes a status, a body and a flag.
enum LocalReply {
    case noRoute
    case noCluster
    case noHealthyUpstream
    /// `retried`: the failure is that of a further try.
    case failure(ProxyError, retried: Bool = false)

    /// Longest body.
    static let maxTextBytes = 256

    /// What a client that does not speak gRPC is told.
    var status: Int {
        switch self {
        case .noRoute: 404
        case .noCluster, .noHealthyUpstream: 503
        case .failure(let error, _): Self.status(error)
        }
    }

    private static func status(_ error: ProxyError) -> Int {
        if error.status != 0 { return Int(error.status) }
        switch (error.source, error.cause) {
        case (.downstream, .timeout): return 408
        case (.downstream, _): return 400
        case (.upstream, .protocolError): return 502
        case (.upstream, .timeout): return 504
        case (.upstream, _): return 503
        case (.internal, _): return 500
        }
    }

    /// Writes the body as Istio's gateway has it (semantics 3.6, 3.11, 6.2); returns its bytes, none for an unknown
    /// route or cluster.
    func write(into room: UnsafeMutablePointer<UInt8>) -> Int {
        switch self {
        case .noRoute, .noCluster: return 0
        case .noHealthyUpstream: return ASCII.write("no healthy upstream", into: room)
        case .failure(let error, let retried):
            guard error.source == .upstream else { return 0 }
            if error.cause == .timeout { return ASCII.write("upstream request timeout", into: room) }
            var length = ASCII.write("upstream connect error or disconnect/reset before headers. ", into: room)
            if retried { length += ASCII.write("retried and the latest ", into: room + length) }
            length += ASCII.write("reset reason: ", into: room + length)
            return length + ASCII.write(Self.reason(error.cause), into: room + length)
        }
    }

    private static func reason(_ cause: ProxyError.Cause) -> StaticString {
        switch cause {
        case .connectFailure: "remote connection failure"
        case .connectTimeout: "connection timeout"
        case .overflow: "overflow"
        case .protocolError: "protocol error"
        case .refusedStream: "remote refused stream reset"
        case .connectionClosed, .cancelled, .timeout: "connection termination"
        }
    }

    /// Sends the whole answer on a stream.
    ///
    /// `HEAD` gets the headers alone, and a gRPC client what it understands. `noting` sees the head before it goes.
    func send(
        on stream: Borrowed<ServerStream>, host: ServerHost, _ record: inout RequestRecord,
        noting: (ResponseHead) -> Void
    ) {
        let head = host.takeResponseHead()
        defer { host.recycle(head) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maxTextBytes) { room in
            let text = UnsafeRawBufferPointer(start: room.baseAddress, count: write(into: room.baseAddress!))
            let request = stream.requestHead
            if request.isGRPC {
                Self.fillGRPC(head, status: status, message: text, host: host)
            } else {
                Self.fill(head, status: status, body: text, host: host)
            }
            if case .failure(let error, _) = self, error.cause == .overflow {
                head.block.append(.xEnvoyOverloaded, "x-envoy-overloaded", value: "true")
            }
            if request.method == .head { head.framing = .none }
            let last = head.framing.isEmpty
            noting(head)
            stream.send(.response(head, last: last))
            record.responseHeadBytes = UInt64(stream.sentHeadBytes)
            guard !last else { return }
            record.responseBodyBytes = UInt64(text.count)
            stream.send(.body(ByteSlice(copying: text, pool: host.loop.pool)))
            stream.send(.end)
        }
    }

    /// Writes an answer for a gRPC client, which is a head alone (semantics 6.2).
    static func fillGRPC(_ head: ResponseHead, status: Int, message: UnsafeRawBufferPointer, host: ServerHost) {
        head.status = 200
        head.framing = .length(0)
        head.block.append(.contentType, "content-type", value: "application/grpc")
        head.block.append(.grpcStatus, "grpc-status", number: UInt64(GRPCStatus.code(http: status)))
        if !message.isEmpty {
            let room = head.block.reserve(3 * message.count)
            head.block.append(.other, "grpc-message", room, GRPCStatus.writeMessage(message, into: room))
        }
        host.stampResponse(head)
    }

    /// Writes status and headers of an answer with this body; the body itself is sent by the caller.
    static func fill(
        _ head: ResponseHead, status: Int, body: UnsafeRawBufferPointer, host: ServerHost,
        contentType: StaticString = "text/plain"
    ) {
        head.status = status
        // An empty answer still says its length, or the client would wait for one.
        head.framing = .length(UInt64(body.count))
        if !body.isEmpty {
            head.block.append(.contentType, "content-type", value: contentType)
        }
        host.stampResponse(head)
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
