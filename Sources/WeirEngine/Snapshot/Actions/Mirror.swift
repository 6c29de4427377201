/// A cluster that gets copies of a route's requests, as the compiler states it (semantics 3.13).
package struct MirrorSpec: Sendable, Hashable {
    /// An interned cluster, or -1: there is no such one, so the copies are dropped.
    package let clusterID: Int32
    /// `outbound|<port>|<subset>|<fqdn>`, also when there is no such cluster.
    package let clusterName: String
    package let share: RequestShare

    package init(clusterID: Int32, clusterName: String, share: RequestShare) {
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.share = share
    }

    /// For dumps.
    package var text: String { "mirror \(share) to \(clusterName)" }
}

/// The same on the hot path.
///
/// Trivial.
struct MirrorPlan {
    let clusterID: Int32
    let share: RequestShare
}
