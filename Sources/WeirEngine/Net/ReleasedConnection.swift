/// A socket between two connections: its next owner knows which codec it speaks.
struct ReleasedConnection {
    let descriptor: Int32
    let transport: Transport
    let permits: ListenerPermits?
    /// What the layer holds is not waited for: whoever adopts the connection calls `readAtOnce`.
    var readsAtOnce = false

    /// Ends the connection instead.
    func close() {
        Socket.close(descriptor)
        permits?.give()
    }
}
