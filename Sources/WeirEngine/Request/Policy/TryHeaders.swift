/// The lines of a request's head that differ from try to try: which one it is, and how much time is left.
struct TryHeaders {
    private var attemptLine: Int32 = -1
    private var timeoutLine: Int32 = -1
    private var grpcLine: Int32 = -1

    /// Tells the upstream how long it has: in the gateway's header, and in gRPC's own for those who speak it.
    mutating func announce(timeout milliseconds: UInt64, in head: RequestHead) {
        head.block.put(milliseconds, token: .xEnvoyControl, "x-envoy-expected-rq-timeout-ms", at: &timeoutLine)
        guard head.isGRPC else { return }
        if grpcLine < 0 { head.block.remove("grpc-timeout") }
        let (number, unit) = RequestTimeout.grpcText(milliseconds)
        head.block.put(number, unit: unit, token: .other, "grpc-timeout", at: &grpcLine)
    }

    /// Numbers a further try; the first one's line is there already.
    mutating func number(_ attempt: Int32, in head: RequestHead) {
        if attemptLine < 0 { head.block.remove(.xEnvoyAttemptCount) }
        head.block.put(
            UInt64(attempt), token: .xEnvoyAttemptCount, "x-envoy-attempt-count", at: &attemptLine)
    }
}
