/// What metrics and the access log hear of a request.
extension Exchange {
    func beginRecord(_ head: RequestHead, last: Bool) {
        record = RequestRecord()
        isReported = false
        capture.reset()
        if last { record.requestMilliseconds = 0 }
        record.startedAt = loop.now
        record.requestHeadBytes = UInt64(head.backing?.count ?? 0)
        record.isGRPC = head.isGRPC
    }

    /// Counts and logs the request, while its head is still there.
    func report() {
        guard !isReported, let stream else { return }
        isReported = true
        worker.requestEnded(record, stream, endpoint, capture)
    }

    func captureRoute(_ name: UnsafeRawBufferPointer) {
        guard let log = worker.accessLogger, log.wantsRouteName, !name.isEmpty else { return }
        capture.keep(name, at: LogCapture.routeName)
    }

    func captureAddress(_ stream: Borrowed<ClientStream>) {
        guard let log = worker.accessLogger, log.wantsUpstreamLocal else { return }
        capture.upstreamLocal = stream.localAddress
    }

    func captureHeaders(_ head: ResponseHead) {
        guard let log = worker.accessLogger, log.wantsResponseHeaders else { return }
        log.capture(head, &capture)
    }
}
