/// What makes a try fail in a way that another one may cure (Istio: `retries.retryOn`; semantics 3.11).
package struct RetryConditions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// An answer of 500 to 599, or no answer at all.
    package static let serverError = RetryConditions(rawValue: 1 << 0)
    /// An answer of 502 to 504, or no answer at all.
    package static let gatewayError = RetryConditions(rawValue: 1 << 1)
    /// No answer at all, for whatever reason.
    package static let reset = RetryConditions(rawValue: 1 << 2)
    /// As `reset`, as long as no byte of the request was sent.
    package static let resetBeforeRequest = RetryConditions(rawValue: 1 << 3)
    /// The connection could not be opened.
    package static let connectFailure = RetryConditions(rawValue: 1 << 4)
    /// The upstream says that it has not looked at the request.
    package static let refusedStream = RetryConditions(rawValue: 1 << 5)
    /// An answer of 409.
    package static let conflict = RetryConditions(rawValue: 1 << 6)
    /// An answer with one of the listed codes.
    package static let statusCodes = RetryConditions(rawValue: 1 << 7)
    /// An answer that says it was limited; without this such an answer is never retried.
    package static let rateLimited = RetryConditions(rawValue: 1 << 8)
    // `grpc-status` in the head of an answer, whatever was asked.
    package static let cancelled = RetryConditions(rawValue: 1 << 9)
    package static let deadlineExceeded = RetryConditions(rawValue: 1 << 10)
    package static let resourceExhausted = RetryConditions(rawValue: 1 << 11)
    package static let internalError = RetryConditions(rawValue: 1 << 12)
    package static let unavailable = RetryConditions(rawValue: 1 << 13)
}

/// A route's retries as the compiler states them.
package struct RetrySpec: Sendable, Hashable {
    /// Tries behind the first; 0 = none.
    package var retries: Int
    package var conditions: RetryConditions
    /// For `statusCodes`.
    package var codes: [UInt16] = []
    /// The longest wait before the first retry; it doubles with each further one, up to ten times this.
    package var backOffMilliseconds = 25
    /// Endpoints that have failed the request are avoided.
    package var avoidsTried = true
    /// After every second try the priorities tried so far are left out (`retryRemoteLocalities`).
    package var leavesTriedPriorities = false
    /// Of one try, from the moment its request is whole and there is a connection; 0 = no limit of its own.
    package var tryTimeoutMilliseconds = 0
    /// What is not idempotent is not sent again once an upstream may have looked at it (`weir.dev/retry-unsafe: never`).
    package var sparesUnsafe = false

    package init(retries: Int, conditions: RetryConditions) {
        self.retries = retries
        self.conditions = conditions
    }

    package static let none = RetrySpec(retries: 0, conditions: [])
    /// What every Istio route has that says nothing else.
    package static let standard = RetrySpec(retries: standardRetries, conditions: standardConditions)
    package static let standardRetries = 2
    package static let standardConditions: RetryConditions = [
        .connectFailure, .refusedStream, .unavailable, .cancelled, .statusCodes,
    ]
}

/// A route's retries on the hot path.
///
/// Trivial; borrows from its virtual host.
struct RetryPlan {
    let retries: Int32
    let conditions: RetryConditions
    /// No answer with a lower status is retried for its status.
    let leastStatus: UInt16
    let avoidsTried: Bool
    let leavesTriedPriorities: Bool
    let sparesUnsafe: Bool
    let backOffMilliseconds: UInt32
    /// 0 = a try has no limit of its own.
    let tryTimeoutMilliseconds: UInt32
    let codes: UnsafeBufferPointer<UInt16>

    /// `codes` are the spec's, in memory that outlives the plan.
    init(_ spec: RetrySpec, codes: UnsafeBufferPointer<UInt16>) {
        let isOn = spec.retries > 0
        retries = Int32(clamping: max(spec.retries, 0))
        conditions = isOn ? spec.conditions : []
        avoidsTried = spec.avoidsTried
        leavesTriedPriorities = spec.leavesTriedPriorities
        sparesUnsafe = isOn && spec.sparesUnsafe
        tryTimeoutMilliseconds = UInt32(clamping: max(spec.tryTimeoutMilliseconds, 0))
        backOffMilliseconds = UInt32(clamping: max(spec.backOffMilliseconds, 1))
        self.codes = codes
        var least = UInt16.max
        if conditions.contains(.conflict) { least = min(least, 409) }
        if conditions.contains(.serverError) { least = min(least, 500) }
        if conditions.contains(.gatewayError) { least = min(least, 502) }
        // Told by a header, whatever the status.
        if conditions.contains(.rateLimited) { least = 0 }
        if conditions.contains(.statusCodes), let lowest = codes.min() { least = min(least, lowest) }
        leastStatus = least
    }
}
