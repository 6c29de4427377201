import Synchronization

/// A one-way switch between threads: raised once, seen by all who wait.
package final class TestSignal: Sendable {
    private let raised = Atomic(false)

    package init() {}

    package func raise() { raised.store(true, ordering: .releasing) }
    package var isRaised: Bool { raised.load(ordering: .acquiring) }
    package func wait(_ what: String) throws { try eventually(what) { isRaised } }
}
