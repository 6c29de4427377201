/// A worker's hold on one generation of the configuration, with a plain count of the exchanges that use it.
///
/// The worker has one strong reference to the snapshot; exchanges borrow. Loop thread only.
final class PinnedSnapshot {
    let snapshot: Snapshot
    /// Exchanges that were routed by this generation and whose answer has not begun.
    var pins = 0
    /// Requests that come now are routed by it.
    var isCurrent = true

    init(_ snapshot: Snapshot) { self.snapshot = snapshot }
}
