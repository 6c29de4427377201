/// Which failed tries are repeated, and after how long a wait (semantics 3.11).
extension RetryPlan {
    /// A wait is at most so many times the first one.
    static let longestBackOff: UInt64 = 10
    /// Picks of an endpoint behind the first, in search of one that has not failed the request.
    static let repicks = 5

    /// Whether a try that ended without an answer is worth another.
    ///
    /// Too many connections is the one reason that never is: another try would add to it.
    func repeats(_ error: ProxyError) -> Bool {
        guard !conditions.isEmpty, error.source == .upstream, error.cause != .overflow else { return false }
        if !conditions.isDisjoint(with: [.reset, .serverError, .gatewayError]) { return true }
        switch error.cause {
        case .connectFailure where conditions.contains(.connectFailure),
            .connectTimeout where conditions.contains(.connectFailure),
            .refusedStream where conditions.contains(.refusedStream):
            return true
        default:
            return !error.wasSent && conditions.contains(.resetBeforeRequest)
        }
    }

    /// Whether an answer's head asks for another try; only worth a call when `concerns` says so.
    func repeats(_ head: ResponseHead) -> Bool {
        guard !conditions.isEmpty else { return false }
        if head.block.contains("x-envoy-ratelimited") { return conditions.contains(.rateLimited) }
        let status = head.status
        if conditions.contains(.serverError), (500...599).contains(status) { return true }
        if conditions.contains(.gatewayError), (502...504).contains(status) { return true }
        if conditions.contains(.conflict), status == 409 { return true }
        if conditions.contains(.statusCodes), codes.contains(where: { Int($0) == status }) { return true }
        return repeats(grpcStatus: head.grpcStatus)
    }

    /// Whether there is anything in an answer's head that a condition might be about.
    @inline(__always)  // two comparisons on every answer
    func concerns(_ head: ResponseHead) -> Bool { head.status >= Int(leastStatus) || head.hasGRPCStatus }

    private func repeats(grpcStatus: Int8) -> Bool {
        switch grpcStatus {
        case 1: conditions.contains(.cancelled)
        case 4: conditions.contains(.deadlineExceeded)
        case 8: conditions.contains(.resourceExhausted)
        case 13: conditions.contains(.internalError)
        case 14: conditions.contains(.unavailable)
        default: false
        }
    }

    /// Milliseconds to wait before a retry: evenly drawn from a window that doubles with each one.
    ///
    /// `retry` counts from 1.
    func backOff(before retry: Int32, random: inout FastRandom) -> UInt64 {
        let base = UInt64(backOffMilliseconds)
        // Above sixteen times the base, doubling changes nothing any more.
        let window = min(base << UInt64(min(max(retry - 1, 0), 4)), base * Self.longestBackOff)
        return UInt64(random.below(UInt32(clamping: window)))
    }
}

/// The endpoints that have failed a request; remembers the last few.
///
/// Holds no reference: identities are compared and never followed.
struct TriedEndpoints {
    static let remembered = 8

    private var identities = InlineArray<8, UInt>(repeating: 0)
    private var count = 0

    mutating func reset() { count = 0 }

    mutating func add(_ endpoint: Endpoint) {
        identities[count % Self.remembered] = Self.identity(endpoint)
        count += 1
    }

    func contains(_ endpoint: Endpoint) -> Bool {
        let identity = Self.identity(endpoint)
        for index in 0..<min(count, Self.remembered) where identities[index] == identity { return true }
        return false
    }

    private static func identity(_ endpoint: Endpoint) -> UInt { UInt(bitPattern: ObjectIdentifier(endpoint)) }
}

extension Cluster {
    /// An endpoint for a further try: one that has not failed the request, if a few picks find one.
    func pick(
        key: UInt64, avoiding tried: TriedEndpoints, excluded: UInt64 = 0, _ random: inout FastRandom
    ) -> Unmanaged<Endpoint>? {
        var endpoint = pick(key: key, excluded: excluded, &random)
        for repick in 1...RetryPlan.repicks {
            guard let picked = endpoint, picked._withUnsafeGuaranteedRef({ tried.contains($0) }) else { break }
            endpoint = pick(key: key, passing: repick, excluded: excluded, &random)
        }
        return endpoint
    }
}
