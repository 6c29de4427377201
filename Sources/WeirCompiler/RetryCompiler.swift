import WeirConfig
import WeirEngine

/// How long the requests of an HTTP route may take and which failed tries are repeated (semantics 3.10, 3.11).
extension RouteSpec {
    /// Takes the timeout and the retries of `http`; `sparesUnsafe` as `UnsafeRetries` has it.
    mutating func limit(by http: HTTPRoute, _ hashing: RouteHashing, sparesUnsafe: Bool) {
        timeoutMilliseconds = http.timeoutMilliseconds ?? 0
        retry = http.retries.map(RetrySpec.init) ?? .standard
        retry.avoidsTried = http.retries?.retryIgnorePreviousHosts ?? !hashing.repeatsEndpoints
        retry.sparesUnsafe = sparesUnsafe
    }
}

extension RetrySpec {
    /// Written retries; without attempts there are none.
    init(_ written: HTTPRetry) {
        self.init(retries: max(written.attempts, 0), conditions: Self.standardConditions)
        if let text = written.retryOn, !text.isEmpty { (conditions, codes) = Self.conditions(text) }
        leavesTriedPriorities = written.retryRemoteLocalities ?? false
        if let milliseconds = written.backoffMilliseconds { backOffMilliseconds = milliseconds }
        tryTimeoutMilliseconds = written.perTryTimeoutMilliseconds ?? 0
    }

    /// What `retryOn` lists: conditions, and codes, which imply the condition that they are for.
    private static func conditions(_ text: String) -> (RetryConditions, [UInt16]) {
        var conditions: RetryConditions = []
        var codes: [UInt16] = []
        for token in text.split(separator: ",") {
            if let code = UInt16(token), (100...599).contains(code) {
                codes.append(code)
                conditions.insert(.statusCodes)
            } else {
                conditions.formUnion(Self.condition(token))
            }
        }
        return (conditions, codes)
    }

    private static func condition(_ name: Substring) -> RetryConditions {
        switch name {
        case "5xx": .serverError
        case "gateway-error": .gatewayError
        case "reset": .reset
        case "reset-before-request": .resetBeforeRequest
        case "connect-failure": .connectFailure
        case "refused-stream": .refusedStream
        case "retriable-4xx": .conflict
        case "retriable-status-codes": .statusCodes
        case "envoy-ratelimited": .rateLimited
        case "cancelled": .cancelled
        case "deadline-exceeded": .deadlineExceeded
        case "resource-exhausted": .resourceExhausted
        case "internal": .internalError
        case "unavailable": .unavailable
        // `retriable-headers` has no field for its headers, `http3-post-connect-failure` no HTTP/3; the validator has
        // told of all others.
        default: []
        }
    }
}
