/// How much of a cluster all workers may use together (Istio: `connectionPool`, `retryBudget`; semantics 4.4, 3.11).
///
/// A bound that is not written is `Int.max`: none.
package struct ClusterLimits: Sendable, Hashable {
    /// Retries under way at once, as a share of the requests.
    package struct RetryBudget: Sendable, Hashable {
        /// Percent of the requests under way or waiting for a connection.
        package var percent: Double
        /// So many are always allowed.
        package var least: Int

        package init(percent: Double = 20, least: Int = 3) {
            self.percent = percent
            self.least = least
        }
    }

    /// Connections, idle ones included; requests beyond wait.
    package var connections = Int.max
    /// Requests that wait for a connection.
    package var pending = Int.max
    /// Requests on a connection, over HTTP/1.1 as over HTTP/2.
    package var requests = Int.max
    /// Requests that are being tried again.
    package var retries = Int.max
    /// Takes the place of `retries`.
    package var retryBudget: RetryBudget?

    package init() {}

    /// Whether there is a bound at all.
    var isActive: Bool { self != ClusterLimits() }

    /// Retries that may be under way beside so many requests, those that wait included.
    func retries(beside requests: Int) -> Int {
        guard let retryBudget else { return retries }
        return max(retryBudget.least, Int(Double(requests) * retryBudget.percent / 100))
    }
}
