import WeirConfig
import WeirEngine

/// Failures that a rule makes up (semantics 3.12).
extension FaultInjection {
    /// `nil` when they happen to no request.
    init?(_ written: HTTPFaultInjection) {
        self.init(delay: written.delay.flatMap { Delay($0) }, abort: written.abort.flatMap { Abort($0) })
    }
}

extension FaultInjection.Delay {
    /// Without a length there is no delay; without a percentage it never happens.
    fileprivate init?(_ written: HTTPFaultInjection.Delay) {
        guard let milliseconds = written.fixedDelayMilliseconds else { return nil }
        self.init(milliseconds: milliseconds, share: RequestShare(written.percentage, absent: 0))
    }
}

extension FaultInjection.Abort {
    fileprivate init?(_ written: HTTPFaultInjection.Abort) {
        let failure: FaultInjection.Failure
        switch written.failure {
        case .httpStatus(let status): failure = .status(status)
        case .grpcStatus(let name):
            // The validator has told of all others.
            guard let code = GRPCStatusName.code(name) else { return nil }
            failure = .grpc(code)
        case nil: return nil
        }
        self.init(failure, share: RequestShare(written.percentage, absent: 0))
    }
}

extension RequestShare {
    /// `absent`: the share in parts of a million where none is written.
    init(_ written: Percent?, absent: Int) { self.init(millionths: written?.millionths ?? absent) }
}
