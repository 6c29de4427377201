/// The codec on top of a connection.
///
/// Every call comes on the loop's thread.
protocol ConnectionHandler: AnyObject {
    /// Bytes from the peer, in order. The slice is the handler's now.
    func received(_ slice: consuming ByteSlice)
    /// The peer ended its side; nothing more will be received.
    func receivedEnd()
    /// What was queued has fallen below the low mark after it had been above the high one.
    func writeRoomAvailable()
    /// The connection broke; it is closed already. `unsentIntact`: no byte of what is queued reached the kernel.
    func connectionFailed(_ code: Int32, unsentIntact: Bool)
    /// The deadline set through the connection passed.
    func connectionDeadlinePassed()
    /// A connection being opened is established, or the handshake of one that was accepted is over.
    func connected()
    /// What `endAfterFlush` was called behind has gone out, and our side has ended.
    func outputEnded()
    /// The queue is about to be written, after `askForOutput`: add what there is.
    func outputWanted()
}

extension ConnectionHandler {
    func outputEnded() {}
    func outputWanted() {}
}
