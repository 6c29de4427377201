/// When an endpoint is taken out of its cluster for a while (Istio: `outlierDetection`, semantics 4.5).
///
/// Two equal specs make interchangeable plans.
package struct OutlierSpec: Sendable, Hashable {
    /// Errors in a row; 0 = they are not looked at.
    package var serverErrors: UInt32 = 5
    /// 502, 503 and 504 in a row; 0 = they are not looked at.
    package var gatewayErrors: UInt32 = 0
    /// Tries in a row that brought no answer, where they are counted apart; 0 = they are not looked at.
    package var localFailures: UInt32 = 5
    /// Tries that bring no answer do not count as errors, but apart.
    package var splitsLocalFailures = false
    /// Statuses that count as errors; empty = 500 to 599.
    package var errorStatuses: [Int] = []
    package var intervalMilliseconds = 10_000
    package var baseEjectionMilliseconds = 30_000
    /// Share of the cluster's endpoints that may be out at one time.
    package var mostEjectedPercent = 10

    package init() {}

    /// An endpoint that was out often is not out for longer, unless the first time was to be longer yet.
    package static let longestEjectionMilliseconds = 300_000
}

/// How many in a row take an endpoint out, on the hot path.
///
/// Trivial; borrowed from its `ClusterPlan`.
struct OutlierPlan {
    let serverErrors: UInt32
    let gatewayErrors: UInt32
    let localFailures: UInt32
    let splitsLocalFailures: Bool
    /// One bit a status from 0 to 639.
    private let errors: InlineArray<10, UInt64>
    let baseMilliseconds: UInt64
    let longestMilliseconds: UInt64

    init(_ spec: OutlierSpec) {
        serverErrors = spec.serverErrors
        gatewayErrors = spec.gatewayErrors
        localFailures = spec.localFailures
        splitsLocalFailures = spec.splitsLocalFailures
        var errors = InlineArray<10, UInt64>(repeating: 0)
        let statuses = spec.errorStatuses.isEmpty ? Array(500...599) : spec.errorStatuses
        for status in statuses where (0..<640).contains(status) { errors[status / 64] |= 1 << UInt64(status % 64) }
        self.errors = errors
        baseMilliseconds = UInt64(max(spec.baseEjectionMilliseconds, 1))
        longestMilliseconds = max(UInt64(OutlierSpec.longestEjectionMilliseconds), baseMilliseconds)
    }

    /// Whether an answer with this status counts as an error.
    func isError(_ status: Int) -> Bool {
        (0..<640).contains(status) && errors[status / 64] >> UInt64(status % 64) & 1 == 1
    }

    /// How long an endpoint is out for the `times`-th time in a row.
    func ejectionMilliseconds(times: UInt64) -> UInt64 {
        // Times that a former plan has counted can be many for the base of this one.
        let (product, overflows) = baseMilliseconds.multipliedReportingOverflow(by: times)
        return overflows ? longestMilliseconds : min(product, longestMilliseconds)
    }

    /// Whether one time more is counted of an endpoint that was out so many times in a row.
    ///
    /// Times that change nothing any more are not, so that they are forgiven as soon.
    func counts(after times: UInt64) -> Bool {
        times == 0 || ejectionMilliseconds(times: times - 1) < longestMilliseconds
    }
}
