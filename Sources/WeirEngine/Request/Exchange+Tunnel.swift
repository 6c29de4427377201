/// Connections that become tunnels, whose bytes are no messages.
extension Exchange {
    /// Both sides have agreed: what follows are bytes, first those that the client did not wait with.
    func openTunnel() {
        tries.tunnelBegan(self, loop)
        sendKept()
        tries.replay.drop(worker)
        stream?.resumeReading()
    }

    /// Bytes for a tunnel, which are no message: they wait until the upstream has agreed to one, or are dropped with it.
    func passUp(_ slice: consuming ByteSlice) {
        guard state.tunnel == .open else {
            guard tries.replay.hasRoom(for: slice.count, worker) else {
                return refuseRequest()
            }
            return tries.replay.keep(slice, worker)
        }
        tries.passed(at: loop.now)
        guard let upstream else { return }
        upstream.send(.body(slice))
        if upstream.isCongested { stream?.pauseReading() }
    }

    /// The moment has come for a tunnel that has been silent since the timer was set.
    func tunnelSilent() {
        guard tries.isSilent(self, loop), state.tunnelIdled() else { return }
        record.tunnelIdled()
        report()
        stream?.send(.reset(ProxyError(source: .internal, cause: .cancelled)))
        finish(cancelUpstream: true)
    }
}
