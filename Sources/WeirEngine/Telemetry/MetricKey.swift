/// What tells one series of requests from another, in one integer.
///
/// From the low end: cluster 22 bits, workload 18, status 10, protocol with gRPC status 6, response flags 8.
struct MetricKey: Equatable {
    /// Ids that do not fit are counted as unknown.
    static let clusterLimit = 4_194_303
    static let workloadLimit = 1 << 18
    /// Combinations of response flags told apart.
    static let flagLimit = 1 << 8
    /// A status nobody knows any more: too many series.
    static let lostStatus = 1 << 10 - 1

    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// `cluster`: 0 = unknown, else its id + 1 (or, once merged, a service); `workload`: 0 = unknown; `flags`: the number of a
    /// combination; `call`: what `call(isGRPC:status:)` says.
    @inline(__always)
    init(cluster: Int, workload: Int, status: Int, call: Int, flags: Int) {
        rawValue =
            UInt64(truncatingIfNeeded: cluster) | UInt64(truncatingIfNeeded: workload) << 22
            | UInt64(truncatingIfNeeded: status) << 40 | UInt64(truncatingIfNeeded: call) << 50
            | UInt64(truncatingIfNeeded: flags) << 56
    }

    /// 0: plain HTTP; 1: gRPC without a status; else the gRPC status + 2.
    ///
    /// A status gRPC does not know counts as 2, UNKNOWN, as its clients take it.
    @inline(__always)
    static func call(isGRPC: Bool, status: Int8) -> Int {
        guard isGRPC else { return 0 }
        if status < 0 { return 1 }
        return status <= 16 ? Int(status) + 2 : 4
    }

    var cluster: Int { Int(rawValue & 0x3F_FFFF) }
    var workload: Int { Int(rawValue >> 22 & 0x3_FFFF) }
    var status: Int { Int(rawValue >> 40 & 0x3FF) }
    var call: Int { Int(rawValue >> 50 & 0x3F) }
    var flags: Int { Int(rawValue >> 56) }

    /// In the place of a call, for connections whose bytes pass through.
    static let streamCall = 63
    var isStream: Bool { call == Self.streamCall }
    var isGRPC: Bool { call > 0 && !isStream }
    /// `nil` without one.
    var grpcStatus: Int? { call > 1 && !isStream ? call - 2 : nil }

    /// The same answer, from nobody in particular.
    var withoutDestination: MetricKey {
        MetricKey(cluster: 0, workload: 0, status: status, call: call, flags: flags)
    }

    /// Where requests are counted when nothing else is left.
    static let lost = MetricKey(cluster: 0, workload: 0, status: lostStatus, call: 0, flags: 0)
}
