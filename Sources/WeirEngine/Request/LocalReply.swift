import Glibc

/// Every answer Weir makes itself: the one place where a failure becomes a status, a body and a flag.
enum LocalReply {
    case noRoute
    case noCluster
    case noHealthyUpstream
    case failure(ProxyError)

    var status: Int {
        switch self {
        case .noRoute: 404
        case .noCluster, .noHealthyUpstream: 503
        case .failure(let error): Self.status(error)
        }
    }

    private static func status(_ error: ProxyError) -> Int {
        if error.status != 0 { return Int(error.status) }
        switch (error.source, error.cause) {
        case (.downstream, .timeout): return 408
        case (.downstream, _): return 400
        case (.upstream, .protocolError): return 502
        case (.upstream, _): return 503
        case (.internal, _): return 500
        }
    }

    /// Bodies as Istio's gateway sends them (semantics 3.6, 3.11, 6.2); empty for an unknown route or cluster.
    var body: StaticString {
        switch self {
        case .noRoute, .noCluster: ""
        case .noHealthyUpstream: "no healthy upstream"
        case .failure(let error): Self.body(error)
        }
    }

    private static func body(_ error: ProxyError) -> StaticString {
        guard error.source == .upstream else { return "" }
        return switch error.cause {
        case .connectFailure:
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
        case .connectTimeout:
            "upstream connect error or disconnect/reset before headers. reset reason: connection timeout"
        case .overflow:
            "upstream connect error or disconnect/reset before headers. reset reason: overflow"
        case .protocolError:
            "upstream connect error or disconnect/reset before headers. reset reason: protocol error"
        case .connectionClosed, .cancelled, .timeout:
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
        }
    }

    /// Sends the whole answer on a stream.
    ///
    /// `HEAD` gets the headers alone. `noting` sees the head before it goes.
    func send(
        on stream: Borrowed<ServerStream>, host: ServerHost, _ record: inout RequestRecord,
        noting: (ResponseHead) -> Void
    ) {
        let head = host.takeResponseHead()
        defer { host.recycle(head) }
        let text = UnsafeRawBufferPointer(start: body.utf8Start, count: body.utf8CodeUnitCount)
        Self.fill(head, status: status, body: text, host: host)
        if case .failure(let error) = self, error.cause == .overflow {
            head.block.append(.xEnvoyOverloaded, "x-envoy-overloaded", value: "true")
        }
        let bodyless = text.isEmpty || stream.requestHead.method == .head
        if stream.requestHead.method == .head { head.framing = .none }
        noting(head)
        stream.send(.response(head, last: bodyless))
        record.responseHeadBytes = UInt64(stream.sentHeadBytes)
        guard !bodyless else { return }
        record.responseBodyBytes = UInt64(text.count)
        stream.send(.body(ByteSlice(copying: text, pool: host.loop.pool)))
        stream.send(.end)
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
