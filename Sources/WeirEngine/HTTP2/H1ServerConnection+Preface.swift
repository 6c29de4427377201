/// Clients that speak HTTP/2 without asking (RFC 9113 section 3.3).
extension H1ServerConnection {
    /// What has come in place of a request head, where that may be HTTP/2's preface.
    ///
    /// No method begins like it, so that HTTP/1's reader has refused it: only then is it looked for.
    func prefaceMatch(_ bytes: UnsafePointer<UInt8>, count: Int) -> H2Preface.Match {
        // Nothing has been said on the connection yet.
        guard connection.bytesTaken == 0, connection.queuedBytes == 0 else { return .none }
        return H2Preface.match(bytes, count: count)
    }

    /// Hands the connection over, with all that has come.
    func becomeHTTP2(_ received: consuming ByteSlice) {
        isClosed = true
        // The host lets go of it for its successor.
        host.loop.releaseLater(self)
        giveHeadBack()
        let socket = HandledConnection<H2ServerConnection>(loop: host.loop, adopting: connection.release())
        var downstream = downstream
        // Borrowed from the connection that goes.
        if downstream.local != nil { downstream.local = socket.localText }
        if downstream.remote != nil { downstream.remote = socket.peerText(downstream.peer) }
        let successor = H2ServerConnection(
            host: host, connection: socket, downstream: downstream, replacing: self)
        successor.received(received)
    }
}
