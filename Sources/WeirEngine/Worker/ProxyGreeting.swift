/// A connection to a port whose clients come through proxies, until the PROXY protocol header has said who the client is.
///
/// Loop thread only.
final class ProxyGreeting: ConnectionHandler, DrainableConnection {
    /// A header must be complete this long after the connection was accepted.
    static let headerMilliseconds = 15_000

    private let worker: Worker
    private let connection: HandledConnection<ProxyGreeting>
    private let layer: ProxyHeaderLayer
    private(set) var downstream: DownstreamInfo
    var hostIndex = -1

    init(
        worker: Worker, connection: HandledConnection<ProxyGreeting>, layer: ProxyHeaderLayer,
        downstream: DownstreamInfo
    ) {
        self.worker = worker
        self.connection = connection
        self.layer = layer
        self.downstream = downstream
        worker.opened(self)
        connection.setHandler(self)
        connection.setDeadline(afterMilliseconds: Self.headerMilliseconds)
    }

    func connected() {
        let released = connection.release()
        if case .client(let target, let port) = layer.header { downstream.speak(for: target, port: port) }
        worker.loop.releaseLater(self)
        worker.leave(self)
        // The layer has taken the header off and holds nothing: the socket is as one just accepted.
        worker.begin(released.descriptor, downstream, released.permits)
    }

    func connectionFailed(_ code: Int32, unsentIntact: Bool) {
        worker.proxyHeaderFailures += 1
        leave()
    }

    func connectionDeadlinePassed() {
        worker.proxyHeaderFailures += 1
        closeNow()
    }

    // Nothing is delivered, and nothing written, before the header has come.
    func received(_ slice: consuming ByteSlice) {}
    func receivedEnd() {}
    func writeRoomAvailable() {}

    private func leave() {
        worker.loop.releaseLater(self)
        worker.closed(self)
    }

    /// Whoever takes over is told.
    func drain() {}

    func closeNow() {
        connection.closeNow()
        leave()
    }
}

extension Worker {
    /// Whether connections to a listener begin with a PROXY protocol header.
    func expectsProxyHeader(_ slot: Int) -> Bool {
        listenerPlan(slot)?._withUnsafeGuaranteedRef { $0.expectsProxyHeader } ?? false
    }

    /// Waits for the header of a connection just accepted, which then begins.
    func awaitProxyHeader(_ descriptor: Int32, _ downstream: DownstreamInfo, _ permits: ListenerPermits?) {
        let layer = ProxyHeaderLayer()
        let connection = HandledConnection<ProxyGreeting>(loop: loop, accepted: descriptor, transport: .layered(layer))
        connection.permits = permits
        _ = ProxyGreeting(worker: self, connection: connection, layer: layer, downstream: downstream)
    }
}
