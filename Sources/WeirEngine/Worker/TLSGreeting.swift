/// A connection to a port that speaks TLS while its handshake lasts; then the codec that was agreed on takes it over.
///
/// Loop thread only.
final class TLSGreeting: ConnectionHandler, DrainableConnection {
    private let worker: Worker
    private let connection: HandledConnection<TLSGreeting>
    let downstream: DownstreamInfo
    var hostIndex = -1

    init(worker: Worker, connection: HandledConnection<TLSGreeting>, downstream: DownstreamInfo) {
        self.worker = worker
        self.connection = connection
        self.downstream = downstream
        worker.opened(self)
        connection.setHandler(self)
        connection.setDeadline(afterMilliseconds: TLSLimits.handshakeMilliseconds)
    }

    func connected() {
        var released = connection.release()
        // What came with the last message of the handshake is read at once.
        released.readsAtOnce = true
        worker.loop.releaseLater(self)
        worker.leave(self)
        worker.greeted(released, downstream)
    }

    func connectionFailed(_ code: Int32, unsentIntact: Bool) {
        worker.handshakeFailed(connection, downstream)
        leave()
    }

    func connectionDeadlinePassed() {
        worker.handshakeFailed(connection, downstream)
        closeNow()
    }

    // Nothing is delivered, and nothing written, before the handshake is over.
    func received(_ slice: consuming ByteSlice) {}
    func receivedEnd() {}
    func writeRoomAvailable() {}

    private func leave() {
        worker.loop.releaseLater(self)
        worker.closed(self)
    }

    /// The codec that takes over is told.
    func drain() {}

    func closeNow() {
        connection.closeNow()
        leave()
    }
}
