/// A share of the requests of a route, in parts of a million.
package struct RequestShare: Sendable, Hashable, BitwiseCopyable {
    /// What `millionths` counts up to: every request.
    static let whole: UInt32 = 1_000_000

    package let millionths: UInt32

    /// More than the whole counts as the whole.
    package init(millionths: Int) {
        self.millionths = UInt32(min(max(millionths, 0), Int(Self.whole)))
    }

    package static let all = RequestShare(millionths: Int(whole))

    package var isNone: Bool { millionths == 0 }

    /// Whether this request is in it: an independent toss each time.
    func takes(_ random: inout FastRandom) -> Bool {
        // Neither all nor none is left to chance.
        if millionths == 0 { return false }
        return millionths == Self.whole || random.below(Self.whole) < millionths
    }
}

/// Failures that a route makes up, as the compiler states them (semantics 3.12).
package struct FaultInjection: Sendable, Hashable {
    package enum Failure: Sendable, Hashable {
        case status(Int)
        /// The number of a gRPC status.
        case grpc(Int)
    }

    package struct Delay: Sendable, Hashable {
        package let milliseconds: Int
        package let share: RequestShare

        package init(milliseconds: Int, share: RequestShare) {
            self.milliseconds = milliseconds
            self.share = share
        }
    }

    package struct Abort: Sendable, Hashable {
        package let failure: Failure
        package let share: RequestShare

        package init(_ failure: Failure, share: RequestShare) {
            self.failure = failure
            self.share = share
        }
    }

    package let delay: Delay?
    package let abort: Abort?

    /// `nil` when it does nothing to any request.
    package init?(delay: Delay?, abort: Abort?) {
        self.delay = delay.flatMap { $0.share.isNone || $0.milliseconds <= 0 ? nil : $0 }
        self.abort = abort.flatMap { $0.share.isNone ? nil : $0 }
        if self.delay == nil, self.abort == nil { return nil }
    }
}

/// The same on the hot path.
///
/// Trivial.
struct FaultPlan {
    let delayMilliseconds: UInt64
    /// Of the requests that are delayed.
    let delayed: RequestShare
    let aborted: RequestShare
    /// What those are answered that do not speak gRPC.
    let status: UInt16
    /// What gRPC clients are told; -1 = what the status is to them.
    let grpcStatus: Int8

    init(_ fault: FaultInjection) {
        delayMilliseconds = UInt64(clamping: fault.delay?.milliseconds ?? 0)
        delayed = fault.delay?.share ?? RequestShare(millionths: 0)
        aborted = fault.abort?.share ?? RequestShare(millionths: 0)
        switch fault.abort?.failure {
        case .status(let code):
            status = UInt16(clamping: code)
            grpcStatus = -1
        case .grpc(let code):
            // Clients of plain HTTP are told that all is well, as at Istio's gateway.
            status = 200
            grpcStatus = Int8(clamping: code)
        case nil:
            status = 0
            grpcStatus = -1
        }
    }
}
