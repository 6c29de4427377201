extension HTTPRetry {
    /// Conditions of `retryOn` that have a name.
    private static let conditions: Set<String> = [
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited",
        "retriable-4xx", "refused-stream", "retriable-status-codes", "retriable-headers",
        "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted",
        "unavailable",
    ]

    func validate(at path: FieldPath, into findings: inout Findings) {
        if attempts < 0 { findings.error(path["attempts"], "\(attempts) is no number of retries. Write 0 or more.") }
        if attempts == 0 {
            let written = [
                ("perTryTimeout", perTryTimeoutMilliseconds != nil), ("retryOn", retryOn != nil),
                ("retryRemoteLocalities", retryRemoteLocalities != nil),
            ]
            for (field, isWritten) in written where isWritten {
                findings.error(path[field], "With no attempts nothing is retried. Write attempts, or remove \(field).")
            }
        }
        for condition in (retryOn ?? "").split(separator: ",", omittingEmptySubsequences: false) where retryOn != nil {
            guard !Self.conditions.contains(String(condition)), !StatusCode.isKnown(condition) else { continue }
            let name = condition.isEmpty ? "An empty text" : "\"\(condition)\""
            findings.error(
                path["retryOn"], "\(name) is no condition. Write names such as 5xx and status codes, with commas alone."
            )
        }
    }
}

/// Status codes with a registered meaning, which is what Istio takes in `retryOn`.
enum StatusCode {
    private static let known: [ClosedRange<Int>] = [
        100...103, 200...208, 226...226, 300...305, 307...308, 400...418, 421...426, 428...429, 431...431, 451...451,
        500...508, 510...511,
    ]

    static func isKnown(_ text: some StringProtocol) -> Bool {
        guard let code = Int(text) else { return false }
        return known.contains { $0.contains(code) }
    }
}

/// The names of gRPC's status codes.
package enum GRPCStatusName {
    /// By number.
    private static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    /// The number of a status; `nil` for what is none.
    package static func code(_ name: String) -> Int? { names.firstIndex(of: name) }
}

extension HTTPFaultInjection {
    /// The least share above 0 that Istio can express.
    private static let leastPercent = 0.0001

    func validate(at path: FieldPath, into findings: inout Findings) {
        if delay == nil, abort == nil { findings.error(path, "The fault does nothing. Write delay or abort.") }
        if let delay {
            let place = path["delay"]
            findings.checkPercent(delay.percentage, place["percentage"]["value"], atLeast: Self.leastPercent)
            if delay.fixedDelayMilliseconds == nil {
                findings.warning(place, "The delay has no length, so nothing is delayed. Write fixedDelay.")
            } else if delay.percentage == nil {
                findings.warning(place, "The delay has no percentage, so no request is delayed. Write percentage.")
            }
        }
        if let abort { validate(abort, at: path["abort"], into: &findings) }
    }

    private func validate(_ abort: Abort, at path: FieldPath, into findings: inout Findings) {
        findings.checkPercent(abort.percentage, path["percentage"]["value"], atLeast: Self.leastPercent)
        switch abort.failure {
        case .httpStatus(let status):
            guard !(200...599).contains(status) else { break }
            findings.error(path["httpStatus"], "\(status) is no status of a response. Write a number from 200 to 599.")
        case .grpcStatus(let name):
            guard GRPCStatusName.code(name) == nil else { break }
            findings.error(path["grpcStatus"], "\(name) is no gRPC status. Write a name such as UNAVAILABLE.")
        case nil:
            findings.warning(path, "The abort has no status, so nothing is aborted. Write httpStatus or grpcStatus.")
            return
        }
        if abort.percentage == nil {
            findings.warning(path, "The abort has no percentage, so no request is aborted. Write percentage.")
        }
    }
}
